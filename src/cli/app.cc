#include "cli/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus {
namespace {

using internal::Command;

constexpr const char* kDescription =
    "Nexus runs agent code in a fresh WebAssembly sandbox, with exactly the rights it was given.";
constexpr const char* kFooter = R"(Start here:
  echo 'return { hello: $args.name }' > hello.js
  nexus run hello.js --args '{"name": "world"}'
Every command explains itself: nexus COMMAND --help)";

// "--limit a=1 b=2" means "--limit a=1 --limit b=2".
std::vector<std::string> SpreadLimits(const std::vector<std::string>& arguments) {
  const auto is_setting = [](const std::string& word) {
    const std::size_t equals = word.find('=');
    return equals != std::string::npos && equals > 0 &&
           std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                       [](unsigned char c) { return std::isalpha(c) != 0; });
  };
  std::vector<std::string> spread;
  bool after_limit = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (after_limit && is_setting(word)) spread.push_back("--limit");
    spread.push_back(word);
    if (word == "--limit" && i + 1 < arguments.size()) {
      spread.push_back(arguments[++i]);
      after_limit = true;
    } else if (!is_setting(word)) {
      after_limit = false;
    }
  }
  return spread;
}

std::vector<std::string> KnownOptions(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string Suggest(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return DidYouMean(word, views);
}

// What is wrong with the command line, in our words rather than the library's.
std::string ExplainUsage(CLI::App& root, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = root.get_subcommands();
  const std::vector<std::string> extras = root.remaining(true);
  if (chosen.empty()) {
    std::vector<std::string> commands;
    for (const CLI::App* app : root.get_subcommands([](const CLI::App*) { return true; })) {
      commands.push_back(app->get_name());
    }
    if (extras.empty()) return "a command is missing: nexus --help lists them";
    if (extras.front().starts_with('-')) {
      return fmt::format("unknown option '{}'{}: nexus --help lists them", extras.front(),
                         Suggest(extras.front(), KnownOptions(root)));
    }
    return fmt::format("unknown command '{}'{}: nexus --help lists them", extras.front(),
                       Suggest(extras.front(), commands));
  }
  const CLI::App& app = *chosen.front();
  const std::string help = fmt::format("nexus {} --help explains it", app.get_name());
  const auto unknown = std::find_if(extras.begin(), extras.end(),
                                    [](const std::string& word) { return word.starts_with('-'); });
  if (unknown != extras.end()) {
    const std::string name = unknown->substr(0, unknown->find('='));
    return fmt::format("{}: unknown option '{}'{}: {}", app.get_name(), name,
                       Suggest(name, KnownOptions(app)), help);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    return fmt::format("{}: unexpected argument '{}': {}", app.get_name(), extras.front(), help);
  }
  return fmt::format("{}: {}: {}", app.get_name(), error.what(), help);
}

int RunParsed(CLI::App& root,
              const std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>>& commands) {
  for (const auto& [app, command] : commands) {
    if (root.got_subcommand(app)) return command->Run();
  }
  return kExitUsage;
}

int Dispatch(std::vector<std::string> arguments) {
  CLI::App root(kDescription, "nexus");
  root.require_subcommand(1);
  root.footer(kFooter);
  root.set_version_flag("--version", "nexus " NEXUS_VERSION);
  bool verbose = false;
  root.add_flag("-v,--verbose", verbose, "Tell on stderr what happens inside");
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  const auto add = [&](std::unique_ptr<Command> command) {
    CLI::App* app = command->Declare(root);
    commands.emplace_back(app, std::move(command));
  };
  add(internal::MakeRunCommand());
  add(internal::MakeInspectCommand());
  add(internal::MakeCompileCommand());
  add(internal::MakeReplayCommand());
  add(internal::MakeCheckCommand());
  add(internal::MakeFmtCommand());
  add(internal::MakeNewCommand());
  add(internal::MakeToolCommand());
  add(internal::MakeServeCommand());
  add(internal::MakeMcpCommand());
  add(internal::MakeConfigCommand());
  add(internal::MakeApprovalCommand());
  add(internal::MakeBenchCommand());
  add(internal::MakeCapsCommand());
  add(internal::MakeExtCommand());
  add(internal::MakeVersionCommand());
  add(internal::MakeCompletionCommand(root));

  const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  arguments = SpreadLimits(arguments);
  std::reverse(arguments.begin(), arguments.end());  // The library takes words from the back.
  try {
    root.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return root.exit(error);  // --help and --version
    return internal::FailWith(Error(Code::kInvalidArgument, ExplainUsage(root, error)), json);
  }
  if (verbose) SetLogSeverity(Severity::kInfo);
  return RunParsed(root, commands);
}

}  // namespace

int RunCli(std::vector<std::string> arguments) {
  try {
    const int exit_code = Dispatch(std::move(arguments));
    // Output that did not arrive is a failure, whatever the run was.
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
    std::fputs("nexus: the output cannot be written: free some space, or check the pipe\n", stderr);
    return exit_code == kExitSuccess ? kExitFailed : exit_code;
  } catch (const std::exception& error) {
    // A bug of ours or memory that ran out: say so instead of dying in std::terminate.
    const std::string line = fmt::format("nexus: internal error: {}\n", error.what());
    std::fputs(line.c_str(), stderr);
    return kExitInternal;
  }
}

}  // namespace nexus
