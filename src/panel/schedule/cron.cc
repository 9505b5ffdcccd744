#include "panel/schedule/cron.h"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <span>
#include <vector>

#include "base/text.h"

namespace nexus {
namespace {

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr int kYearsMax = 8;

struct Field {
  std::string_view name;
  int low = 0, high = 0;
  std::span<const std::string_view> names;
  int names_from = 0;
};

std::unexpected<Error> Wrong(const Field& field, std::string_view text, std::string_view why) {
  return Fail(Code::kInvalidArgument, "cron " + std::string(field.name) + " '" + std::string(text) +
                                          "': " + std::string(why) + "; it takes " +
                                          std::to_string(field.low) + "-" +
                                          std::to_string(field.high) + ", *, lists, ranges, steps");
}

std::optional<int> Number(const Field& field, std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  if (text.size() != 3) return std::nullopt;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(c | 0x20); });
  const auto at = std::find(field.names.begin(), field.names.end(), lower);
  if (at == field.names.end()) return std::nullopt;
  return static_cast<int>(at - field.names.begin()) + field.names_from;
}

// "1-5/2", "*/15", "7".
Status AddPart(const Field& field, std::string_view part, std::vector<int>& values) {
  int step = 1;
  std::string_view range = part;
  const std::size_t slash = part.find('/');
  if (slash != std::string_view::npos) {
    const auto number = Number(field, part.substr(slash + 1));
    if (!number || *number < 1) return Wrong(field, part, "the step is no number above 0");
    step = *number;
    range = part.substr(0, slash);
  }
  int low = field.low;
  int high = field.high;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    const auto first = Number(field, range.substr(0, dash));
    const auto last = dash == std::string_view::npos
                          ? (slash == std::string_view::npos ? first : std::optional(field.high))
                          : Number(field, range.substr(dash + 1));
    if (!first || !last) return Wrong(field, part, "there is no number");
    if (*first < field.low || *last > field.high || *first > *last) {
      return Wrong(field, part, "it is out of range");
    }
    low = *first;
    high = *last;
  }
  for (int value = low; value <= high; value += step) values.push_back(value);
  return {};
}

Result<std::vector<int>> ReadField(const Field& field, std::string_view text) {
  std::vector<int> values;
  for (const std::string_view part : Split(text, ',')) {
    NEXUS_TRY_STATUS(AddPart(field, part, values));
  }
  return values;
}

}  // namespace

Result<CronSchedule> CronSchedule::Parse(std::string_view expression, const std::string& timezone) {
  std::vector<std::string_view> fields;
  for (const std::string_view word : Split(expression, ' ')) {
    if (!Trim(word).empty()) fields.push_back(Trim(word));
  }
  if (fields.size() != 5) {
    return Fail(Code::kInvalidArgument, "cron '" + std::string(expression) +
                                            "': it takes five fields: minute hour day month "
                                            "weekday, for example 0 8 * * 1-5");
  }
  cctz::time_zone zone;
  if (!cctz::load_time_zone(timezone, &zone)) {
    return Fail(Code::kInvalidArgument,
                "timezone '" + timezone + "': unknown; it is an IANA name such as Europe/Berlin");
  }
  CronSchedule schedule;
  schedule.timezone_ = timezone;
  NEXUS_TRY(const auto minutes, ReadField({"minute", 0, 59, {}, 0}, fields[0]));
  NEXUS_TRY(const auto hours, ReadField({"hour", 0, 23, {}, 0}, fields[1]));
  NEXUS_TRY(const auto days, ReadField({"day", 1, 31, {}, 0}, fields[2]));
  NEXUS_TRY(const auto months, ReadField({"month", 1, 12, kMonths, 1}, fields[3]));
  NEXUS_TRY(const auto weekdays, ReadField({"weekday", 0, 7, kWeekdays, 0}, fields[4]));
  for (const int n : minutes) schedule.minutes_.set(static_cast<std::size_t>(n));
  for (const int n : hours) schedule.hours_.set(static_cast<std::size_t>(n));
  for (const int n : days) schedule.days_.set(static_cast<std::size_t>(n));
  for (const int n : months) schedule.months_.set(static_cast<std::size_t>(n));
  for (const int n : weekdays) schedule.weekdays_.set(static_cast<std::size_t>(n % 7));
  schedule.any_day_ = fields[2].starts_with('*');
  schedule.any_weekday_ = fields[4].starts_with('*');
  return schedule;
}

bool CronSchedule::DayMatches(int day_of_month, int day_of_week) const {
  const bool day = days_.test(static_cast<std::size_t>(day_of_month));
  const bool weekday = weekdays_.test(static_cast<std::size_t>(day_of_week));
  if (any_day_ || any_weekday_) return day && weekday;
  return day || weekday;
}

std::optional<std::int64_t> CronSchedule::NextAfter(std::int64_t after_unix_ms) const {
  cctz::time_zone zone;
  if (!cctz::load_time_zone(timezone_, &zone)) return std::nullopt;
  using Seconds = std::chrono::time_point<std::chrono::system_clock, cctz::seconds>;
  const std::int64_t after_s =
      after_unix_ms >= 0 ? after_unix_ms / 1000 : (after_unix_ms - 999) / 1000;
  const cctz::civil_minute start(cctz::convert(Seconds(cctz::seconds(after_s)), zone));
  const auto end_year = start.year() + kYearsMax;
  cctz::civil_day day(start);
  for (; day.year() <= end_year; ++day) {
    if (!months_.test(static_cast<std::size_t>(day.month()))) {
      day = cctz::civil_day(cctz::civil_month(day) + 1) - 1;
      continue;
    }
    const int weekday = (static_cast<int>(cctz::get_weekday(day)) + 1) % 7;  // Sunday is 0.
    if (!DayMatches(day.day(), weekday)) continue;
    for (int hour = 0; hour < 24; ++hour) {
      if (!hours_.test(static_cast<std::size_t>(hour))) continue;
      for (int minute = 0; minute < 60; ++minute) {
        if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
        const cctz::civil_minute at(day.year(), day.month(), day.day(), hour, minute);
        if (at < start) continue;
        const auto found = zone.lookup(cctz::civil_second(at));
        const auto when =
            found.kind == cctz::time_zone::civil_lookup::SKIPPED ? found.trans : found.pre;
        const std::int64_t ms = when.time_since_epoch().count() * 1000;
        if (ms > after_unix_ms) return ms;
      }
    }
  }
  return std::nullopt;
}

}  // namespace nexus
