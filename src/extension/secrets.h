#pragma once
/// Secrets that the host holds and programs use by name: a program writes {{secret:NAME}} and the
/// host puts the value in on the way out, so that the value is never in the sandbox, in a recording
/// or in a log.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

/// Immutable once calls use it.
class Secrets {
 public:
  /// `settings` is {NAME: {"env": VARIABLE} or {"file": PATH} or {"value": TEXT}, each with an
  /// optional "hosts": [HOST, ...]}. A file's last line end is dropped. Names are 1 to 64
  /// characters of [A-Za-z0-9_.-].
  /// Errors: kInvalidArgument, kNotFound for a variable or file that is not there.
  static Result<Secrets> Parse(const Value& settings);
  /// `hosts` are the only ones it is sent to, "example.com" or "*.example.com". Values shorter than
  /// eight bytes are refused: they could not be told from ordinary text in an answer.
  Status Add(std::string name, std::string value, std::vector<std::string> hosts);
  bool empty() const { return entries_.empty(); }

  /// Errors: kNotFound, naming those there are.
  Result<std::string_view> Find(std::string_view name) const;
  /// True when `text` names a secret, or tries to.
  static bool Mentions(std::string_view text);
  /// `text` with each {{secret:NAME}} replaced. Errors: kNotFound; kPermissionDenied for a secret
  /// that may not be sent to `host`.
  Result<std::string> Fill(std::string_view text, std::string_view host) const;
  /// The longest of the forms that Redact finds, in bytes.
  std::size_t longest_form() const;
  /// Replaces every secret in `text`, plain, as base64, percent-encoded or escaped for JSON, by its
  /// {{secret:NAME}}.
  void Redact(std::string& text) const;
  /// The same in every string, key and Uint8Array of `value`.
  void Redact(Value& value) const;

 private:
  struct Entry {
    std::string name;
    std::string value;
    std::vector<std::string> hosts;
    std::vector<std::string> forms;  // How the value can look in an answer.
  };
  std::vector<Entry> entries_;
};

}  // namespace nexus
