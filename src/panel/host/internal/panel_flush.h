#pragma once
/// What waits for the journal before anybody may see it.

#include <functional>
#include <memory>
#include <vector>

#include "panel/host/internal/live_panel.h"

namespace nexus::internal {

struct LivePanel::Flush {
  LiveRunPtr run;                       ///< nullptr: a write from outside.
  std::shared_ptr<PanelUpdate> update;  ///< nullptr: nobody watches.
  std::vector<JournalWrite> writes;
  std::uint64_t revision = 0;      ///< The newest that is told of.
  std::optional<RunResult> slice;  ///< Of a run that waits: for its observers.
  std::vector<Suspension> suspensions;
  std::uint64_t slices = 0;  ///< Of the run when this was made.
  int attempt = 0;           ///< Of the run when this was made.
  bool finished = false;
  std::function<void(Result<std::uint64_t>)> written;  ///< Of a write from outside.
};

}  // namespace nexus::internal
