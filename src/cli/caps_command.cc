// nexus caps: the rights that can be granted, and what the extensions offer.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

struct TokenForm {
  const char* form;
  const char* meaning;
};
constexpr std::array<TokenForm, 7> kForms = {{
    {"state:read:KEY", "read $state.KEY"},
    {"state:write:KEY", "set and delete $state.KEY (reading is a right of its own)"},
    {"events:emit:NAME", "$emit(\"NAME\", payload)"},
    {"view:update:ID", "$view commands to the component ID"},
    {"ext:NAME", "every method of $ext.NAME"},
    {"ext:NAME.METHOD", "one method of it"},
    {"tools:call:NAME", "$tools.NAME(args)"},
}};

class CapsCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("caps", "List the capabilities that can be granted");
    AddJsonFlag(*app, json_);
    app->footer(
        "'*' as the whole last part means all names: state:read:*, ext:*, tools:call:*.\n"
        "Conditions follow a '?': ext:code.read?path=src/&calls=10&for=5m");
    return app;
  }

  int Run() override {
    Result<Registry> registry = BuildShownRegistry();
    if (!registry) return FailWith(registry.error(), json_);
    if (json_) {
      ValueArray forms;
      for (const TokenForm& form : kForms) {
        forms.push_back(Value::Object({{"form", form.form}, {"meaning", form.meaning}}));
      }
      PrintJson(
          Value::Object({{"tokens", std::move(forms)}, {"extensions", registry->Describe()}}));
      return kExitSuccess;
    }
    const Terminal out(stdout);
    for (const TokenForm& form : kForms) {
      out.Line(fmt::format("{}  {}", out.Styled(Style::kBold, fmt::format("{:<18}", form.form)),
                           form.meaning));
    }
    for (const ExtensionBinding& binding : registry->Bindings()) {
      out.Line("");
      for (const MethodDescriptor& method : binding.extension->methods()) {
        const std::string token = fmt::format("ext:{}.{}", binding.alias, method.name);
        out.Line(fmt::format("{}  {}", out.Styled(Style::kBold, fmt::format("{:<18}", token)),
                             method.summary));
      }
    }
    return kExitSuccess;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCapsCommand() { return std::make_unique<CapsCommand>(); }

}  // namespace nexus::internal
