// nexus run FILE: one program, once, with what it was given and nothing else.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "cli/exit_codes.h"
#include "cli/grants.h"
#include "cli/internal/command.h"
#include "cli/interrupt.h"
#include "cli/json_argument.h"
#include "cli/output.h"
#include "cli/prepare.h"
#include "cli/run_file.h"
#include "cli/watch.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus run add.js --args '{"a": 1, "b": 2}'
  nexus run report.ts --workspace .:ro --cap ext:code.read --cap ext:code.list
  nexus run fetch.ts --cap ext:http.get --allow-host api.example.com --args @input.json
  nexus run counter.js --state '{"count": 1}' --save-state state.json
  nexus run agent.ts --limit wall=30s --limit memory=128MiB --json | jq .returnValue
  echo 'return $args.n * 2' | nexus run - --args '{"n": 21}'
A run has $log and the given --state, and no other right: each --cap adds one.
Grants may carry conditions:
  --cap 'ext:code.read?path=src/&calls=100&for=5m'
Exit codes: 0 success, 1 the program failed, 2 wrong usage, 3 denied, 4 a limit, 5 not found,
70 internal.)";

std::int64_t NowUnixMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Shows a program's log lines as they are written.
class LogPrinter final : public EffectObserver {
 public:
  void OnFlush(const RunResult&) override {}
  void OnLog(std::string_view, const LogEntry& entry) override { PrintLog(entry, terminal_); }

 private:
  Terminal terminal_{stderr};
};

class RunCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override;
  int Run() override;

 private:
  // What the options say, read once: a rerun under --watch starts from the same.
  struct Inputs {
    ValueObject args;
    ValueObject state;
    CapabilitySet grants;
    Limits limits;
    Registry registry;
  };

  Result<Inputs> ReadInputs() const;
  int RunOnce(Sandbox& sandbox, const Inputs& inputs, InterruptListener& interrupts,
              std::vector<std::filesystem::path>& watched);
  RunResult Execute(Sandbox& sandbox, ProgramPtr program, const Inputs& inputs, MemoryState& state,
                    InterruptListener& interrupts, std::string& recording);
  void Keep(const PreparedProgram& prepared, const ProgramPtr& program, const RunResult& result,
            std::string recording) const;
  Status SaveState(const MemoryState& state) const;

  std::string file_;
  std::string args_;
  std::string state_;
  std::string save_state_;
  std::vector<std::string> limits_;
  ExtensionChoice choice_;
  Places places_;
  std::optional<std::uint64_t> seed_;
  bool json_ = false;
  bool watch_ = false;
  bool no_record_ = false;
};

CLI::App* RunCommand::Declare(CLI::App& root) {
  CLI::App* app = root.add_subcommand("run", "Run a program in a fresh sandbox");
  app->add_option("FILE", file_, "A .js, .mjs, .ts or .mts file, or - for standard input")
      ->required();
  app->add_option("--args", args_, "The program's $args: JSON, @FILE or -")->type_name("JSON");
  app->add_option("--state", state_,
                  "The program's $state, which it may read and write: JSON, @FILE or -")
      ->type_name("JSON");
  app->add_option("--save-state", save_state_, "Write the state after the run to this file")
      ->type_name("FILE");
  app->add_option("--cap", choice_.capabilities,
                  "Grant a capability, e.g. ext:http.get or state:read:count; repeat")
      ->type_name("TOKEN")
      ->allow_extra_args(false);
  app->add_option("--limit", limits_,
                  "Set a limit: wall, cpu, deadline, memory, stack, hostCalls, mutations, events, "
                  "viewCommands, log, result, suspensions or snapshot; repeat")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  AddExtensionOptions(*app, choice_);
  app->add_option("--seed", seed_, "Seed of Math.random (default: a new one for each run)")
      ->type_name("N");
  app->add_flag("--watch", watch_, "Run again whenever the program or a file it imports changes");
  app->add_flag("--no-record", no_record_, "Do not keep the run for nexus replay");
  AddCacheDir(*app, places_);
  AddJsonFlag(*app, json_);
  app->footer(kFooter);
  return app;
}

Result<RunCommand::Inputs> RunCommand::ReadInputs() const {
  if (args_ == "-" && (state_ == "-" || file_ == "-")) {
    return Fail(Code::kInvalidArgument, "--args -: standard input can be read only once");
  }
  Inputs inputs;
  if (!args_.empty()) {
    NEXUS_TRY(inputs.args, ReadJsonObject("--args", args_));
  }
  if (!state_.empty()) {
    NEXUS_TRY(inputs.state, ReadJsonObject("--state", state_));
  }
  const bool with_state = !state_.empty() || !save_state_.empty();
  NEXUS_TRY(inputs.grants, ParseGrants(choice_.capabilities, with_state, NowUnixMs()));
  for (const std::string& limit : limits_) {
    const std::size_t equals = limit.find('=');
    if (equals == std::string::npos) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("--limit {}: write NAME=VALUE, for example wall=2s", limit));
    }
    if (Status set = inputs.limits.Set(limit.substr(0, equals), limit.substr(equals + 1)); !set) {
      return Fail(Code::kInvalidArgument, "--" + set.error().message());
    }
  }
  NEXUS_TRY(inputs.registry, BuildRegistry(choice_));
  return inputs;
}

RunResult RunCommand::Execute(Sandbox& sandbox, ProgramPtr program, const Inputs& inputs,
                              MemoryState& state, InterruptListener& interrupts,
                              std::string& recording) {
  LogPrinter logs;
  ExecutionContext context;
  context.args = inputs.args;
  context.capabilities = inputs.grants;
  context.limits = inputs.limits;
  context.state = &state;
  context.extensions = inputs.registry.Bindings();
  context.observer = &logs;
  context.seed = seed_;
  context.record = !no_record_;
  const std::unique_ptr<class Run> run = sandbox.NewRun(std::move(program), std::move(context));
  interrupts.SetAction([&run] { run->Cancel(); });
  RunResult result = run->RunToEnd();
  interrupts.SetAction(nullptr);
  recording = run->Recording();
  return result;
}

// Keeping a run is a service, not a duty: failing to is a warning.
void RunCommand::Keep(const PreparedProgram& prepared, const ProgramPtr& program,
                      const RunResult& result, std::string recording) const {
  if (no_record_ || recording.empty()) return;
  const SavedRun saved{.run_id = result.run_id,
                       .program_key = program->key(),
                       .spec = prepared.spec,
                       .source_map = prepared.source_map,
                       .recording = std::move(recording),
                       .result_json = ComparableResult(result)};
  Result<RunArchive> archive = RunArchive::Open();
  const Status kept = archive ? archive->Save(saved) : Status(std::unexpected(archive.error()));
  if (!kept)
    Terminal(stderr).Line(
        fmt::format("warning: the run is not kept for replay: {}", kept.error().message()));
}

Status RunCommand::SaveState(const MemoryState& state) const {
  if (save_state_.empty()) return {};
  Status saved = WriteFileAtomic(save_state_, ToJson(Value(state.values()), {.indent = 2}) + "\n");
  if (!saved) return std::unexpected(std::move(saved).error().Context("--save-state"));
  return saved;
}

int RunCommand::RunOnce(Sandbox& sandbox, const Inputs& inputs, InterruptListener& interrupts,
                        std::vector<std::filesystem::path>& watched) {
  std::expected<PreparedProgram, PrepareFailure> prepared = PrepareFile(file_, BundlingAt(places_));
  if (!prepared)
    return FailWith(std::move(prepared.error().error), prepared.error().exit_code, json_);
  watched = prepared->inputs;
  auto program = sandbox.Load(prepared->spec);
  if (!program) {
    for (const LogEntry& entry : program.error().logs) PrintLog(entry, Terminal(stderr));
    const int exit_code = ExitCodeOf(program.error().error.code);
    return FailWith(std::move(program.error().error), exit_code, json_);
  }
  MemoryState state(inputs.state);
  std::string recording;
  const RunResult result = Execute(sandbox, *program, inputs, state, interrupts, recording);
  Keep(*prepared, *program, result, std::move(recording));
  if (json_) {
    PrintJson(ResultToJson(result));
  } else {
    PrintResult(result, Terminal(stdout), Terminal(stderr));
  }
  std::fflush(stdout);
  if (Status saved = SaveState(state); !saved) {
    PrintError({.code = RunErrorCode::kUnavailable, .message = saved.error().message()},
               Terminal(stderr));
    return kExitFailed;
  }
  return ExitCodeOf(result);
}

int RunCommand::Run() {
  if (watch_ && file_ == "-") {
    return FailWith(
        Error(Code::kInvalidArgument, "--watch: standard input cannot be watched: name a file"),
        json_);
  }
  Result<Inputs> inputs = ReadInputs();
  if (!inputs) return FailWith(inputs.error(), json_);
  InterruptListener interrupts;
  Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
  if (!sandbox) return FailWith(sandbox.error(), json_);
  std::error_code ignored;
  std::vector<std::filesystem::path> watched = {
      std::filesystem::absolute(file_, ignored).lexically_normal()};
  for (;;) {
    // The watch begins before the run, so that a change during it is not missed.
    Result<FileWatcher> watcher =
        watch_ ? FileWatcher::Create(watched) : Result<FileWatcher>(Fail(Code::kInternal, ""));
    const std::vector<std::filesystem::path> before = watched;
    const int exit_code = RunOnce(**sandbox, *inputs, interrupts, watched);
    if (!watch_) return exit_code;
    if (!watcher) return FailWith(watcher.error(), json_);
    if (watched != before) {
      Result<FileWatcher> wider = FileWatcher::Create(watched);
      if (!wider) return FailWith(wider.error(), json_);
      Terminal(stderr).Line(fmt::format("-- watching {} files", watched.size()));
      const auto changed = wider->Wait(interrupts.interrupted_fd());
      if (!changed) return exit_code;
      Terminal(stderr).Line(fmt::format("-- {} changed", DisplayPath(*changed)));
      continue;
    }
    Terminal(stderr).Line(
        fmt::format("-- watching {} file{}", watched.size(), watched.size() == 1 ? "" : "s"));
    const auto changed = watcher->Wait(interrupts.interrupted_fd());
    if (!changed) return exit_code;
    Terminal(stderr).Line(fmt::format("-- {} changed", DisplayPath(*changed)));
  }
}

}  // namespace

std::unique_ptr<Command> MakeRunCommand() { return std::make_unique<RunCommand>(); }

}  // namespace nexus::internal
