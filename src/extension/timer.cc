#include "extension/timer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "extension/internal/call_arguments.h"
#include "extension/internal/due_times.h"

namespace nexus {
namespace {

using internal::CallArguments;

constexpr double kSleepMsMax = 366.0 * 24 * 3600 * 1000;
constexpr double kUnixMsMax = 8.64e15;  // The end of JavaScript's time.

constexpr std::string_view kWaited = R"({"type": "object", "properties": {
  "dueMs": {"type": "integer", "description": "when the wait was to end, Unix milliseconds"},
  "lateMs": {"type": "integer", "description": "how much later it did"}}})";

const MethodDescriptor kMethods[] = {
    {.name = "sleep",
     .summary = "Wait for some milliseconds",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "ms", "type": "number", "minimum": 0,
       "maximum": 31622400000}], "minItems": 1})",
     .result = kWaited},
    {.name = "until",
     .summary = "Wait until a moment: Date, Unix milliseconds or ISO 8601 text",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "date", "type": ["date", "number", "string"]}],
       "minItems": 1})",
     .result = kWaited},
};

bool ReadDigits(std::string_view text, std::size_t at, std::size_t count, int& out) {
  if (text.size() < at + count) return false;
  const char* end = text.data() + at + count;
  const auto read = std::from_chars(text.data() + at, end, out);
  return read.ec == std::errc() && read.ptr == end && text[at] != '-';
}

// "2030-01-01T00:00:00[.sss]" with "Z" or "+hh:mm". A time without a zone would mean another moment
// on another machine, so it is refused.
std::optional<double> ParseIso(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool shaped = ReadDigits(text, 0, 4, year) && ReadDigits(text, 5, 2, month) &&
                      ReadDigits(text, 8, 2, day) && ReadDigits(text, 11, 2, hour) &&
                      ReadDigits(text, 14, 2, minute) && ReadDigits(text, 17, 2, second) &&
                      text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' &&
                      text[16] == ':';
  if (!shaped || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  double fraction_ms = 0;
  if (at < text.size() && text[at] == '.') {
    double unit = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      fraction_ms += (text[at] - '0') * unit;
    }
  }
  const std::string_view zone = text.substr(at);
  int zone_hours = 0, zone_minutes = 0;
  if (zone != "Z") {
    const bool offset = zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':' &&
                        ReadDigits(zone, 1, 2, zone_hours) && ReadDigits(zone, 4, 2, zone_minutes);
    if (!offset || zone_hours > 23 || zone_minutes > 59) return std::nullopt;
  }
  const int offset_minutes = (zone_hours * 60 + zone_minutes) * (zone[0] == '-' ? -1 : 1);
  const double days = static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
  const double minutes = days * 1440 + hour * 60 + minute - offset_minutes;
  return minutes * 60'000 + second * 1000 + std::floor(fraction_ms);
}

Result<std::int64_t> ReadMoment(const CallArguments& arguments) {
  const Value& value = arguments.At(0);
  std::optional<double> unix_ms;
  if (const Date* date = value.As<Date>()) unix_ms = date->unix_ms;
  if (const double* number = value.As<double>()) unix_ms = *number;
  if (const std::string* text = value.As<std::string>()) unix_ms = ParseIso(*text);
  if (unix_ms && std::isfinite(*unix_ms) && std::abs(*unix_ms) <= kUnixMsMax) {
    return static_cast<std::int64_t>(*unix_ms);
  }
  return Fail(Code::kInvalidArgument,
              arguments.Place() +
                  ": argument 1 (date) must be a valid Date, Unix milliseconds, or text such as "
                  "\"2030-01-31T12:00:00Z\" with its zone");
}

Result<std::int64_t> ReadSpan(const CallArguments& arguments) {
  const double* ms = arguments.At(0).As<double>();
  if (ms != nullptr && *ms >= 0 && *ms <= kSleepMsMax) {
    return static_cast<std::int64_t>(std::ceil(*ms));
  }
  return Fail(Code::kInvalidArgument,
              fmt::format("{}: argument 1 (ms) must be a number from 0 to {:.0f} (366 days)",
                          arguments.Place(), kSleepMsMax));
}

}  // namespace

// The waits, ordered by the monotonic time they end at. Answers are given outside the lock.
class TimerExtension::Wheel {
 public:
  Wheel(TimerOptions options, internal::DueTimes times)
      : options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
        times_(std::move(times)) {}
  ~Wheel();

  Result<std::int64_t> DueOfSleep(const std::string& key, std::int64_t span_ms);
  void Add(std::int64_t due_unix_ms, bool wall_clock, std::string run_id, AnswerFunction done);
  void Abandon(std::string_view run_id);

 private:
  struct Wait {
    std::int64_t due_unix_ms;
    bool wall_clock;  // Follows the wall clock when someone sets it.
    std::string run_id;
    AnswerFunction done;
  };
  using Waits = std::multimap<std::int64_t, Wait>;  // By monotonic milliseconds.

  std::int64_t MonotonicMs() const {
    return static_cast<std::int64_t>(clock_.MonotonicNs() / 1'000'000);
  }
  void Loop();
  void FollowWallClock();
  void Forget(Waits::iterator wait);
  Answer Woken(const Wait& wait) const;

  const TimerOptions options_;
  const SystemClock system_clock_;
  const Clock& clock_;
  std::mutex times_mutex_;
  internal::DueTimes times_;  // guarded by times_mutex_

  std::mutex mutex_;
  std::condition_variable changed_;
  Waits waits_;                                                   // guarded by mutex_
  std::unordered_multimap<std::string, Waits::iterator> of_run_;  // guarded by mutex_
  std::int64_t offset_ms_ = 0;  // guarded by mutex_: wall minus monotonic, as last seen
  bool stopping_ = false;       // guarded by mutex_
  std::thread thread_;          // guarded by mutex_ until joined
};

TimerExtension::Wheel::~Wheel() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (auto& [when, wait] : waits_) {
    wait.done(Answer::Failed("timer: the host is shutting down", RunErrorCode::kUnavailable));
  }
}

Result<std::int64_t> TimerExtension::Wheel::DueOfSleep(const std::string& key,
                                                       std::int64_t span_ms) {
  const std::int64_t now = clock_.UnixMs();
  if (key.empty()) return now + span_ms;
  const std::scoped_lock lock(times_mutex_);
  return times_.KeepFirst(key, now + span_ms, now - options_.kept_ms);
}

Answer TimerExtension::Wheel::Woken(const Wait& wait) const {
  const std::int64_t late = std::max<std::int64_t>(0, clock_.UnixMs() - wait.due_unix_ms);
  return Answer::Ok(Value::Object({{"dueMs", wait.due_unix_ms}, {"lateMs", late}}));
}

void TimerExtension::Wheel::Add(std::int64_t due_unix_ms, bool wall_clock, std::string run_id,
                                AnswerFunction done) {
  Wait wait{due_unix_ms, wall_clock, std::move(run_id), std::move(done)};
  const std::int64_t left = due_unix_ms - clock_.UnixMs();
  if (left <= 0) return wait.done(Woken(wait));
  {
    const std::scoped_lock lock(mutex_);
    if (waits_.size() < options_.waits_max) {
      if (!thread_.joinable()) {
        offset_ms_ = clock_.UnixMs() - MonotonicMs();
        thread_ = std::thread([this] { Loop(); });
      }
      const auto added = waits_.emplace(MonotonicMs() + left, std::move(wait));
      of_run_.emplace(added->second.run_id, added);
      if (added == waits_.begin()) changed_.notify_all();
      return;
    }
  }
  wait.done(Answer::Failed(fmt::format("timer: {} calls are waiting already: wait for fewer at "
                                       "once, or later",
                                       options_.waits_max),
                           RunErrorCode::kOverloaded));
}

// Drops the entry in of_run_ that points at `wait`. With the lock.
void TimerExtension::Wheel::Forget(Waits::iterator wait) {
  auto [first, last] = of_run_.equal_range(wait->second.run_id);
  for (; first != last; ++first) {
    if (first->second != wait) continue;
    of_run_.erase(first);
    return;
  }
}

void TimerExtension::Wheel::Abandon(std::string_view run_id) {
  std::vector<Wait> dropped;
  {
    const std::scoped_lock lock(mutex_);
    auto [first, last] = of_run_.equal_range(std::string(run_id));
    for (auto it = first; it != last; ++it) {
      dropped.push_back(std::move(it->second->second));
      waits_.erase(it->second);
    }
    of_run_.erase(first, last);
  }
  for (Wait& wait : dropped) {
    wait.done(Answer::Failed("timer: the run is gone", RunErrorCode::kCancelled));
  }
}

// Someone set the wall clock: the waits for a moment on it move. With the lock.
void TimerExtension::Wheel::FollowWallClock() {
  const std::int64_t offset = clock_.UnixMs() - MonotonicMs();
  // Less is the noise of reading two clocks one after the other, and the slow steering of NTP.
  if (std::llabs(offset - offset_ms_) < 20) return;
  offset_ms_ = offset;
  Waits moved;
  for (auto it = waits_.begin(); it != waits_.end();) {
    const auto next = std::next(it);
    if (it->second.wall_clock) {
      Forget(it);
      auto node = waits_.extract(it);
      node.key() = node.mapped().due_unix_ms - offset;
      moved.insert(std::move(node));
    }
    it = next;
  }
  while (!moved.empty()) {
    const auto back = waits_.insert(moved.extract(moved.begin()));
    of_run_.emplace(back->second.run_id, back);
  }
}

void TimerExtension::Wheel::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waits_.empty()) {
      changed_.wait(lock);
      continue;
    }
    FollowWallClock();
    const std::int64_t left = waits_.begin()->first - MonotonicMs();
    if (left > 0) {
      changed_.wait_for(lock,
                        std::chrono::milliseconds(std::min<std::int64_t>(left, options_.check_ms)));
      continue;
    }
    Forget(waits_.begin());
    Wait wait = std::move(waits_.extract(waits_.begin()).mapped());
    lock.unlock();
    wait.done(Woken(wait));
    lock.lock();
  }
}

TimerExtension::TimerExtension(std::unique_ptr<Wheel> wheel) : wheel_(std::move(wheel)) {}
TimerExtension::~TimerExtension() = default;

Result<std::shared_ptr<TimerExtension>> TimerExtension::Create(TimerOptions options) {
  NEXUS_TRY(internal::DueTimes times, internal::DueTimes::Open(options.file));
  return std::shared_ptr<TimerExtension>(
      new TimerExtension(std::make_unique<Wheel>(std::move(options), std::move(times))));
}

std::span<const MethodDescriptor> TimerExtension::methods() const { return kMethods; }

void TimerExtension::Call(ExtensionCall call, AnswerFunction done) {
  const CallArguments arguments(call);
  const bool sleeps = call.method == "sleep";
  Result<std::int64_t> due = 0;
  if (sleeps) {
    due = ReadSpan(arguments);
    if (due) due = wheel_->DueOfSleep(call.idempotency_key, *due);
  } else {
    due = ReadMoment(arguments);
  }
  if (!due) return done(internal::ToAnswer(due.error()));
  wheel_->Add(*due, !sleeps, std::move(call.run_id), std::move(done));
}

void TimerExtension::Abandon(std::string_view run_id) { wheel_->Abandon(run_id); }

}  // namespace nexus
