#pragma once
/// Panel files as commands read them, and what is wrong with them as people and tools read it.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "cli/terminal.h"
#include "panel/nxml/nxml.h"

namespace nexus {

struct PanelFile {
  std::string name;  ///< As it was named.
  std::string source;
  NxmlReport report;
  bool ok() const { return report.panel.has_value(); }
};

/// Reads and checks one file; "-" is standard input. Errors: the file cannot be read.
Result<PanelFile> ReadPanelFile(const std::string& name);

/// The `.nxml` files that `names` stand for: files as they are, folders as all those in them,
/// sorted. Errors: kNotFound for a name that is neither, or a folder without one.
Result<std::vector<std::string>> FindPanelFiles(const std::vector<std::string>& names);

/// "file:line:column: error CODE: message" and the line with a caret, for each problem.
void PrintProblems(const PanelFile& file, const Terminal& terminal);
/// `{file, ok, errors, warnings, panel}` of contract 11.
Value CheckToJson(const PanelFile& file);
/// SARIF 2.1.0, for code hosts and editors.
Value CheckToSarif(const std::vector<PanelFile>& files);

}  // namespace nexus
