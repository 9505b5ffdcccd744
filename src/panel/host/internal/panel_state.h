#pragma once
/// A panel's state: typed keys, a revision for every write, and the way back to what is on disk.
///
/// The head is what the next run reads; it may be ahead of the journal. Each write that is not
/// synced yet is kept with its undo, so that the durable state can be told at any time and the head
/// can fall back to it when a sync fails.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "panel/definition.h"
#include "sandbox/run_result.h"
#include "sandbox/value_path.h"

namespace nexus::internal {

struct StateLimits {
  std::size_t bytes_max = 0;
  int depth_max = 0;
};

/// What a value takes, about: as its encoding does.
std::size_t ValueBytes(const Value& value);
/// `value` as JSON has it (contract 3: Date an ISO string, ...), because state holds nothing else.
/// Errors: kInvalidArgument when it is nested deeper than `depth_max`.
Result<Value> JsonForm(const Value& value, int depth_max);

/// Thread-safe.
class PanelState {
 public:
  PanelState(const PanelDefinition& definition, StateLimits limits);

  /// Takes over what the journal had: values of a key that is declared no more, or that are not of
  /// its type any more, give way to the declared default.
  void Restore(ValueObject values, std::uint64_t revision);
  /// Applies a record of the journal to a restored state, as it was applied before.
  Status Replay(const std::vector<StateMutation>& mutations, std::uint64_t revision);
  /// The declarations changed: adopts what still fits. What it changes is no revision of its own.
  void Redefine(const PanelDefinition& definition);

  /// Of the head.
  Value Get(std::string_view key) const;
  bool Has(std::string_view key) const;
  std::vector<std::string> Keys() const;
  bool Declares(std::string_view key) const;
  /// The revision at which `key` was last written (any path in it); 0: never.
  std::uint64_t KeyRevision(std::string_view key) const;
  std::uint64_t revision() const;
  std::uint64_t durable_revision() const;

  /// Errors as StateBinding::Set: the message goes to the handler.
  Result<std::uint64_t> Set(std::string_view key, std::span<const PathStep> path,
                            const Value& value);
  Result<std::uint64_t> Delete(std::string_view key, std::span<const PathStep> path);
  /// What Set would say of a whole value, without doing it.
  Status Check(std::string_view key, const Value& value) const;

  /// Takes back every write above `revision`.
  void RevertTo(std::uint64_t revision);
  /// Everything up to `revision` is on disk.
  void MarkDurable(std::uint64_t revision);

  struct View {
    std::uint64_t revision = 0;
    ValueObject values;
    /// Of each key that was ever written, and those with writes that are not durable yet.
    std::map<std::string, std::uint64_t, std::less<>> key_revisions;
    std::set<std::string, std::less<>> dirty;
  };
  View Durable() const;
  ValueObject Head() const;

 private:
  struct Undo {
    std::uint64_t revision = 0;
    std::string key;
    std::uint64_t key_revision_before = 0;
    std::size_t bytes_before = 0;
    /// Whole keys: what stood there (nullopt: nothing). Else `at`.
    std::optional<Value> whole;
    std::optional<PathUndo> at;
  };
  Result<std::uint64_t> Apply(std::string_view key, std::span<const PathStep> path, Value value);
  static void TakeBack(ValueObject& values, const Undo& undo);
  void RevertOne();
  void Define(const PanelDefinition& definition);
  Error UnknownKey(std::string_view key) const;

  const StateLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, PanelType, std::less<>> types_;
  std::vector<std::string> computed_;
  ValueObject defaults_;
  ValueObject values_;
  std::map<std::string, std::uint64_t, std::less<>> key_revisions_;
  std::uint64_t revision_ = 0;
  std::uint64_t durable_ = 0;
  std::size_t bytes_ = 0;
  std::deque<Undo> undo_;  ///< Oldest first, revisions above durable_.
};

}  // namespace nexus::internal
