#pragma once
/// TypeScript in, JavaScript out, in process: types are overwritten with white space, so every
/// remaining character keeps its line and column and no source map is needed.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/position.h"
#include "source/syntax_tree.h"

namespace nexus {

struct StrippedSource {
  std::string javascript;  ///< Same length in lines; same columns for what remains.
  /// True when something in the file cannot simply be erased (enum, namespace with values,
  /// parameter properties, `import x = require`, legacy decorators, JSX): the bundler must do it.
  bool needs_bundler = false;
  SourcePosition first_unerasable;  ///< Where, when needs_bundler.
  std::string unerasable_what;      ///< "enum", ...
};

/// Imports stay unless they say `type`: an import that is used as a type only needs the bundler,
/// which sees the other file.
/// Errors: kInvalidArgument "line:column: ..." when the file does not parse; a newer syntax than
/// the grammar knows, or JSX, looks the same: the bundler may still take it. kResourceExhausted:
/// too large. Threads: pure. Cost: one parse, about 10 MB/s.
Result<StrippedSource> StripTypes(std::string_view typescript);

struct ImportFound {
  std::string specifier;
  SourcePosition at;
  bool dynamic = false;    ///< import("x"), or a require call
  bool type_only = false;  ///< import type: erased
};

/// What a file needs and offers, from its parse tree.
struct ModuleShape {
  std::vector<ImportFound> imports;
  bool has_default_export = false;
  bool has_other_exports = false;
  /// A module (import/export at top level), else a handler body, which may use import("x") too.
  bool is_module() const {
    if (has_default_export || has_other_exports) return true;
    for (const ImportFound& found : imports) {
      if (!found.dynamic) return true;
    }
    return false;
  }
};

/// Errors: as StripTypes.
Result<ModuleShape> ReadModuleShape(std::string_view text, Language language);

}  // namespace nexus
