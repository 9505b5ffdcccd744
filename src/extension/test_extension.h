#pragma once
/// The extension `test`: answers that tests and benchmarks know in advance.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/bindings.h"

namespace nexus {

/// Methods: echo(value) answers at once on the calling thread; later(value, delayMs = 1) answers
/// from another thread after the delay (0: as soon as it can); fail(message) answers with an error;
/// never() answers only when its run is abandoned or the extension goes. Thread-safe.
class TestExtension final : public Extension {
 public:
  explicit TestExtension(std::string name = "test");
  ~TestExtension() override;

  std::string_view name() const override { return name_; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  class Timer;
  const std::string name_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace nexus
