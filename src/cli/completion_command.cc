// nexus completion bash|zsh: a completion script made from the commands themselves, so that it
// cannot fall behind them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus completion bash > ~/.local/share/bash-completion/completions/nexus
  nexus completion zsh > "${fpath[1]}/_nexus")";

constexpr const char* kLimits =
    "wall= cpu= deadline= memory= stack= hostCalls= mutations= events= viewCommands= log= result= "
    "suspensions= snapshot=";
constexpr const char* kCapabilities =
    "state:read: state:write: events:emit: view:update: tools:call: ext:http ext:http.get "
    "ext:http.post ext:code "
    "ext:code.read ext:code.write ext:code.list ext:code.search ext:kv ext:kv.get ext:kv.set "
    "ext:kv.increment";

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// Words after an option: its own, files, or folders.
constexpr const char* kBashBody = R"(_nexus() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local command=${COMP_WORDS[1]} words=
  COMPREPLY=()
  case $previous in
    --limit) compopt -o nospace; COMPREPLY=($(compgen -W "@limits@" -- "$current")); return ;;
    --cap)
      COMPREPLY=($(compgen -W "@caps@" -- "$current"))
      __ltrim_colon_completions "$current" 2>/dev/null
      return ;;
    --ext) COMPREPLY=($(compgen -W "@extensions@" -- "$current")); return ;;
    --workspace|--cache-dir|-o|--output) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --kv|--save-state) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "@commands@" -- "$current"))
    return
  fi
  case $command in
@cases@    completion) words="bash zsh" ;;
  esac
  if [[ $current == -* || $command == completion ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -X '!*.@(js|mjs|ts|mts|nxr)' -- "$current")
      $(compgen -d -S / -- "$current"))
    compopt -o nospace 2>/dev/null
  fi
}
shopt -s extglob
complete -o filenames -F _nexus nexus
)";

constexpr const char* kZshBody = R"(#compdef nexus
_nexus() {
  local -a commands
  commands=(
@described@  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[CURRENT-1] in
    --limit) compadd -S '' -- @limits@; return ;;
    --cap) compadd -- @caps@; return ;;
    --ext) compadd -- @extensions@; return ;;
    --workspace|--cache-dir|-o|--output) _files -/; return ;;
    --kv|--save-state) _files; return ;;
  esac
  case $words[2] in
@cases@    completion) compadd -- bash zsh; return ;;
  esac
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- $options
  else
    _files -g '*.(js|mjs|ts|mts|nxr)'
  fi
}
_nexus "$@"
)";

std::string Replace(std::string text, const std::string& mark, const std::string& by) {
  for (std::size_t at = text.find(mark); at != std::string::npos;
       at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

class CompletionCommand final : public Command {
 public:
  explicit CompletionCommand(CLI::App& root) : root_(root) {}

  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("completion", "Print a completion script for bash or zsh");
    app->add_option("SHELL", shell_, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    const bool bash = shell_ == "bash";
    std::vector<std::string> names;
    std::string cases;
    std::string described;
    for (const CLI::App* app : root_.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(app->get_name());
      described += fmt::format("    '{}:{}'\n", app->get_name(), app->get_description());
      if (app->get_name() == "completion") continue;
      const std::string options = fmt::format("{}", fmt::join(OptionNames(*app), " "));
      cases += bash ? fmt::format("    {}) words=\"{}\" ;;\n", app->get_name(), options)
                    : fmt::format("    {}) local -a options; options=({}) ;;\n", app->get_name(),
                                  options);
    }
    std::string script = bash ? kBashBody : kZshBody;
    script = Replace(std::move(script), "@limits@", kLimits);
    script = Replace(std::move(script), "@caps@", kCapabilities);
    script = Replace(std::move(script), "@extensions@",
                     fmt::format("{}", fmt::join(KnownExtensions(), " ")));
    script = Replace(std::move(script), "@commands@", fmt::format("{}", fmt::join(names, " ")));
    script = Replace(std::move(script), "@described@", described);
    script = Replace(std::move(script), "@cases@", cases);
    Terminal(stdout, false).Write(script);
    return kExitSuccess;
  }

 private:
  CLI::App& root_;
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> MakeCompletionCommand(CLI::App& root) {
  return std::make_unique<CompletionCommand>(root);
}

}  // namespace nexus::internal
