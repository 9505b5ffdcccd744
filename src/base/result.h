#pragma once
/// The one error vocabulary of the project. A function that can fail for a reason its caller may
/// act on returns Result<T>; a broken invariant is a bug and stops the process with NEXUS_CHECK.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace nexus {

/// What the caller may do about it. Details go in the message, decisions in the code, so add a
/// code only when some caller branches on it.
enum class Code : std::uint8_t {
  kInvalidArgument,    ///< The input is wrong and stays wrong: do not retry.
  kNotFound,           ///< The named thing does not exist.
  kPermissionDenied,   ///< A capability is missing. The message names it.
  kResourceExhausted,  ///< A limit was reached: retry later, or raise the limit named.
  kDeadlineExceeded,   ///< Time ran out.
  kUnavailable,        ///< The peer, the disk or the engine is away: retry.
  kDataLoss,           ///< Bytes that should be ours are corrupt, forged or of another version.
  kInternal,           ///< A bug of ours, reported instead of crashing because a user can go on.
};

/// The name of `code` as it appears in messages and JSON ("INVALID_ARGUMENT").
std::string_view CodeName(Code code);

/// An error: a code to branch on, a message for people ("place: what: what to do").
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  /// Puts the caller's view in front: "load agent 'inbox': line 4: unknown limit 'wal'".
  Error Context(std::string_view what) && {
    message_.insert(0, std::string(what) + ": ");
    return std::move(*this);
  }

 private:
  Code code_;
  std::string message_;
};

/// A value or an Error. Derived from std::expected for one reason: the standard type is not
/// [[nodiscard]], and a dropped error is the bug this project fears most.
template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

using Status = Result<void>;

inline std::unexpected<Error> Fail(Code code, std::string message) {
  return std::unexpected(Error(code, std::move(message)));
}

}  // namespace nexus

#define NEXUS_CONCAT_(a, b) a##b
#define NEXUS_CONCAT(a, b) NEXUS_CONCAT_(a, b)
/// Leaves the function with the error of `expr`, or binds its value to `decl`.
#define NEXUS_TRY(decl, expr) NEXUS_TRY_(NEXUS_CONCAT(try_, __LINE__), decl, expr)
#define NEXUS_TRY_(tmp, decl, expr)                         \
  auto tmp = (expr);                                        \
  if (!tmp) return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
/// Leaves the function with the error of `expr` (a Status); binds nothing.
#define NEXUS_TRY_STATUS(expr)                            \
  do {                                                    \
    if (auto status_ = (expr); !status_) {                \
      return std::unexpected(std::move(status_).error()); \
    }                                                     \
  } while (false)
