#include "panel/host/internal/handler_program.h"

#include <utility>

namespace nexus::internal {

std::string PlacedCode(std::string_view code, SourcePosition position) {
  std::string placed(position.line > 1 ? position.line - 1 : 0, '\n');
  placed.append(position.column > 1 ? position.column - 1 : 0, ' ');
  placed.append(code);
  return placed;
}

std::expected<ProgramPtr, Sandbox::LoadError> LoadHandler(Sandbox& sandbox,
                                                          const HandlerDefinition& handler,
                                                          const std::string& file,
                                                          const std::string& source) {
  return sandbox.Load({.name = file,
                       .text = PlacedCode(handler.code, handler.code_position),
                       .form = ProgramForm::kAuto,
                       .source_map = nullptr,
                       .author_text = source,
                       .declared = handler.requested,
                       .limits = handler.limits});
}

std::expected<ProgramPtr, Sandbox::LoadError> LoadExpression(Sandbox& sandbox,
                                                             const ComputedDefinition& computed,
                                                             const std::string& file,
                                                             const std::string& source) {
  constexpr std::string_view kBefore = "return (";
  SourcePosition position = computed.expression_position;
  const auto before = static_cast<std::uint32_t>(kBefore.size());
  position.column = position.column > before ? position.column - before : 1;
  std::string text(kBefore);
  text.append(computed.expression).append("\n);");  // A line of its own: a comment may end it.
  return sandbox.Load({.name = file,
                       .text = PlacedCode(text, position),
                       .form = ProgramForm::kBody,
                       .source_map = nullptr,
                       .author_text = source,
                       .declared = std::vector<CapabilityToken>{{"state:read", "*"}},
                       .limits = {}});
}

}  // namespace nexus::internal
