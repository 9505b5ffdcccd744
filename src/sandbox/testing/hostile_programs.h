#pragma once
/// Programs that try to hang, outgrow or break the sandbox, with what may come of each. Tests and
/// benchmarks share the list: whatever is found later joins it.

#include <string>
#include <string_view>
#include <vector>

#include "sandbox/run_result.h"

namespace nexus::testing {

struct HostileProgram {
  std::string name;
  /// The inside of an async function; or, when `whole`, a module. It sees `$ext.memory.echo` and
  /// may read and write state and emit events.
  std::string text;
  /// The ways it may end. A wall limit may end any of them.
  std::vector<RunErrorCode> codes;
  bool may_succeed = false;  ///< It is merely large: where it ends well, nothing is wrong.
  bool whole = false;

  /// What to load, as a module.
  std::string Text() const {
    return whole ? text
                 : "export default async ({ state: $state, ext: $ext, emit: $emit, log: $log }) => "
                   "{\n" +
                       text + "\n};\n";
  }
  bool Expects(RunErrorCode code) const {
    for (const RunErrorCode one : codes) {
      if (one == code) return true;
    }
    return false;
  }
};

/// In a fixed order.
const std::vector<HostileProgram>& HostilePrograms();

}  // namespace nexus::testing
