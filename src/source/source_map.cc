#include "source/source_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"

namespace nexus {
namespace {

constexpr std::array<std::int8_t, 256> kDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return digits;
}();

std::unexpected<Error> Bad(std::string_view why) {
  return Fail(Code::kInvalidArgument, fmt::format("source map: {}", why));
}

/// One VLQ number from the front of `text`; false when malformed or beyond 32 bits.
bool ReadVlq(std::string_view& text, std::int64_t& number) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 7 && i < text.size(); ++i) {
    const std::int8_t digit = kDigits[static_cast<unsigned char>(text[i])];
    if (digit < 0) return false;
    bits |= static_cast<std::uint64_t>(digit & 31) << (5 * i);
    if ((digit & 32) != 0) continue;
    text.remove_prefix(i + 1);
    const auto size = static_cast<std::int64_t>(bits >> 1);
    number = (bits & 1) != 0 ? -size : size;
    return size <= std::int64_t{1} << 31;
  }
  return false;
}

/// The columns of one line as the format counts them -> code points.
std::uint32_t CodePointColumn(std::string_view line, std::uint32_t utf16_column) {
  std::uint32_t units = 0;
  std::uint32_t column = 0;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) == 0x80) continue;
    if (units >= utf16_column) return column;
    units += byte >= 0xf0 ? 2 : 1;
    ++column;
  }
  return column + (utf16_column - std::min(units, utf16_column));
}

}  // namespace

Result<SourceMap> SourceMap::Parse(std::string_view json) {
  // A prefix against inclusion as a script, which the standard lets servers put there.
  if (json.starts_with(")]}'")) json.remove_prefix(std::min(json.find('\n'), json.size()));
  Result<Value> parsed = ParseJson(json);
  if (!parsed) return std::unexpected(std::move(parsed).error().Context("source map"));
  if (parsed->As<ValueObject>() == nullptr) return Bad("not a JSON object");
  if (parsed->Find("sections") != nullptr) {
    return Bad("index maps (\"sections\") are not read: let the bundler write one plain map");
  }
  if (parsed->NumberOr("version", 0) != 3) return Bad("version 3 is expected");
  SourceMap map;
  NEXUS_TRY_STATUS(map.ReadSources(*parsed));
  const Value* mappings = parsed->Find("mappings");
  const std::string* text = mappings == nullptr ? nullptr : mappings->As<std::string>();
  if (text == nullptr) return Bad("\"mappings\" is not a string");
  NEXUS_TRY_STATUS(map.ReadMappings(*text));
  return map;
}

Status SourceMap::ReadSources(const Value& map) {
  const auto list = [&](std::string_view key) -> const ValueArray* {
    static const ValueArray kNothing;
    const Value* found = map.Find(key);
    if (found == nullptr || found->is_null()) return &kNothing;
    return found->As<ValueArray>();
  };
  const ValueArray* sources = list("sources");
  const ValueArray* contents = list("sourcesContent");
  const ValueArray* names = list("names");
  if (sources == nullptr || contents == nullptr || names == nullptr) {
    return Bad("\"sources\", \"sourcesContent\" and \"names\" have to be lists");
  }
  std::string root(map.StringOr("sourceRoot", ""));
  if (!root.empty() && !root.ends_with('/')) root.push_back('/');
  for (std::size_t i = 0; i < sources->size(); ++i) {
    const std::string* name = (*sources)[i].As<std::string>();
    sources_.push_back(name == nullptr ? std::string() : root + *name);
    const std::string* content = i < contents->size() ? (*contents)[i].As<std::string>() : nullptr;
    contents_.push_back(content == nullptr ? std::nullopt : std::optional(*content));
  }
  for (const Value& name : *names) {
    const std::string* text = name.As<std::string>();
    names_.push_back(text == nullptr ? std::string() : *text);
  }
  return {};
}

Status SourceMap::ReadMappings(std::string_view mappings) {
  line_starts_.push_back(0);
  std::int64_t column = 0, source = 0, source_line = 0, source_column = 0, name = 0;
  bool sorted = true;
  const auto end_line = [&] {
    const auto begin = segments_.begin() + line_starts_.back();
    if (!sorted) {
      std::stable_sort(begin, segments_.end(),
                       [](const Segment& a, const Segment& b) { return a.column < b.column; });
    }
    line_starts_.push_back(static_cast<std::uint32_t>(segments_.size()));
    sorted = true;
    column = 0;
  };
  const auto in_range = [](std::int64_t number) {
    return number >= 0 && number <= std::numeric_limits<std::int32_t>::max();
  };
  while (!mappings.empty()) {
    if (segments_.size() >= kSegmentsMax || line_starts_.size() >= kSegmentsMax) {
      return Fail(Code::kResourceExhausted,
                  fmt::format("source map: more than {} mappings", kSegmentsMax));
    }
    if (mappings.front() == ';' || mappings.front() == ',') {
      if (mappings.front() == ';') end_line();
      mappings.remove_prefix(1);
      continue;
    }
    std::array<std::int64_t, 5> fields{};
    std::size_t count = 0;
    while (!mappings.empty() && mappings.front() != ',' && mappings.front() != ';') {
      if (count == fields.size() || !ReadVlq(mappings, fields[count++])) {
        return Bad(fmt::format("line {}: malformed mapping", line_starts_.size()));
      }
    }
    if (count != 1 && count != 4 && count != 5) {
      return Bad(fmt::format("line {}: a mapping has 1, 4 or 5 numbers", line_starts_.size()));
    }
    column += fields[0];
    Segment segment{.column = static_cast<std::uint32_t>(column)};
    bool valid = in_range(column);
    if (count >= 4) {
      source += fields[1];
      source_line += fields[2];
      source_column += fields[3];
      valid = valid && in_range(source_line) && in_range(source_column) && source >= 0 &&
              source < static_cast<std::int64_t>(sources_.size());
      segment.source = static_cast<std::int32_t>(source);
      segment.source_line = static_cast<std::uint32_t>(source_line);
      segment.source_column = static_cast<std::uint32_t>(source_column);
    }
    if (count == 5) {
      name += fields[4];
      valid = valid && name >= 0 && name < static_cast<std::int64_t>(names_.size());
      segment.name = static_cast<std::int32_t>(name);
    }
    if (!valid) {
      return Bad(fmt::format("line {}: a mapping points outside the map", line_starts_.size()));
    }
    if (segments_.size() > line_starts_.back() && segments_.back().column > segment.column) {
      sorted = false;
    }
    segments_.push_back(segment);
  }
  end_line();
  return {};
}

OriginalPosition SourceMap::Find(SourcePosition generated) const {
  if (generated.line == 0 || generated.line >= line_starts_.size()) return {};
  const auto begin = segments_.begin() + line_starts_[generated.line - 1];
  const auto end = segments_.begin() + line_starts_[generated.line];
  const std::uint32_t column = generated.column == 0 ? 0 : generated.column - 1;
  auto at = std::upper_bound(begin, end, column, [](std::uint32_t wanted, const Segment& segment) {
    return wanted < segment.column;
  });
  if (at == begin) return {};
  --at;
  if (at->source < 0) return {};
  const auto source = static_cast<std::size_t>(at->source);
  std::uint32_t original_column = at->source_column;
  if (contents_[source]) {
    const LineIndex lines(*contents_[source]);
    original_column = CodePointColumn(lines.Line(at->source_line + 1), original_column);
  }
  return {.file = sources_[source],
          .at = {at->source_line + 1, original_column + 1},
          .name = at->name < 0 ? std::string() : names_[static_cast<std::size_t>(at->name)]};
}

const std::string* SourceMap::SourceText(std::string_view file) const {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i] == file && contents_[i]) return &*contents_[i];
  }
  return nullptr;
}

}  // namespace nexus
