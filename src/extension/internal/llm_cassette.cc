#include "extension/internal/llm_cassette.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

// Members in the order of their names, so that one request has one hash whoever wrote it.
Value Sorted(const Value& value) {
  if (const ValueArray* list = value.As<ValueArray>()) {
    ValueArray sorted;
    for (const Value& item : *list) sorted.push_back(Sorted(item));
    return sorted;
  }
  const ValueObject* object = value.As<ValueObject>();
  if (object == nullptr) return value;
  ValueObject sorted;
  for (const auto& [key, member] : *object) sorted.Append(key, Sorted(member));
  std::sort(sorted.entries().begin(), sorted.entries().end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return sorted;
}

std::string KeyOf(const Value& request) { return Sha256Hex(ToJson(Sorted(request))); }

}  // namespace

Result<std::unique_ptr<LlmCassette>> LlmCassette::Open(std::string file, CassetteMode mode) {
  std::unique_ptr<LlmCassette> cassette(new LlmCassette(std::move(file), mode));
  if (mode == CassetteMode::kReplay) NEXUS_TRY_STATUS(cassette->ReadAll());
  return cassette;
}

Status LlmCassette::ReadAll() {
  NEXUS_TRY(const std::string text, ReadFile(file_, kFileBytesMax));
  std::size_t number = 0;
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    if (Trim(line).empty()) continue;
    const Result<Value> entry = ParseJson(line);
    const Value* request = entry ? entry->Find("request") : nullptr;
    const Value* answer = entry ? entry->Find("answer") : nullptr;
    if (request == nullptr || answer == nullptr || answer->As<ValueObject>() == nullptr) {
      return Fail(Code::kDataLoss, fmt::format("{}:{}: is no recorded exchange: {}", file_, number,
                                               entry ? "it needs \"request\" and \"answer\""
                                                     : std::string_view(entry.error().message())));
    }
    answers_[KeyOf(*request)].in_order.push_back(*answer);
  }
  return {};
}

Result<Value> LlmCassette::Find(const Value& request) {
  const std::scoped_lock lock(mutex_);
  const auto found = answers_.find(KeyOf(request));
  if (found == answers_.end()) {
    return Fail(
        Code::kNotFound,
        fmt::format("the cassette '{}' holds no answer to this request: record it once with "
                    "cassetteMode \"record\"",
                    file_));
  }
  Answers& answers = found->second;
  const std::size_t now = std::min(answers.next, answers.in_order.size() - 1);
  ++answers.next;
  return answers.in_order[now];
}

Status LlmCassette::Record(const Value& request, const Value& answer) {
  const std::string line = ToJson(Value::Object({{"request", request}, {"answer", answer}})) + '\n';
  const std::scoped_lock lock(mutex_);
  std::ofstream out(file_, std::ios::app | std::ios::binary);
  out << line << std::flush;
  if (out) return {};
  return Fail(
      Code::kUnavailable,
      fmt::format("the cassette '{}' cannot be written: check its folder and the disk", file_));
}

}  // namespace nexus::internal
