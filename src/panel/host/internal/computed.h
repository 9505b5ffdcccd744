#pragma once
/// Computed values: expressions over the state, run in the sandbox when somebody looks and what
/// they read has changed.

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.h"
#include "panel/definition.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

/// The state an evaluation reads.
class StateReader {
 public:
  virtual ~StateReader() = default;
  virtual Value Get(std::string_view key) const = 0;
  virtual bool Has(std::string_view key) const = 0;
  virtual std::vector<std::string> Keys() const = 0;
  /// When `key` was last written; nullopt: not told, so nothing that reads it may be kept.
  virtual std::optional<std::uint64_t> Revision(std::string_view key) const = 0;
};

struct ComputedOutcome {
  Value value;  ///< Undefined after an error.
  std::optional<RunError> error;
};

/// Thread-safe: evaluations over different states may go on at once.
class ComputedValues {
 public:
  /// Compiles every expression. Errors: all of them, and kInvalidHandler for a cycle, with the
  /// names on its way.
  static std::expected<std::unique_ptr<ComputedValues>, std::vector<RunError>> Create(
      Sandbox& sandbox, const PanelDefinition& definition, const std::string& source);

  bool Has(std::string_view name) const { return programs_.find(name) != programs_.end(); }
  /// In the order of declaration.
  const std::vector<std::string>& names() const { return names_; }
  bool empty() const { return names_.empty(); }

  ComputedOutcome Evaluate(std::string_view name, const StateReader& state);
  /// Every value, errors as undefined.
  ValueObject EvaluateAll(const StateReader& state);
  /// False when a kept value of `name` still holds for `state`.
  bool IsStale(std::string_view name, const StateReader& state) const;

 private:
  struct Kept {
    ComputedOutcome outcome;
    /// What was read (through other computed values too), and when each was last written.
    std::vector<std::pair<std::string, std::uint64_t>> read;
  };
  struct Entry {
    ProgramPtr program;
    std::vector<std::string> uses;  ///< Other computed values its text names.
    std::optional<Kept> kept;
  };
  class Pass;
  explicit ComputedValues(Sandbox& sandbox) : sandbox_(sandbox) {}
  std::optional<RunError> FindCycle(const PanelDefinition& definition) const;
  static bool Holds(const Kept& kept, const StateReader& state);

  Sandbox& sandbox_;
  std::string panel_id_;
  std::vector<std::string> names_;
  mutable std::mutex mutex_;  ///< Of `kept`; the rest is constant.
  std::map<std::string, Entry, std::less<>> programs_;
};

}  // namespace nexus::internal
