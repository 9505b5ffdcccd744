#pragma once
/// Panels as text: reads NXML (contract 2) into a PanelDefinition, with every error at its place,
/// and prints a definition in the canonical form.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "panel/definition.h"
#include "source/position.h"

namespace nexus {

struct NxmlProblem {
  std::string code;         ///< "UNDEFINED_TOOL_REFERENCE", ...: docs/NXML.md lists all.
  std::string message;      ///< What is wrong and what to do.
  SourcePosition position;  ///< In the file, 1-based, code points.
  std::string path;         ///< "logic/tools/addTask/handler": where in the panel.
};

struct NxmlReport {
  /// There when `errors` is empty.
  std::optional<PanelDefinition> panel;
  std::vector<NxmlProblem> errors, warnings;  ///< In the order of the file.
  // What a definition does not hold:
  std::vector<std::string> comments_before;  ///< Comments before the root element.
  SourcePosition comment;                    ///< The first within it; line 0: there is none.
};

/// Hard limits, checked while reading, so that hostile text costs no more than its allowance.
struct NxmlLimits {
  std::size_t source_bytes_max = std::size_t{4} << 20;
  std::uint32_t depth_max = 64;
  std::uint32_t elements_max = 100'000;
  std::uint32_t problems_max = 200;
};

struct NxmlOptions {
  std::string file;  ///< As errors name it; its stem is the id of a panel that has none.
  NxmlLimits limits;
};

/// Threads: pure. Never fails as a call: what is wrong is in the report.
NxmlReport ReadNxml(std::string_view source, const NxmlOptions& options = {});

/// Canonical text; ReadNxml of it gives the same definition (positions aside).
std::string PrintNxml(const PanelDefinition& panel);

}  // namespace nexus
