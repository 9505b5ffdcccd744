#pragma once
/// An object's members taken out one by one, each checked; what nobody asked for is left over.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/value.h"
#include "mcp/protocol/message.h"

namespace nexus::mcp::internal {

/// The first thing that is wrong is kept, as kInvalidParams "place.name: what it must be".
class Fields {
 public:
  /// `value` that is no object is an error, undefined is an empty object.
  Fields(Value value, std::string_view place) : place_(place) {
    if (auto* object = value.As<ValueObject>()) {
      object_ = std::move(*object);
    } else if (!value.is_undefined()) {
      Wrong("", "an object");
    }
  }

  template <typename T>
  std::optional<T> Optional(std::string_view name, std::string_view what) {
    Value* const found = object_.Find(name);
    if (found == nullptr) return std::nullopt;
    T* const typed = found->As<T>();
    if (typed == nullptr) {
      Wrong(name, what);
      return std::nullopt;
    }
    std::optional<T> taken(std::move(*typed));
    object_.Erase(name);
    return taken;
  }
  template <typename T>
  T Required(std::string_view name, std::string_view what) {
    std::optional<T> taken = Optional<T>(name, what);
    if (!taken) Wrong(name, what);
    return taken ? *std::move(taken) : T();
  }
  std::string Text(std::string_view name) { return Required<std::string>(name, "a string"); }
  std::string TextOr(std::string_view name) {
    return Optional<std::string>(name, "a string").value_or(std::string());
  }
  std::optional<bool> Flag(std::string_view name) { return Optional<bool>(name, "true or false"); }
  std::optional<double> Number(std::string_view name) { return Optional<double>(name, "a number"); }
  ValueObject ObjectOr(std::string_view name) {
    return Optional<ValueObject>(name, "an object").value_or(ValueObject());
  }
  ValueArray ListOr(std::string_view name) {
    return Optional<ValueArray>(name, "a list").value_or(ValueArray());
  }
  /// Any value; undefined when absent.
  Value Any(std::string_view name) {
    Value* const found = object_.Find(name);
    if (found == nullptr) return {};
    Value taken = std::move(*found);
    object_.Erase(name);
    return taken;
  }
  bool Has(std::string_view name) const { return object_.Find(name) != nullptr; }

  void Wrong(std::string_view name, std::string_view what) {
    if (error_) return;
    std::string message(place_);
    if (!name.empty()) {
      if (!message.empty()) message += '.';
      message += name;
    }
    message += ": ";
    message += what;
    error_ = RpcError{.code = code::kInvalidParams, .message = std::move(message), .data = {}};
  }
  void Take(const RpcError& error) {
    if (!error_) error_ = error;
  }
  bool ok() const { return !error_.has_value(); }
  std::unexpected<RpcError> Failure() { return std::unexpected(*std::move(error_)); }
  /// What is left.
  ValueObject Rest() { return std::move(object_); }

 private:
  std::string_view place_;
  ValueObject object_;
  std::optional<RpcError> error_;
};

}  // namespace nexus::mcp::internal
