#include "panel/host/internal/computed.h"

#include <algorithm>
#include <functional>
#include <set>

#include "capability/inference.h"
#include "panel/host/internal/handler_program.h"

namespace nexus::internal {
namespace {

// An expression that takes longer than this is no expression.
constexpr std::uint64_t kWallMsMax = 500;
constexpr std::size_t kNestingMax = 32;

}  // namespace

/// One evaluation with everything it needs on the way.
class ComputedValues::Pass {
 public:
  Pass(ComputedValues& values, const StateReader& state) : values_(values), state_(state) {}

  ComputedOutcome Evaluate(std::string_view name) {
    if (const auto done = memo_.find(name); done != memo_.end()) {
      NoteRead(done->second);
      return done->second.outcome;
    }
    Entry& entry = values_.programs_.find(name)->second;
    if (std::optional<Kept> kept = KeptOf(entry)) {
      NoteRead(*kept);
      return memo_.emplace(name, *std::move(kept)).first->second.outcome;
    }
    if (std::find(stack_.begin(), stack_.end(), name) != stack_.end() ||
        stack_.size() >= kNestingMax) {
      return Cycle(name);
    }
    stack_.emplace_back(name);
    // Those its text names first: then the run below finds them done, and needs no run in a run.
    for (const std::string& used : entry.uses) (void)EvaluateApart(used);
    Kept kept = Run(name, entry);
    stack_.pop_back();
    {
      const std::lock_guard lock(values_.mutex_);
      entry.kept = kept;
    }
    NoteRead(kept);
    return memo_.emplace(name, std::move(kept)).first->second.outcome;
  }

 private:
  class Binding final : public StateBinding {
   public:
    explicit Binding(Pass& pass) : pass_(pass) {}
    Value Get(std::string_view key) override {
      if (pass_.values_.Has(key)) return pass_.Evaluate(key).value;
      pass_.NoteRead(key);
      return pass_.state_.Get(key);
    }
    bool Has(std::string_view key) override {
      if (pass_.values_.Has(key)) return true;
      pass_.NoteRead(key);
      return pass_.state_.Has(key);
    }
    std::vector<std::string> Keys() override {
      std::vector<std::string> keys = pass_.state_.Keys();
      for (const std::string& key : keys) pass_.NoteRead(key);
      return keys;
    }
    Result<std::uint64_t> Set(std::string_view key, std::span<const PathStep>,
                              const Value&) override {
      return Refuse(key);
    }
    Result<std::uint64_t> Delete(std::string_view key, std::span<const PathStep>) override {
      return Refuse(key);
    }

   private:
    static std::unexpected<Error> Refuse(std::string_view key) {
      return Fail(Code::kInvalidArgument,
                  "state " + std::string(key) + ": a computed value cannot write state");
    }
    Pass& pass_;
  };

  std::optional<Kept> KeptOf(const Entry& entry) const {
    const std::lock_guard lock(values_.mutex_);
    if (entry.kept && Holds(*entry.kept, state_)) return entry.kept;
    return std::nullopt;
  }

  // What `name` reads is its own reader's business too, once that one asks for it.
  ComputedOutcome EvaluateApart(const std::string& name) {
    const auto outer = std::exchange(read_, {});
    ComputedOutcome outcome = Evaluate(name);
    read_ = outer;
    return outcome;
  }

  void NoteRead(std::string_view key) { read_.emplace(key); }
  void NoteRead(const Kept& kept) {
    for (const auto& [key, revision] : kept.read) read_.insert(key);
  }

  Kept Run(std::string_view name, const Entry& entry) {
    const auto outer = std::exchange(read_, {});
    Binding binding(*this);
    Limits limits;
    limits.Set(Limit::kWall, kWallMsMax);
    ExecutionContext context;
    context.capabilities = CapabilitySet::Of({{"state:read", "*"}});
    context.limits = limits;
    context.state = &binding;
    context.panel_id = values_.panel_id_;
    context.handler_name = "computed:" + std::string(name);
    context.record = false;
    RunResult result = values_.sandbox_.Execute(entry.program, std::move(context));
    Kept kept;
    kept.outcome.value = std::move(result.return_value);
    kept.outcome.error = std::move(result.error);
    for (const std::string& key : read_) {
      // A key whose revision is not told makes the kept value worthless: no revision is this one.
      kept.read.emplace_back(key, state_.Revision(key).value_or(UINT64_MAX));
    }
    read_ = outer;
    return kept;
  }

  ComputedOutcome Cycle(std::string_view name) {
    RunError error;
    error.code = RunErrorCode::kInvalidHandler;
    error.message = "computed values need each other: ";
    for (const std::string& at : stack_) error.message += at + " -> ";
    error.message += name;
    return {.value = {}, .error = std::move(error)};
  }

  ComputedValues& values_;
  const StateReader& state_;
  std::vector<std::string> stack_;
  std::set<std::string, std::less<>> read_;
  std::map<std::string, Kept, std::less<>> memo_;
};

std::expected<std::unique_ptr<ComputedValues>, std::vector<RunError>> ComputedValues::Create(
    Sandbox& sandbox, const PanelDefinition& definition, const std::string& source) {
  std::unique_ptr<ComputedValues> values(new ComputedValues(sandbox));
  values->panel_id_ = definition.id;
  std::vector<RunError> errors;
  for (const ComputedDefinition& computed : definition.computed) {
    auto program = LoadExpression(sandbox, computed, definition.file, source);
    if (!program) {
      errors.push_back(std::move(program.error().error));
      continue;
    }
    Entry entry{.program = *std::move(program), .uses = {}, .kept = {}};
    if (const Result<Inference> inference =
            InferCapabilities("return (" + computed.expression + "\n);")) {
      for (const InferredCapability& capability : inference->capabilities) {
        const std::string& scope = capability.token.scope;
        if (definition.FindComputed(scope) != nullptr) entry.uses.push_back(scope);
      }
    }
    values->names_.push_back(computed.name);
    values->programs_.emplace(computed.name, std::move(entry));
  }
  if (errors.empty()) {
    if (std::optional<RunError> cycle = values->FindCycle(definition)) {
      errors.push_back(*std::move(cycle));
    }
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return values;
}

std::optional<RunError> ComputedValues::FindCycle(const PanelDefinition& definition) const {
  std::set<std::string, std::less<>> done;
  std::vector<std::string> way;
  const std::function<bool(const std::string&)> visit = [&](const std::string& name) {
    if (std::find(way.begin(), way.end(), name) != way.end()) {
      way.push_back(name);
      return true;
    }
    if (done.contains(name)) return false;
    way.push_back(name);
    for (const std::string& used : programs_.find(name)->second.uses) {
      if (visit(used)) return true;
    }
    way.pop_back();
    done.insert(name);
    return false;
  };
  for (const ComputedDefinition& computed : definition.computed) {
    if (!visit(computed.name)) continue;
    RunError error;
    error.code = RunErrorCode::kInvalidHandler;
    error.message = "computed values need each other: ";
    const auto from = std::find(way.begin(), way.end(), way.back());
    for (auto at = from; at != way.end(); ++at) {
      error.message += (at == from ? "" : " -> ") + *at;
    }
    error.message += ": take one out of the circle";
    error.file = definition.file;
    error.location = computed.position;
    return error;
  }
  return std::nullopt;
}

bool ComputedValues::Holds(const Kept& kept, const StateReader& state) {
  return std::all_of(kept.read.begin(), kept.read.end(), [&](const auto& read) {
    return read.second != UINT64_MAX && state.Revision(read.first) == read.second;
  });
}

bool ComputedValues::IsStale(std::string_view name, const StateReader& state) const {
  const std::lock_guard lock(mutex_);
  const auto found = programs_.find(name);
  return found != programs_.end() && !(found->second.kept && Holds(*found->second.kept, state));
}

ComputedOutcome ComputedValues::Evaluate(std::string_view name, const StateReader& state) {
  return Pass(*this, state).Evaluate(name);
}

ValueObject ComputedValues::EvaluateAll(const StateReader& state) {
  Pass pass(*this, state);
  ValueObject all;
  for (const std::string& name : names_) {
    ComputedOutcome outcome = pass.Evaluate(name);
    all.Append(name, std::move(outcome.value));
  }
  return all;
}

}  // namespace nexus::internal
