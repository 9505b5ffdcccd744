#pragma once
/// Asks providers in turn until one answers, within budgets.

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "extension/internal/http_transport.h"
#include "extension/internal/llm_budget.h"
#include "extension/internal/llm_cassette.h"
#include "extension/internal/llm_wire.h"
#include "extension/internal/streams.h"
#include "extension/llm.h"
#include "extension/secrets.h"

namespace nexus::internal {

/// Everything that can fail to be made.
struct LlmParts {
  LlmOptions options;
  HttpOptions http;
  Secrets keys;                           ///< To take them out of what providers say.
  std::unique_ptr<LlmLedger> ledger;      ///< null: no budget.
  std::unique_ptr<LlmCassette> cassette;  ///< null: none.

  static Result<LlmParts> Make(LlmOptions options);
};

/// Thread-safe.
class LlmService {
 public:
  explicit LlmService(LlmParts parts);

  void Ask(const ExtensionCall& call, AnswerFunction done);
  void Next(const ExtensionCall& call, AnswerFunction done);
  void Stop(const ExtensionCall& call, AnswerFunction done);
  void Abandon(std::string_view run_id);

 private:
  using Clock = std::chrono::steady_clock;
  struct Candidate {
    std::size_t provider;
    std::size_t model;
  };
  // A call on its way. Touched by one thread at a time: the caller's, then the transport's.
  struct Job;
  using JobPtr = std::shared_ptr<Job>;
  // When a provider that failed may be asked again.
  struct Health {
    Clock::time_point free_at = {};
    std::uint32_t failures = 0;
  };

  const LlmProvider& ProviderOf(const Candidate& candidate) const;
  const LlmModel& ModelOf(const Candidate& candidate) const;
  Result<std::vector<Candidate>> CandidatesFor(const LlmRequest& request,
                                               std::string_view place) const;
  LlmCost CostOf(const LlmModel& model, LlmUsage usage) const;
  Status Reserve(Job& job);
  void Settle(Job& job, LlmCost cost);
  void Replay(const JobPtr& job);

  void Attempt(const JobPtr& job);
  HttpRequest MakeRequest(const Job& job) const;
  HttpSink MakeSink(const JobPtr& job);
  void Ended(const JobPtr& job, HttpOutcome outcome);
  void TryAgain(const JobPtr& job, const HttpOutcome& outcome, std::string why);
  void Succeed(const JobPtr& job, LlmAnswer answer);
  void Fail(const JobPtr& job, Error error, RunErrorCode code);
  void Deliver(const JobPtr& job, Answer answer);
  LlmUsage Estimated(const Job& job) const;

  LlmParts parts_;
  std::mutex mutex_;
  std::vector<Health> health_;  // guarded by mutex_, by provider
  StreamTable streams_;         // Goes after the transport, which tells streams that they end.
  HttpTransport transport_;
};

}  // namespace nexus::internal
