#pragma once
/// Calls an extension and waits for its answer, for tests.

#include <future>
#include <string>
#include <utility>

#include "sandbox/bindings.h"

namespace nexus::internal {

inline std::future<Answer> CallLater(Extension& extension, std::string method, ValueArray args,
                                     std::string run_id = "run", std::string key = {},
                                     std::string panel_id = {}) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = promise->get_future();
  ExtensionCall call{.run_id = std::move(run_id),
                     .suspension_id = "s1",
                     .extension = std::string(extension.name()),
                     .method = std::move(method),
                     .args = std::move(args),
                     .idempotency_key = std::move(key),
                     .panel_id = std::move(panel_id)};
  extension.Call(std::move(call),
                 [promise](Answer given) { promise->set_value(std::move(given)); });
  return answer;
}

inline Answer CallNow(Extension& extension, std::string method, ValueArray args) {
  return CallLater(extension, std::move(method), std::move(args)).get();
}

}  // namespace nexus::internal
