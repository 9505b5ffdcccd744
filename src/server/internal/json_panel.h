#pragma once
/// Panels in the earlier JSON form: {kind, title?, tools: [{name, handler, trigger?, ...}],
/// initialState?}. They become NXML, so that one path checks and keeps all panels.

#include <string>

#include "base/result.h"
#include "base/value.h"

namespace nexus::internal {

/// Errors: kInvalidArgument naming the member.
Result<std::string> NxmlFromJsonPanel(const Value& body);

}  // namespace nexus::internal
