#include "sandbox/agent.h"

namespace nexus {

RunResult Agent::execute(ExecutionContext context) const {
  context.capabilities =
      context.capabilities.AttenuatedBy(CapabilitySet::Of(program_->requested_capabilities()));
  if (context.handler_name.empty()) context.handler_name = id_;
  return sandbox_.Execute(program_, std::move(context));
}

}  // namespace nexus
