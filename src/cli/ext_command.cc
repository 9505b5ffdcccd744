// nexus ext: what the extensions offer, how each is given to programs, what its settings are.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

struct Kind {
  std::string_view name;
  std::string_view summary;
  std::string_view offer;     // How an operator gives it, on the command line.
  std::string_view settings;  // One a line.
};
constexpr std::array<Kind, 8> kKinds = {{
    {"http", "Requests to the hosts that are allowed", "--allow-host HOST",
     "allow: hosts, as --allow-host takes them\n"
     "secrets: {NAME: {env|file|value, hosts}}, used in headers as {{secret:NAME}}\n"
     "retries, timeoutMs, maxBytes, maxCalls, maxStreams, userAgent"},
    {"code", "Files of one workspace, with search", "--workspace DIR or DIR:ro",
     "root, readOnly, followLinks, maxReadBytes, maxWriteBytes"},
    {"files", "Named folders, each with its own rights",
     R"(--ext 'files={"roots": {"in": "DIR", "out": {"path": "DIR", "readOnly": false}}}')",
     "roots: {NAME: DIR or {path, readOnly}}; read-only unless said otherwise\n"
     "maxReadBytes, maxWriteBytes, maxWrittenBytes"},
    {"kv", "Small values that outlive the run", "--kv FILE, or --ext kv for memory",
     "file, namespace, maxKeys, maxBytes"},
    {"timer", "Waits that need no thread and survive restarts", "--ext timer", "file, maxWaits"},
    {"crypto", "Hashes, signatures, randomness", "--ext crypto",
     "secrets: {NAME: {env|file|value}}, used as {secret: NAME}"},
    {"llm", "Answers of language models, within budgets",
     R"(--ext 'llm={"providers": [{"format": "openai", "model": "NAME", "key": {"env": "KEY"}}]}')",
     "providers: [{name, format: openai|anthropic, url, key: {env|file|value}, model, models,\n"
     "  inputUsdPerMTok, outputUsdPerMTok, maxTokensField}], asked in this order\n"
     "runTokens, runUsd, panelDayTokens, panelDayUsd, budgetFile\n"
     "cassette, cassetteMode: record|replay\n"
     "timeoutMs, deadlineMs, maxAttempts, maxRetryWaitMs, maxTokens, maxTokensMax, maxCalls"},
    {"test", "Answers known in advance, for trying things out", "--ext test", ""},
}};

const Kind* FindKind(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const Kind& kind) { return kind.name == name; });
  return found == kKinds.end() ? nullptr : &*found;
}

// A schema as a programmer would write the type: "{url: string, headers?: object}".
std::string TypeText(const Value& schema, int depth = 0) {
  if (const Value* choices = schema.Find("enum")) {
    std::vector<std::string> texts;
    for (const Value& choice : *choices->As<ValueArray>()) texts.push_back(ToJson(choice));
    return fmt::format("{}", fmt::join(texts, "|"));
  }
  if (const Value* constant = schema.Find("const")) return ToJson(*constant);
  if (const bool* any = schema.As<bool>()) return *any ? "any" : "never";
  const Value* type = schema.Find("type");
  if (type == nullptr) return "any";
  std::vector<std::string> names;
  if (const std::string* one = type->As<std::string>()) names.push_back(*one);
  if (const ValueArray* several = type->As<ValueArray>()) {
    for (const Value& name : *several) {
      if (name != Value("null")) names.push_back(*name.As<std::string>());
    }
  }
  const Value* properties = schema.Find("properties");
  const Value* required = schema.Find("required");
  for (std::string& name : names) {
    if (name == "bytes") name = "Uint8Array";
    if (name == "date") name = "Date";
    const Value* items = schema.Find("items");
    if (name == "array" && items != nullptr) name = TypeText(*items, depth + 1) + "[]";
    if (name != "object" || properties == nullptr || depth > 1) continue;
    std::vector<std::string> members;
    for (const auto& [key, member] : *properties->As<ValueObject>()) {
      const ValueArray* needed = required == nullptr ? nullptr : required->As<ValueArray>();
      const bool must = needed != nullptr &&
                        std::find(needed->begin(), needed->end(), Value(key)) != needed->end();
      members.push_back(fmt::format("{}{}: {}", key, must ? "" : "?", TypeText(member, depth + 1)));
    }
    name = fmt::format("{{{}}}", fmt::join(members, ", "));
  }
  return fmt::format("{}", fmt::join(names, "|"));
}

std::string Signature(const Value& method) {
  std::vector<std::string> texts;
  if (const Value* parameters = method.Find("parameters")) {
    const auto needed = static_cast<std::size_t>(parameters->NumberOr("minItems", 0));
    const Value* prefix = parameters->Find("prefixItems");
    const ValueArray* list = prefix == nullptr ? nullptr : prefix->As<ValueArray>();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      texts.push_back(fmt::format("{}{}: {}", (*list)[i].StringOr("title", "value"),
                                  i < needed ? "" : "?", TypeText((*list)[i])));
    }
  }
  const Value* result = method.Find("result");
  return fmt::format("({}) -> {}", fmt::join(texts, ", "),
                     result == nullptr ? "any" : TypeText(*result));
}

Value ToValue(const Kind& kind, const Value& described) {
  ValueArray settings;
  for (const std::string_view line : Split(kind.settings, '\n')) {
    if (!line.empty()) settings.emplace_back(Trim(line));
  }
  return Value::Object({{"name", kind.name},
                        {"summary", kind.summary},
                        {"offer", kind.offer},
                        {"settings", std::move(settings)},
                        {"methods", *described.Find("methods")}});
}

class ExtCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    app_ = root.add_subcommand("ext", "Show the extensions: methods, schemas, settings");
    app_->require_subcommand(0, 1);
    list_ = app_->add_subcommand("list", "One line each");
    show_ = app_->add_subcommand("show", "One extension: its methods with their types");
    show_->add_option("NAME", name_, "As programs call it: http in $ext.http")->required();
    AddJsonFlag(*app_, json_);
    AddJsonFlag(*list_, json_);
    AddJsonFlag(*show_, json_);
    app_->footer(
        "A program calls $ext.NAME.METHOD(...) when the operator offers NAME (--ext, "
        "--allow-host,\n"
        "--workspace, --kv, or [extension.NAME] of nexus.toml) and grants it (--cap ext:NAME or\n"
        "ext:NAME.METHOD). Calls are checked against the schemas shown here before an extension\n"
        "sees them.\n"
        "Examples:\n"
        "  nexus ext                     what there is\n"
        "  nexus ext show http           methods, arguments, results, settings\n"
        "  nexus ext show llm --json     the same with JSON Schemas");
    return app_;
  }

  int Run() override {
    Result<Registry> registry = BuildShownRegistry();
    if (!registry) return FailWith(registry.error(), json_);
    const Value described = registry->Describe();
    ValueArray all;
    for (const Kind& kind : kKinds) {
      for (const Value& extension : *described.As<ValueArray>()) {
        if (extension.StringOr("name", "") == kind.name) all.push_back(ToValue(kind, extension));
      }
    }
    if (app_->got_subcommand(show_)) return Show(all);
    if (json_) {
      PrintJson(Value::Object({{"extensions", std::move(all)}}));
      return kExitSuccess;
    }
    const Terminal out(stdout);
    for (const Value& extension : all) {
      out.Line(fmt::format(
          "{}  {:<50} {} methods",
          out.Styled(Style::kBold, fmt::format("{:<7}", extension.StringOr("name", ""))),
          extension.StringOr("summary", ""), extension.Find("methods")->As<ValueArray>()->size()));
    }
    out.Line("nexus ext show NAME says more.");
    return kExitSuccess;
  }

 private:
  int Show(const ValueArray& all) const {
    for (const Value& extension : all) {
      if (extension.StringOr("name", "") != name_) continue;
      if (json_) {
        PrintJson(extension);
      } else {
        Print(extension);
      }
      return kExitSuccess;
    }
    std::vector<std::string_view> names;
    for (const Kind& kind : kKinds) names.push_back(kind.name);
    return FailWith(
        Error(Code::kNotFound, fmt::format("there is no extension '{}'{}: there are {}", name_,
                                           DidYouMean(name_, names), fmt::join(names, ", "))),
        json_);
  }

  void Print(const Value& extension) const {
    const Terminal out(stdout);
    const std::string name(extension.StringOr("name", ""));
    out.Line(fmt::format("{}: {}", out.Styled(Style::kBold, "$ext." + name),
                         extension.StringOr("summary", "")));
    out.Line(fmt::format("  offer     {}", extension.StringOr("offer", "")));
    out.Line(
        fmt::format("  grant     --cap ext:{}, or one method: --cap ext:{}.METHOD", name, name));
    for (const std::string_view line : Split(FindKind(name)->settings, '\n')) {
      if (!line.empty()) out.Line(fmt::format("  settings  {}", line));
    }
    for (const Value& method : *extension.Find("methods")->As<ValueArray>()) {
      out.Line("");
      out.Line(out.Styled(Style::kBold, std::string(method.StringOr("name", ""))) +
               Signature(method));
      std::string note = fmt::format("  {}", method.StringOr("summary", ""));
      if (method.BoolOr("idempotent", false)) note += "; made again after a crash";
      if (method.Find("pathArgument") != nullptr) {
        note +=
            fmt::format("; path grants: ext:{}.{}?path=PREFIX", name, method.StringOr("name", ""));
      }
      out.Line(note);
    }
  }

  CLI::App* app_ = nullptr;
  CLI::App* list_ = nullptr;
  CLI::App* show_ = nullptr;
  std::string name_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeExtCommand() { return std::make_unique<ExtCommand>(); }

}  // namespace nexus::internal
