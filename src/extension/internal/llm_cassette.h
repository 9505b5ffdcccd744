#pragma once
/// Exchanges with language models on file: recorded once, given back without any network.
///
/// One JSON object a line: {"request": what decides the answer, "answer": what the program got}.
/// The same request several times has several answers, given back in their order and then the last
/// one again.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "extension/llm.h"

namespace nexus::internal {

/// Thread-safe. One process records at a time.
class LlmCassette {
 public:
  /// kReplay reads the whole file. Errors: as ReadFile; kDataLoss "FILE:LINE: ..." for a line that
  /// is no exchange.
  static Result<std::unique_ptr<LlmCassette>> Open(std::string file, CassetteMode mode);

  CassetteMode mode() const { return mode_; }
  /// Errors: kNotFound, saying how to record it.
  Result<Value> Find(const Value& request);
  /// Appends an exchange. Errors: kUnavailable when it cannot be written.
  Status Record(const Value& request, const Value& answer);

 private:
  struct Answers {
    std::vector<Value> in_order;
    std::size_t next = 0;
  };
  LlmCassette(std::string file, CassetteMode mode) : file_(std::move(file)), mode_(mode) {}
  Status ReadAll();

  const std::string file_;
  const CassetteMode mode_;
  std::mutex mutex_;
  std::map<std::string, Answers> answers_;  // By the request's hash. Guarded by mutex_.
};

}  // namespace nexus::internal
