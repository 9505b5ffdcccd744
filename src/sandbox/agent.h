#pragma once
/// The names of the seed's class diagram: Agent, CapabilityToken{type, scope}, execute(context).

#include <memory>
#include <string>
#include <vector>

#include "capability/set.h"
#include "sandbox/sandbox.h"

namespace nexus {

/// A program with an identity, a role and the rights it declares. Immutable; thread-safe.
class Agent {
 public:
  /// Borrows `sandbox` for its lifetime.
  Agent(Sandbox& sandbox, std::string id, std::string role, ProgramPtr program)
      : sandbox_(sandbox),
        id_(std::move(id)),
        role_(std::move(role)),
        program_(std::move(program)) {}

  const std::string& id() const { return id_; }
  const std::string& role() const { return role_; }
  /// What the agent asks for; what it gets is the context's grant.
  const std::vector<CapabilityToken>& capabilities() const {
    return program_->requested_capabilities();
  }
  const ProgramPtr& program() const { return program_; }

  /// Runs once, in a fresh instance. The rights are those the agent declares AND the context
  /// grants.
  RunResult execute(ExecutionContext context) const;

 private:
  Sandbox& sandbox_;
  std::string id_;
  std::string role_;
  ProgramPtr program_;
};

}  // namespace nexus
