#include "cli/panel_files.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

Value ProblemToJson(const NxmlProblem& problem) {
  return Value::Object({{"code", problem.code},
                        {"message", problem.message},
                        {"line", problem.position.line},
                        {"column", problem.position.column},
                        {"path", problem.path}});
}

ValueArray ProblemsToJson(const std::vector<NxmlProblem>& problems) {
  ValueArray list;
  for (const NxmlProblem& problem : problems) list.push_back(ProblemToJson(problem));
  return list;
}

Value PanelSummary(const PanelDefinition& panel) {
  ValueArray states, computed, tools;
  for (const StateDefinition& state : panel.states) {
    states.push_back(Value::Object({{"name", state.name}, {"type", PanelTypeName(state.type)}}));
  }
  for (const ComputedDefinition& value : panel.computed) {
    computed.push_back(Value::Object({{"name", value.name}, {"value", value.expression}}));
  }
  for (const ToolDefinition& tool : panel.tools) {
    ValueArray args, capabilities;
    for (const ArgDefinition& arg : tool.args) {
      ValueObject item;
      item.Append("name", arg.name);
      item.Append("type", PanelTypeName(arg.type));
      item.Append("required", arg.required && !arg.default_value);
      if (arg.default_value) item.Append("default", *arg.default_value);
      args.emplace_back(std::move(item));
    }
    for (const CapabilityToken& token : tool.handler.requested) {
      capabilities.emplace_back(token.ToString());
    }
    tools.push_back(Value::Object({{"name", tool.name},
                                   {"args", std::move(args)},
                                   {"capabilities", std::move(capabilities)},
                                   {"inferred", !tool.handler.declared.has_value()}}));
  }
  return Value::Object({{"id", panel.id},
                        {"title", panel.title},
                        {"states", std::move(states)},
                        {"computed", std::move(computed)},
                        {"tools", std::move(tools)}});
}

Value SarifResult(const PanelFile& file, const NxmlProblem& problem, const char* level) {
  const Value region = Value::Object({{"startLine", std::max(problem.position.line, 1u)},
                                      {"startColumn", std::max(problem.position.column, 1u)}});
  const Value location =
      Value::Object({{"physicalLocation",
                      Value::Object({{"artifactLocation", Value::Object({{"uri", file.name}})},
                                     {"region", region}})},
                     {"logicalLocations",
                      Value::Array({Value::Object({{"fullyQualifiedName", problem.path}})})}});
  return Value::Object({{"ruleId", problem.code},
                        {"level", level},
                        {"message", Value::Object({{"text", problem.message}})},
                        {"locations", Value::Array({location})}});
}

void PrintOne(const PanelFile& file, const NxmlProblem& problem, bool is_error,
              const Terminal& terminal) {
  const std::string place = file.name + ":" + std::to_string(problem.position.line) + ":" +
                            std::to_string(problem.position.column) + ": ";
  const std::string kind = is_error ? "error" : "warning";
  terminal.Line(
      place +
      (is_error ? terminal.Styled(Style::kRed, kind) : terminal.Styled(Style::kYellow, kind)) +
      " " + problem.code + ": " + problem.message);
  const std::string snippet = RenderSnippet(
      file.source, {.line = problem.position.line, .column = problem.position.column});
  if (is_error && !snippet.empty()) terminal.Line(terminal.Styled(Style::kDim, snippet));
}

}  // namespace

Result<PanelFile> ReadPanelFile(const std::string& name) {
  PanelFile file;
  file.name = name;
  if (name == "-") {
    file.source.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  } else {
    NEXUS_TRY(file.source, ReadFile(name));
  }
  // Places in a file are counted without the mark that some editors begin it with.
  if (file.source.starts_with("\xEF\xBB\xBF")) file.source.erase(0, 3);
  file.report = ReadNxml(file.source, {.file = name == "-" ? "panel" : name, .limits = {}});
  return file;
}

Result<std::vector<std::string>> FindPanelFiles(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code error;
    if (!fs::is_directory(name, error)) {
      if (name != "-" && !fs::exists(name, error)) {
        return Fail(Code::kNotFound, name + ": there is no such file: check the path");
      }
      files.push_back(name);
      continue;
    }
    std::set<std::string> inside;
    for (const fs::directory_entry& entry : fs::directory_iterator(name, error)) {
      if (entry.path().extension() == ".nxml") inside.insert(entry.path().string());
    }
    if (inside.empty()) {
      return Fail(Code::kNotFound, name + ": there is no .nxml file in this folder");
    }
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

void PrintProblems(const PanelFile& file, const Terminal& terminal) {
  for (const NxmlProblem& problem : file.report.errors) PrintOne(file, problem, true, terminal);
  for (const NxmlProblem& problem : file.report.warnings) PrintOne(file, problem, false, terminal);
}

Value CheckToJson(const PanelFile& file) {
  ValueObject object;
  object.Append("file", file.name);
  object.Append("ok", file.ok());
  object.Append("errors", ProblemsToJson(file.report.errors));
  object.Append("warnings", ProblemsToJson(file.report.warnings));
  if (file.report.panel) object.Append("panel", PanelSummary(*file.report.panel));
  return Value(std::move(object));
}

Value CheckToSarif(const std::vector<PanelFile>& files) {
  ValueArray results;
  for (const PanelFile& file : files) {
    for (const NxmlProblem& problem : file.report.errors) {
      results.push_back(SarifResult(file, problem, "error"));
    }
    for (const NxmlProblem& problem : file.report.warnings) {
      results.push_back(SarifResult(file, problem, "warning"));
    }
  }
  const Value driver = Value::Object({{"name", "nexus check"}, {"version", NEXUS_VERSION}});
  const Value run = Value::Object({{"tool", Value::Object({{"driver", driver}})},
                                   {"columnKind", "unicodeCodePoints"},
                                   {"results", std::move(results)}});
  return Value::Object({{"version", "2.1.0"},
                        {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                        {"runs", Value::Array({run})}});
}

}  // namespace nexus
