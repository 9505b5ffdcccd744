#pragma once
/// When a cron expression is due next.

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nexus {

/// Five fields: minute, hour, day of month, month, day of week (0-7, names allowed), each `*`,
/// numbers, ranges, steps and lists (POSIX crontab and the steps everyone has). Where both days are
/// restricted, either is enough, as in cron. Immutable, thread-safe.
class CronSchedule {
 public:
  /// `timezone`: an IANA name. Errors: kInvalidArgument with the field that is wrong.
  static Result<CronSchedule> Parse(std::string_view expression, const std::string& timezone);

  /// The first due time after `after_unix_ms`; nullopt when there is none in eight years (the 30th
  /// of February). A local time that a clock change skips is due when the clock has passed it; one
  /// that comes twice is due once.
  std::optional<std::int64_t> NextAfter(std::int64_t after_unix_ms) const;

 private:
  CronSchedule() = default;
  bool DayMatches(int day_of_month, int day_of_week) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = false, any_weekday_ = false;
  std::string timezone_;
};

}  // namespace nexus
