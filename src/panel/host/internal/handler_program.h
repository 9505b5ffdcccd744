#pragma once
/// From a panel's code to a compiled program whose errors name the panel file's lines.

#include <expected>
#include <string>
#include <string_view>

#include "panel/definition.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

/// `code` moved to where it stands in the file, so that line and column of an error are the
/// author's without a map: blank lines before it, and blanks before its first character.
std::string PlacedCode(std::string_view code, SourcePosition position);

/// Errors: as Sandbox::Load. `source` is the panel's whole text, for snippets.
std::expected<ProgramPtr, Sandbox::LoadError> LoadHandler(Sandbox& sandbox,
                                                          const HandlerDefinition& handler,
                                                          const std::string& file,
                                                          const std::string& source);

/// An expression over `$state` as a program that returns its value.
std::expected<ProgramPtr, Sandbox::LoadError> LoadExpression(Sandbox& sandbox,
                                                             const ComputedDefinition& computed,
                                                             const std::string& file,
                                                             const std::string& source);

}  // namespace nexus::internal
