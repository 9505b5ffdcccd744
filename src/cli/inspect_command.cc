// nexus inspect FILE: what a program will ask for and cost, without running it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>

#include "capability/inference.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/output.h"
#include "cli/prepare.h"
#include "source/source_map.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus inspect agent.ts
  nexus inspect agent.ts --json | jq -r '.capabilities[].token'
The program's top level runs (without any right), its handler does not.)";

constexpr std::size_t kPageBytes = 4096;
// What every instance costs beside its image: engine structures and the pages any run writes.
constexpr std::size_t kInstanceBytes = 280 * 1024;

class InspectCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand(
        "inspect", "Show what a program will ask for and cost, without running it");
    app->add_option("FILE", file_, "The program")->required();
    AddCacheDir(*app, places_);
    AddJsonFlag(*app, json_);
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
    if (!sandbox) return FailWith(sandbox.error(), json_);
    auto prepared = PrepareFile(file_, BundlingAt(places_));
    if (!prepared)
      return FailWith(std::move(prepared.error().error), prepared.error().exit_code, json_);
    auto program = (*sandbox)->Load(prepared->spec);
    if (!program) {
      const int exit_code = ExitCodeOf(program.error().error.code);
      return FailWith(std::move(program.error().error), exit_code, json_);
    }
    const Result<Inference> inference = InferCapabilities(prepared->spec.text);
    if (!inference) return FailWith(inference.error(), json_);
    if (json_) {
      PrintJson(Describe(*prepared, **program, *inference));
    } else {
      Print(*prepared, **program, *inference);
    }
    return kExitSuccess;
  }

 private:
  // A place in the author's file.
  static Value Place(const PreparedProgram& prepared, SourcePosition at) {
    std::string file = prepared.spec.name;
    if (prepared.spec.source_map != nullptr) {
      const OriginalPosition original = prepared.spec.source_map->Find(at);
      if (original.at.known()) {
        at = original.at;
        file = original.file;
      }
    }
    return Value::Object({{"file", file}, {"line", at.line}, {"column", at.column}});
  }

  static Value Describe(const PreparedProgram& prepared, const Program& program,
                        const Inference& inference) {
    ValueArray capabilities;
    for (const InferredCapability& capability : inference.capabilities) {
      capabilities.push_back(Value::Object({{"token", capability.token.ToString()},
                                            {"firstUse", Place(prepared, capability.first_use)}}));
    }
    ValueArray dynamic_uses;
    for (const DynamicUse& use : inference.dynamic_uses) {
      dynamic_uses.push_back(Value::Object({{"what", use.what}, {"at", Place(prepared, use.at)}}));
    }
    std::set<std::string> imports;
    for (const ImportFound& import : prepared.imports) imports.insert(import.specifier);
    ValueArray import_names;
    for (const std::string& name : imports) import_names.push_back(name);
    const LoadReport& report = program.load_report();
    return Value::Object(
        {{"file", prepared.spec.name},
         {"form", prepared.is_module ? "module" : "body"},
         {"bundled", prepared.bundled},
         {"imports", std::move(import_names)},
         {"inputFiles", prepared.inputs.size()},
         {"capabilities", std::move(capabilities)},
         {"dynamicUses", std::move(dynamic_uses)},
         {"bytes", Value::Object({{"source", prepared.source.size()},
                                  {"javascript", prepared.spec.text.size()},
                                  {"bytecode", report.bytecode_bytes},
                                  {"image", report.image_pages * kPageBytes}})},
         {"timesUs", Value::Object({{"prepare", static_cast<double>(prepared.took.count())},
                                    {"compile", report.compilation_us},
                                    {"image", report.image_us}})},
         {"cacheHit", report.cache_hit},
         {"estimate",
          Value::Object({{"memoryBytes", report.image_pages * kPageBytes + kInstanceBytes},
                         {"firstStartUs",
                          static_cast<double>(prepared.took.count()) +
                              static_cast<double>(report.compilation_us + report.image_us)}})},
         {"key", program.key()},
         {"imageHash", program.image_hash()}});
  }

  static std::string PlaceText(const Value& place) {
    return fmt::format("{}:{}:{}", place.StringOr("file", ""), place.NumberOr("line", 0),
                       place.NumberOr("column", 0));
  }

  void Print(const PreparedProgram& prepared, const Program& program,
             const Inference& inference) const {
    const Terminal out(stdout);
    const Value facts = Describe(prepared, program, inference);
    const auto row = [&](std::string_view name, const std::string& text) {
      out.Line(fmt::format("{} {}", out.Styled(Style::kBold, fmt::format("{:<13}", name)), text));
    };
    row("file",
        fmt::format("{} ({}{})", prepared.spec.name, prepared.is_module ? "module" : "handler body",
                    prepared.bundled
                        ? fmt::format(", bundled from {} files", prepared.inputs.size())
                        : ""));
    std::vector<std::string> imports;
    for (const Value& name : *facts.Find("imports")->As<ValueArray>())
      imports.push_back(*name.As<std::string>());
    if (!imports.empty()) row("imports", fmt::format("{}", fmt::join(imports, ", ")));
    std::string command = fmt::format("nexus run {}", prepared.spec.name);
    if (inference.capabilities.empty()) row("capabilities", "none");
    std::set<std::string> options;
    bool first = true;
    for (const Value& capability : *facts.Find("capabilities")->As<ValueArray>()) {
      const std::string token(capability.StringOr("token", ""));
      row(first ? "capabilities" : "",
          fmt::format("{:<28} {}", token,
                      out.Styled(Style::kDim, PlaceText(*capability.Find("firstUse")))));
      first = false;
      if (token.starts_with("state:")) {
        options.insert("--state '{}'");  // Grants both rights, and there is something to read.
        continue;
      }
      if (token.starts_with("ext:code")) options.insert("--workspace .");
      if (token.starts_with("ext:http")) options.insert("--allow-host HOST");
      command += " --cap " + token;
    }
    for (const std::string& option : options) command += " " + option;
    for (const Value& use : *facts.Find("dynamicUses")->As<ValueArray>()) {
      row("dynamic use", fmt::format("{} at {}: its token must be granted by hand",
                                     use.StringOr("what", ""), PlaceText(*use.Find("at"))));
    }
    const LoadReport& report = program.load_report();
    row("size",
        fmt::format("source {}, JavaScript {}, bytecode {}, image {}",
                    FormatBytes(prepared.source.size()), FormatBytes(prepared.spec.text.size()),
                    FormatBytes(report.bytecode_bytes),
                    FormatBytes(report.image_pages * kPageBytes)));
    row("compile", report.cache_hit
                       ? std::string("in the cache")
                       : fmt::format("{}, image {}", FormatDuration(report.compilation_us),
                                     FormatDuration(report.image_us)));
    row("estimate", fmt::format("an instance takes about {}; the first start took {}",
                                FormatBytes(static_cast<unsigned long long>(
                                    facts.Find("estimate")->NumberOr("memoryBytes", 0))),
                                FormatDuration(static_cast<unsigned long long>(
                                    facts.Find("estimate")->NumberOr("firstStartUs", 0)))));
    row("run it", command);
  }

  std::string file_;
  Places places_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInspectCommand() { return std::make_unique<InspectCommand>(); }

}  // namespace nexus::internal
