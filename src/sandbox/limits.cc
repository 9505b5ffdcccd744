#include "sandbox/limits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "base/text.h"

namespace nexus {
namespace {

enum class Kind : std::uint8_t { kBytes, kMilliseconds, kCount };

struct LimitFacts {
  std::string_view name;
  Kind kind;
  std::uint64_t standard;  ///< The default; kNoLimit: none unless named.
  bool may_be_none;
};

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

// In the order of enum Limit.
constexpr LimitFacts kFacts[kLimitCount] = {
    {"memory", Kind::kBytes, 32 * kMiB, false},  {"stack", Kind::kBytes, 1 * kMiB, false},
    {"wall", Kind::kMilliseconds, 5000, true},   {"deadline", Kind::kMilliseconds, kNoLimit, true},
    {"cpu", Kind::kMilliseconds, 5000, true},    {"hostCalls", Kind::kCount, 10000, false},
    {"mutations", Kind::kCount, 1000, false},    {"events", Kind::kCount, 100, false},
    {"viewCommands", Kind::kCount, 100, false},  {"log", Kind::kBytes, 256 * kKiB, false},
    {"result", Kind::kBytes, 1 * kMiB, false},   {"suspensions", Kind::kCount, 64, false},
    {"snapshot", Kind::kBytes, 8 * kMiB, false},
};

const LimitFacts& FactsOf(Limit limit) { return kFacts[static_cast<std::size_t>(limit)]; }

struct Unit {
  std::string_view suffix;
  double factor;
};
constexpr Unit kByteUnits[] = {
    {"", 1},     {"B", 1},       {"KiB", 1024},      {"MiB", 1048576}, {"GiB", 1073741824.0},
    {"K", 1024}, {"M", 1048576}, {"G", 1073741824.0}};
constexpr Unit kTimeUnits[] = {{"", 1},      {"ms", 1},      {"s", 1000},
                               {"m", 60000}, {"min", 60000}, {"h", 3600000}};
constexpr Unit kCountUnits[] = {{"", 1}};

std::span<const Unit> UnitsOf(Kind kind) {
  switch (kind) {
    case Kind::kBytes:
      return kByteUnits;
    case Kind::kMilliseconds:
      return kTimeUnits;
    case Kind::kCount:
      break;
  }
  return kCountUnits;
}

std::string_view FormOf(Kind kind) {
  switch (kind) {
    case Kind::kBytes:
      return "a size such as 64KiB or 32MiB";
    case Kind::kMilliseconds:
      return "a time such as 100ms, 2s or 5m";
    case Kind::kCount:
      break;
  }
  return "a whole number";
}

Status BadValue(const LimitFacts& facts, std::string_view text, std::string_view why) {
  return Fail(Code::kInvalidArgument, "limit " + std::string(facts.name) + "=" + std::string(text) +
                                          ": " + std::string(why) + ": write " +
                                          std::string(FormOf(facts.kind)) +
                                          (facts.may_be_none ? " or none" : ""));
}

Result<Limit> FindLimit(std::string_view name) {
  if (name == "timeout") return Limit::kWall;
  std::vector<std::string_view> names;
  for (int i = 0; i < kLimitCount; ++i) {
    if (kFacts[i].name == name) return static_cast<Limit>(i);
    names.push_back(kFacts[i].name);
  }
  std::string message = "limit " + std::string(name) + ": there is no such limit";
  if (const auto near = NearestName(name, names)) {
    message += ": did you mean " + std::string(*near) + "?";
  } else {
    message += ": the limits are";
    for (const std::string_view known : names) message += " " + std::string(known);
  }
  return Fail(Code::kInvalidArgument, std::move(message));
}

}  // namespace

std::string_view LimitName(Limit limit) { return FactsOf(limit).name; }

std::string_view LimitUnit(Limit limit) {
  switch (FactsOf(limit).kind) {
    case Kind::kBytes:
      return "bytes";
    case Kind::kMilliseconds:
      return "ms";
    case Kind::kCount:
      break;
  }
  return "";
}

Status Limits::Set(std::string_view name, std::string_view text) {
  NEXUS_TRY(const Limit limit, FindLimit(name));
  const LimitFacts& facts = FactsOf(limit);
  if (text == "none") {
    if (!facts.may_be_none) return BadValue(facts, text, "this limit cannot be taken away");
    Set(limit, kNoLimit);
    return {};
  }
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || !std::isfinite(number)) return BadValue(facts, text, "not a number");
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const std::span<const Unit> units = UnitsOf(facts.kind);
  const auto unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.suffix == suffix; });
  if (unit == units.end()) return BadValue(facts, text, "unknown unit");
  const double value = std::floor(number * unit->factor);
  if (value < 1) return BadValue(facts, text, "0 is not a limit (and does not mean unlimited)");
  if (value > 9e15) return BadValue(facts, text, "too large");
  Set(limit, static_cast<std::uint64_t>(value));
  return {};
}

Result<Limits> Limits::FromValue(const Value& value) {
  const ValueObject* object = value.As<ValueObject>();
  if (object == nullptr) {
    return Fail(Code::kInvalidArgument,
                "limits: expected an object such as {\"wall\": \"100ms\"}, got " +
                    std::string(value.TypeName()));
  }
  Limits limits;
  for (const auto& [name, entry] : *object) {
    std::string text;
    if (const std::string* s = entry.As<std::string>()) {
      text = *s;
    } else if (const double* n = entry.As<double>()) {
      char buffer[32];
      const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), *n);
      text.assign(buffer, end);
    } else {
      return Fail(Code::kInvalidArgument, "limit " + name +
                                              ": expected a number or a string, got " +
                                              std::string(entry.TypeName()));
    }
    NEXUS_TRY_STATUS(limits.Set(name, text));
  }
  return limits;
}

Limits Limits::LowestWith(const Limits& other) const {
  Limits lowest = *this;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!other.values_[i]) continue;
    lowest.values_[i] = values_[i] ? std::min(*values_[i], *other.values_[i]) : other.values_[i];
  }
  return lowest;
}

ResolvedLimits::ResolvedLimits(const Limits& named) {
  for (int i = 0; i < kLimitCount; ++i) {
    values_[static_cast<std::size_t>(i)] =
        named.Get(static_cast<Limit>(i)).value_or(kFacts[i].standard);
  }
}

std::string FormatLimit(Limit limit, std::uint64_t value) {
  if (value == kNoLimit) return "none";
  const LimitFacts& facts = FactsOf(limit);
  if (facts.kind == Kind::kBytes) {
    if (value % kMiB == 0) return std::to_string(value / kMiB) + " MiB";
    if (value % kKiB == 0) return std::to_string(value / kKiB) + " KiB";
    return std::to_string(value) + " bytes";
  }
  if (facts.kind == Kind::kMilliseconds) return std::to_string(value) + " ms";
  return std::to_string(value);
}

}  // namespace nexus
