#pragma once
/// An extension that does nothing but answer, so that only the way to it and back is measured.

#include <utility>
#include <vector>

#include "sandbox/bindings.h"

namespace nexus::bench {

/// Methods: echo (answers its first argument at once).
class MemoryExtension final : public Extension {
 public:
  std::string_view name() const override { return "memory"; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }
  void Call(ExtensionCall call, AnswerFunction done) override {
    done(Answer::Ok(call.args.empty() ? Value() : std::move(call.args.front())));
  }

 private:
  const std::vector<MethodDescriptor> methods_ = {
      {.name = "echo", .summary = "Answers its argument", .idempotent = true, .path_argument = {}}};
};

}  // namespace nexus::bench
