#pragma once
/// Invariants. NEXUS_CHECK stays on in every build: a sandbox that goes on after a broken
/// invariant is not a sandbox.

#include <string_view>

namespace nexus {

/// Prints "file:line: check failed: condition: why" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view why);

}  // namespace nexus

#define NEXUS_CHECK(condition, ...)                                         \
  do {                                                                      \
    if (!(condition)) [[unlikely]] {                                        \
      ::nexus::CheckFailed(__FILE__, __LINE__, #condition, "" __VA_ARGS__); \
    }                                                                       \
  } while (false)
