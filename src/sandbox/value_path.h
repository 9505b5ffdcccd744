#pragma once
/// Writing into a value at a path, and taking such a write back: what `$state.a.b[2] = x` means
/// for whoever keeps the state.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "sandbox/run_result.h"

namespace nexus {

/// "tasks[3].title".
std::string PathText(std::string_view key, std::span<const PathStep> path);

/// Takes one write back. Good only while the container is as the write left it.
struct PathUndo {
  std::vector<PathStep> path;             ///< Not empty.
  std::optional<Value> previous;          ///< What stood at `path`; nullopt: nothing did.
  std::optional<std::size_t> array_size;  ///< Of the list written into, before.
  ValueArray tail;                        ///< What setting `length` cut off.
};

/// Sets `root` at `path` (not empty). `key` is for messages.
/// Errors: kInvalidArgument for a path through something that is no container, a property of a
/// list, or an index far behind its end; `root` is as it was.
Result<PathUndo> AssignAt(Value& root, std::string_view key, std::span<const PathStep> path,
                          Value value);
/// Removes what is at `path` (not empty); a list's element becomes null. nullopt: nothing was
/// there.
Result<std::optional<PathUndo>> EraseAt(Value& root, std::string_view key,
                                        std::span<const PathStep> path);
void Revert(Value& root, PathUndo undo);

}  // namespace nexus
