#pragma once
/// The tables of the journal and how they came to be, step by step.

#include "store/sqlite.h"

namespace nexus::internal {

/// Makes the tables, or brings those of an older version up to date, each step in a transaction of
/// its own. Errors: as SqliteFile's; kInvalidArgument for a file of a newer version.
Status UpgradeJournalSchema(SqliteFile& file);

}  // namespace nexus::internal
