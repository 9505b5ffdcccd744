// nexus replay RUN: a kept run again, every host call answered from its recording.
#include <fmt/format.h>

#include <utility>

#include "base/ulid.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/output.h"
#include "cli/run_file.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus replay last
  nexus replay 01JD3Q            the beginning of a run's id is enough
  nexus replay saved.nxr --json
  nexus replay --list
Nothing outside is touched: state, extensions, clock and random numbers come from the recording.
The exit code is that of the recorded run; 1 when the replay differs from it.)";

class ReplayCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("replay", "Run a kept run again, exactly");
    app->add_option("RUN", run_, "A run's id or its beginning, a .nxr file, or 'last'");
    app->add_flag("--list", list_, "Show the kept runs, newest first");
    AddCacheDir(*app, places_);
    AddJsonFlag(*app, json_);
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    Result<RunArchive> archive = RunArchive::Open();
    if (!archive) return FailWith(archive.error(), json_);
    if (list_) return List(*archive);
    if (run_.empty()) {
      return FailWith(
          Error(Code::kInvalidArgument, "replay: name a run: its id, a .nxr file or 'last'"),
          json_);
    }
    Result<SavedRun> saved = archive->Load(run_);
    if (!saved) return FailWith(saved.error(), json_);
    Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
    if (!sandbox) return FailWith(sandbox.error(), json_);
    auto program = (*sandbox)->Load(saved->spec);
    if (!program) {
      const int exit_code = ExitCodeOf(program.error().error.code);
      return FailWith(std::move(program.error().error), exit_code, json_);
    }
    if ((*program)->key() != saved->program_key) {
      Terminal(stderr).Line(
          "warning: the run was made by another version of the engine; it may go another way");
    }
    const Result<RunResult> result = (*sandbox)->Replay(*program, saved->recording);
    if (!result) return FailWith(result.error(), json_);
    return Report(*saved, *result);
  }

 private:
  int List(const RunArchive& archive) const {
    const std::vector<std::string> ids = archive.List();
    if (json_) {
      ValueArray runs;
      for (const std::string& id : ids) {
        runs.push_back(
            Value::Object({{"runId", id}, {"at", Date{static_cast<double>(UlidUnixMs(id))}}}));
      }
      PrintJson(Value(std::move(runs)));
      return kExitSuccess;
    }
    const Terminal out(stdout);
    for (const std::string& id : ids) {
      const Result<SavedRun> run = archive.Load(id);
      out.Line(fmt::format("{}  {}", id, run ? run->spec.name : run.error().message()));
    }
    if (ids.empty()) Terminal(stderr).Line("no runs are kept yet");
    return kExitSuccess;
  }

  int Report(const SavedRun& saved, const RunResult& result) const {
    const bool same = saved.result_json.empty() || ComparableResult(result) == saved.result_json;
    if (json_) {
      Value value = ResultToJson(result);
      value.As<ValueObject>()->Set("replay", Value::Object({{"of", saved.run_id}, {"same", same}}));
      PrintJson(value);
    } else {
      PrintResult(result, Terminal(stdout), Terminal(stderr));
    }
    const Terminal err(stderr);
    if (!same) {
      err.Line(err.Styled(Style::kRed, "the replay differs from the recorded run"));
      return kExitFailed;
    }
    if (!json_)
      err.Line(
          err.Styled(Style::kDim, fmt::format("replayed {}: the same as recorded", saved.run_id)));
    return ExitCodeOf(result);
  }

  std::string run_;
  Places places_;
  bool list_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeReplayCommand() { return std::make_unique<ReplayCommand>(); }

}  // namespace nexus::internal
