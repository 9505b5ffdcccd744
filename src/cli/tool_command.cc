// nexus tool FILE TOOL: a panel in memory, for trying its tools.
#include <fmt/format.h>

#include <future>
#include <map>
#include <utility>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/json_argument.h"
#include "cli/output.h"
#include "cli/panel_files.h"
#include "panel/host/panel_host.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus tool tasks.nxml addTask --args '{"title": "Write"}'
  nexus tool tasks.nxml addTask --args '{"title": "a"}' toggle --args '{"id": 1}' --json
  nexus tool monitor.nxml --stub 'http.get={"status": 200}' checkAll
Several tools run in order on the same panel. Exit code: that of the first call that failed.)";

/// Gives fixed answers.
class StubExtension final : public Extension {
 public:
  explicit StubExtension(std::string name) : name_(std::move(name)) {}
  void Add(std::string method, Value answer) {
    descriptors_.push_back({.name = method, .summary = "A fixed answer", .path_argument = {}});
    answers_.insert_or_assign(std::move(method), std::move(answer));
  }
  std::string_view name() const override { return name_; }
  std::span<const MethodDescriptor> methods() const override { return descriptors_; }
  void Call(ExtensionCall call, AnswerFunction done) override {
    done(Answer::Ok(answers_.find(call.method)->second));
  }

 private:
  const std::string name_;
  std::vector<MethodDescriptor> descriptors_;
  std::map<std::string, Value> answers_;
};

class ToolCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    app_ = root.add_subcommand("tool", "Mount a panel in memory and call its tools");
    app_->add_option("FILE", file_, "The panel")->required();
    tools_option_ = app_->add_option("TOOL", tools_, "The tools to call, in order")
                        ->required()
                        ->expected(1, 1000);
    args_option_ = app_->add_option("--args", args_,
                                    "Arguments of the tool before it: JSON, @FILE or -; repeat")
                       ->type_name("JSON")
                       ->allow_extra_args(false);
    app_->add_option("--state", state_, "Initial state: JSON, @FILE or -")->type_name("JSON");
    app_->add_option("--stub", stubs_, "A fixed answer of an extension's method; repeat")
        ->type_name("EXT.METHOD=JSON")
        ->allow_extra_args(false);
    AddExtensionOptions(*app_, choice_);
    AddCacheDir(*app_, places_);
    AddJsonFlag(*app_, json_);
    app_->footer(kFooter);
    return app_;
  }

  int Run() override {
    auto file = ReadPanelFile(file_);
    if (!file) return FailWith(file.error(), json_);
    if (!file->ok()) {
      PrintProblems(*file, Terminal(stderr));
      if (json_) PrintJson(Value::Array({CheckToJson(*file)}));
      return kExitFailed;
    }
    const Status ready = Prepare();
    if (!ready) return FailWith(ready.error(), json_);
    Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
    if (!sandbox) return FailWith(sandbox.error(), json_);
    PanelHostOptions options;
    options.sandbox = sandbox->get();
    options.find_extension = [this](std::string_view name) { return FindExtension(name); };
    auto host = PanelHost::Create(std::move(options));
    if (!host) return FailWith(host.error(), json_);
    auto panel = (*host)->Mount(*std::move(file->report.panel), file->source, "cli", initial_);
    if (!panel) return FailWith(panel.error(), json_);
    return CallAll(**panel);
  }

 private:
  Status Prepare() {
    NEXUS_TRY(registry_, BuildRegistry(choice_));
    if (!state_.empty()) {
      NEXUS_TRY(initial_, ReadJsonObject("--state", state_));
    }
    for (const std::string& stub : stubs_) NEXUS_TRY_STATUS(AddStub(stub));
    // The library keeps the order of options, which says whose arguments are whose.
    std::size_t next_args = 0;
    std::size_t next_tool = 0;
    for (const CLI::Option* option : app_->parse_order()) {
      if (option == tools_option_ && next_tool < tools_.size()) {
        calls_.push_back({.tool = tools_[next_tool++], .args = {}});
      } else if (option == args_option_ && next_args < args_.size()) {
        if (calls_.empty() || !calls_.back().args.is_undefined()) {
          return Fail(Code::kInvalidArgument,
                      "--args: it stands behind the tool whose arguments it gives, once");
        }
        NEXUS_TRY(calls_.back().args, ReadJsonArgument("--args", args_[next_args++]));
      }
    }
    return {};
  }

  Status AddStub(const std::string& stub) {
    const std::size_t equals = stub.find('=');
    const std::size_t dot = stub.substr(0, equals).find_last_of('.');
    if (equals == std::string::npos || dot == std::string::npos) {
      return Fail(Code::kInvalidArgument,
                  "--stub " + stub + ": it is EXT.METHOD=JSON, for example http.get={\"ok\":true}");
    }
    const std::string name = stub.substr(0, dot);
    NEXUS_TRY(Value answer, ReadJsonArgument("--stub", stub.substr(equals + 1)));
    auto& extension = stub_extensions_[name];
    if (extension == nullptr) extension = std::make_shared<StubExtension>(name);
    extension->Add(stub.substr(dot + 1, equals - dot - 1), std::move(answer));
    return {};
  }

  std::shared_ptr<Extension> FindExtension(std::string_view name) const {
    const auto stub = stub_extensions_.find(name);
    if (stub != stub_extensions_.end()) return stub->second;
    return registry_.Find(name);
  }

  int CallAll(Panel& panel) {
    int exit_code = kExitSuccess;
    ValueArray results;
    const Terminal out(stdout);
    const Terminal err(stderr);
    for (ToolCall& call : calls_) {
      auto promise = std::make_shared<std::promise<RunResult>>();
      panel.CallTool(std::move(call), [promise](const RunResult& flush) {
        if (flush.status != RunStatus::kSuspended) promise->set_value(flush);
      });
      const RunResult result = promise->get_future().get();
      if (exit_code == kExitSuccess) exit_code = ExitCodeOf(result);
      if (json_) {
        results.push_back(ResultToJson(result));
      } else {
        PrintResult(result, out, err);
      }
    }
    const PanelSnapshot snapshot = panel.State();
    if (json_) {
      PrintJson(Value::Object({{"results", std::move(results)},
                               {"state", snapshot.state},
                               {"computed", snapshot.computed}}));
    } else {
      err.Line(err.Styled(Style::kDim, "state: ") + ShowValue(Value(snapshot.state)));
    }
    return exit_code;
  }

  CLI::App* app_ = nullptr;
  CLI::Option* tools_option_ = nullptr;
  CLI::Option* args_option_ = nullptr;
  std::string file_;
  std::vector<std::string> tools_;
  std::vector<std::string> args_;
  std::string state_;
  std::vector<std::string> stubs_;
  ExtensionChoice choice_;
  Places places_;
  bool json_ = false;

  ValueObject initial_;
  Registry registry_;
  std::map<std::string, std::shared_ptr<StubExtension>, std::less<>> stub_extensions_;
  std::vector<ToolCall> calls_;
};

}  // namespace

std::unique_ptr<Command> MakeToolCommand() { return std::make_unique<ToolCommand>(); }

}  // namespace nexus::internal
