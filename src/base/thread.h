#pragma once
/// Names of threads, as top -H, perf and debuggers show them.

namespace nexus {

/// At most 15 bytes; the rest is cut.
void NameThisThread(const char* name);

}  // namespace nexus
