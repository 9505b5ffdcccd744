#pragma once
/// Which sanitizer this code is compiled for; the few places that must tell one what it cannot see.

#if defined(__has_feature)  // clang, which all sanitizer builds use
#if __has_feature(address_sanitizer)
#define NEXUS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define NEXUS_TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__) && !defined(NEXUS_ASAN)  // g++
#define NEXUS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(NEXUS_TSAN)
#define NEXUS_TSAN 1
#endif
