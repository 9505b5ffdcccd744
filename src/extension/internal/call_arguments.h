#pragma once
/// Reads the arguments of one `$ext` call and says precisely what is wrong with them.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus::internal {

/// Borrows `call`. Every error is kInvalidArgument and reads "code.read: argument 1 (path) must be
/// a string, not number".
class CallArguments {
 public:
  explicit CallArguments(const ExtensionCall& call) : call_(call) {}

  /// "code.read": the place in messages.
  std::string Place() const;

  Result<std::string> String(std::size_t index, std::string_view name) const;
  Result<std::string> StringOr(std::size_t index, std::string_view name,
                               std::string_view otherwise) const;
  /// Undefined when the argument is absent.
  const Value& At(std::size_t index) const;

  /// The options object at `index`: absent is fine (nullptr); a member that is not one of
  /// `allowed` is an error, so that a misspelt option never goes unnoticed.
  Result<const ValueObject*> Options(std::size_t index,
                                     std::initializer_list<std::string_view> allowed) const;

 private:
  const ExtensionCall& call_;
};

/// Typed members of an options object (which may be null: every option has a default).
class OptionReader {
 public:
  OptionReader(std::string place, const ValueObject* options)
      : place_(std::move(place)), options_(options) {}

  /// A whole number in [min, max]; above max is an error, not a silent cut.
  Result<std::uint64_t> Integer(std::string_view name, std::uint64_t otherwise, std::uint64_t min,
                                std::uint64_t max) const;
  Result<bool> Bool(std::string_view name, bool otherwise) const;
  Result<std::string> String(std::string_view name, std::string_view otherwise) const;
  Result<std::optional<std::vector<std::string>>> Strings(std::string_view name) const;
  /// nullptr when absent or undefined.
  const Value* Raw(std::string_view name) const;

 private:
  std::string place_;
  const ValueObject* options_;
};

/// An Error as the answer to a call: the message becomes the exception's, the code the nearest of
/// the codes a program can branch on.
Answer ToAnswer(const Error& error);

}  // namespace nexus::internal
