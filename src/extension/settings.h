#pragma once
/// The settings of one extension, from `--ext NAME=JSON` or `[extension.NAME]` of nexus.toml, read
/// with errors that say where each stands.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "extension/secrets.h"

namespace nexus {

/// An object of settings. Every reader leaves its output alone when the setting is absent, and
/// fails with kInvalidArgument "PLACE: setting 'providers[0].url' must be a string".
class ExtensionSettings {
 public:
  /// Where the setting of that path stands: "--ext llm", "nexus.toml:12:1".
  using Place = std::function<std::string(const std::string& path)>;

  ExtensionSettings(Place place, ValueObject values, std::string path = {})
      : place_(std::move(place)), values_(std::move(values)), path_(std::move(path)) {}

  Status CheckNames(std::span<const std::string_view> known) const;
  /// nullptr when absent.
  const Value* Find(std::string_view key) const { return values_.Find(key); }
  bool empty() const { return values_.empty(); }

  Status Read(std::string_view key, std::string& out) const;
  Status Read(std::string_view key, bool& out) const;
  Status Read(std::string_view key, std::vector<std::string>& out) const;
  /// Any number from `least` to `most`.
  Status Read(std::string_view key, double& out, double least, double most) const;
  /// A whole number from 1 to 1e12.
  template <typename Number>
  Status ReadNumber(std::string_view key, Number& out) const {
    double number = static_cast<double>(out);
    NEXUS_TRY_STATUS(ReadWhole(key, number));
    out = static_cast<Number>(number);
    return {};
  }
  /// As Secrets::Parse.
  Status Read(std::string_view key, Secrets& out) const;

  /// The setting `key` as settings of its own: an object; empty when absent.
  Result<ExtensionSettings> Table(std::string_view key) const;
  /// The objects of a list; empty when absent.
  Result<std::vector<ExtensionSettings>> Tables(std::string_view key) const;
  /// Every member of this object with its own name: {"a": {...}} is a table named "a".
  const ValueObject& values() const { return values_; }

  /// Where the setting `key` stands, for other messages about it.
  std::string PlaceOf(std::string_view key) const { return place_(PathOf(key)); }
  /// The error that setting `key` is wrong: `what` is "must be ...". "" stands for the whole.
  std::unexpected<Error> Wrong(std::string_view key, std::string_view what) const;

 private:
  Status ReadWhole(std::string_view key, double& out) const;
  std::string PathOf(std::string_view key) const;

  Place place_;
  ValueObject values_;
  std::string path_;
};

}  // namespace nexus
