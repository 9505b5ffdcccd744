#include "base/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/utf8.h"

namespace nexus {
namespace {

// A count in the input is a claim. Containers start small and grow with what is really there, so
// that nested claims cannot multiply into a large reservation.
constexpr std::size_t kReserveMax = 64;
// Below this many keys comparing each pair is cheaper than sorting.
constexpr std::size_t kPairwiseKeysMax = 8;
constexpr std::uint64_t kLengthMax = std::numeric_limits<std::uint32_t>::max();

void AppendTag(std::string& out, ValueTag tag) { out.push_back(static_cast<char>(tag)); }

void AppendDoubleBytes(std::string& out, double number) {
  static_assert(std::endian::native == std::endian::little);
  std::array<char, 8> bytes;
  std::memcpy(bytes.data(), &number, bytes.size());
  out.append(bytes.data(), bytes.size());
}

std::uint32_t ZigZag(std::int32_t n) {
  return (static_cast<std::uint32_t>(n) << 1) ^ static_cast<std::uint32_t>(n >> 31);
}
std::int32_t UnZigZag(std::uint32_t n) {
  return static_cast<std::int32_t>((n >> 1) ^ (~(n & 1) + 1));
}

void AppendNumber(std::string& out, double number) {
  // -0 has to stay a double: int32 has no such number.
  if (number >= std::numeric_limits<std::int32_t>::min() &&
      number <= std::numeric_limits<std::int32_t>::max()) {
    const auto integer = static_cast<std::int32_t>(number);
    if (integer == number && (integer != 0 || !std::signbit(number))) {
      AppendTag(out, ValueTag::kInt);
      AppendVarint(out, ZigZag(integer));
      return;
    }
  }
  AppendTag(out, ValueTag::kDouble);
  AppendDoubleBytes(out, number);
}

bool IsBigIntHex(std::string_view hex) {
  if (hex.starts_with('-')) {
    hex.remove_prefix(1);
    if (hex == "0") return false;
  }
  if (hex.empty() || (hex[0] == '0' && hex.size() > 1)) return false;
  return std::all_of(hex.begin(), hex.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  bool Encode(const Value& value, std::uint32_t depth) {
    if (const double* number = value.As<double>()) {
      AppendNumber(out_, *number);
      return true;
    }
    if (const std::string* text = value.As<std::string>()) {
      return Blob(ValueTag::kString, *text);
    }
    return std::visit([&](const auto& content) { return Put(content, depth); }, value.variant());
  }

  const char* why() const { return why_; }

 private:
  bool Put(Undefined, std::uint32_t) { return Tag(ValueTag::kUndefined); }
  bool Put(Null, std::uint32_t) { return Tag(ValueTag::kNull); }
  bool Put(bool b, std::uint32_t) { return Tag(b ? ValueTag::kTrue : ValueTag::kFalse); }
  bool Put(double number, std::uint32_t) { return AppendNumber(out_, number), true; }
  bool Put(const std::string& text, std::uint32_t) { return Blob(ValueTag::kString, text); }
  bool Put(const Bytes& bytes, std::uint32_t) { return Blob(ValueTag::kBytes, bytes.data); }
  bool Put(const BigInt& big, std::uint32_t) {
    if (!IsBigIntHex(big.hex)) return Refuse("a bigint is not lower-case hexadecimal");
    return Blob(ValueTag::kBigInt, big.hex);
  }
  bool Put(const Date& date, std::uint32_t) {
    AppendTag(out_, ValueTag::kDate);
    AppendDoubleBytes(out_, date.unix_ms);
    return true;
  }
  bool Put(const ValueArray& items, std::uint32_t depth) {
    return Items(ValueTag::kArray, items, depth);
  }
  bool Put(const ValueSet& set, std::uint32_t depth) {
    return Items(ValueTag::kSet, set.entries, depth);
  }
  bool Put(const ValueObject& object, std::uint32_t depth) {
    if (!Open(ValueTag::kObject, object.size(), depth)) return false;
    for (const auto& [key, value] : object) {
      if (key.size() > kLengthMax) return Refuse("a key is too long");
      AppendVarint(out_, key.size());
      out_.append(key);
      if (!Encode(value, depth + 1)) return false;
    }
    return true;
  }
  bool Put(const ValueMap& map, std::uint32_t depth) {
    if (!Open(ValueTag::kMap, map.entries.size(), depth)) return false;
    for (const auto& [key, value] : map.entries) {
      if (!Encode(key, depth + 1) || !Encode(value, depth + 1)) return false;
    }
    return true;
  }

  bool Tag(ValueTag tag) { return AppendTag(out_, tag), true; }
  bool Blob(ValueTag tag, std::string_view bytes) {
    if (bytes.size() > kLengthMax) return Refuse("a string or byte array is longer than 4 GiB");
    AppendTag(out_, tag);
    AppendVarint(out_, bytes.size());
    out_.append(bytes);
    return true;
  }
  bool Open(ValueTag tag, std::size_t count, std::uint32_t depth) {
    if (depth >= kValueDepthMax) return Refuse("nested deeper than 512 levels");
    if (count > kLengthMax) return Refuse("a container has too many members");
    AppendTag(out_, tag);
    AppendVarint(out_, count);
    return true;
  }
  bool Items(ValueTag tag, const ValueArray& items, std::uint32_t depth) {
    if (!Open(tag, items.size(), depth)) return false;
    return std::all_of(items.begin(), items.end(),
                       [&](const Value& item) { return Encode(item, depth + 1); });
  }
  bool Refuse(const char* why) {
    why_ = why;
    return false;
  }

  std::string& out_;
  const char* why_ = "";
};

/// True when two entries have the same key.
bool HasDuplicateKeys(const std::vector<ValueObject::Entry>& entries) {
  if (entries.size() <= kPairwiseKeysMax) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (entries[i].first == entries[j].first) return true;
      }
    }
    return false;
  }
  std::vector<std::string_view> keys;
  keys.reserve(entries.size());
  for (const auto& entry : entries) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
}

class Decoder {
 public:
  Decoder(std::string_view bytes, std::uint64_t nodes_max)
      : left_(bytes), size_(bytes.size()), nodes_left_(nodes_max) {}

  /// Decodes into `out`, a fresh Value: filling in place spares a move for each level.
  bool Decode(Value& out, std::uint32_t depth) {
    if (left_.empty()) return Refuse("cut off: a value is missing");
    if (nodes_left_-- == 0) {
      exhausted_ = true;
      return Refuse("too many values");
    }
    const auto tag = static_cast<ValueTag>(left_.front());
    left_.remove_prefix(1);
    switch (tag) {
      case ValueTag::kUndefined:
        return true;
      case ValueTag::kNull:
        out.variant() = Null{};
        return true;
      case ValueTag::kFalse:
        out.variant() = false;
        return true;
      case ValueTag::kTrue:
        out.variant() = true;
        return true;
      case ValueTag::kInt:
        return Int(out);
      case ValueTag::kDouble:
        return Double(out.variant().emplace<double>());
      case ValueTag::kString:
        return Text(out.variant().emplace<std::string>());
      case ValueTag::kBigInt:
        return Big(out.variant().emplace<BigInt>());
      case ValueTag::kDate:
        return Double(out.variant().emplace<Date>().unix_ms);
      case ValueTag::kBytes:
        return Raw(out.variant().emplace<Bytes>().data);
      case ValueTag::kArray:
        return Items(out.variant().emplace<ValueArray>(), depth);
      case ValueTag::kObject:
        return Object(out.variant().emplace<ValueObject>(), depth);
      case ValueTag::kMap:
        return Map(out.variant().emplace<ValueMap>(), depth);
      case ValueTag::kSet:
        return Items(out.variant().emplace<ValueSet>().entries, depth);
    }
    return Refuse("unknown tag");
  }

  std::string_view left() const { return left_; }
  Error TakeError() const {
    return Error(exhausted_ ? Code::kResourceExhausted : Code::kDataLoss,
                 fmt::format("encoded value: offset {}: {}", size_ - left_.size(), why_));
  }
  bool Refuse(const char* why) {
    why_ = why;
    return false;
  }

 private:
  bool Int(Value& out) {
    std::uint64_t n = 0;
    if (!ReadVarint(left_, n)) return Refuse("malformed integer");
    out.variant() = static_cast<double>(UnZigZag(static_cast<std::uint32_t>(n)));
    return true;
  }
  bool Double(double& out) {
    if (left_.size() < 8) return Refuse("cut off: a double needs 8 bytes");
    std::memcpy(&out, left_.data(), 8);
    left_.remove_prefix(8);
    return true;
  }
  bool Slice(std::string_view& out) {
    std::uint64_t length = 0;
    if (!ReadVarint(left_, length)) return Refuse("malformed length");
    if (length > left_.size()) return Refuse("a length exceeds what is left");
    out = left_.substr(0, length);
    left_.remove_prefix(length);
    return true;
  }
  bool Raw(std::string& out) {
    std::string_view slice;
    if (!Slice(slice)) return false;
    out.assign(slice);
    return true;
  }
  bool Text(std::string& out) {
    std::string_view slice;
    if (!Slice(slice)) return false;
    if (FindInvalidWtf8(slice) != kValid) return Refuse("a string is not well-formed WTF-8");
    out.assign(slice);
    return true;
  }
  bool Big(BigInt& out) {
    std::string_view slice;
    if (!Slice(slice)) return false;
    if (!IsBigIntHex(slice)) return Refuse("a bigint is not canonical hexadecimal");
    out.hex.assign(slice);
    return true;
  }
  /// `member_bytes_min`: what the smallest member takes, so that a count is checked against what
  /// is left before anything is reserved.
  bool Count(std::uint64_t& count, std::size_t member_bytes_min, std::uint32_t depth) {
    if (depth >= kValueDepthMax) return Refuse("nested deeper than 512 levels");
    if (!ReadVarint(left_, count)) return Refuse("malformed count");
    if (count > left_.size() / member_bytes_min) return Refuse("a count exceeds what is left");
    return true;
  }
  bool Items(ValueArray& items, std::uint32_t depth) {
    std::uint64_t count = 0;
    if (!Count(count, 1, depth)) return false;
    items.reserve(std::min<std::size_t>(count, kReserveMax));
    for (; count > 0; --count) {
      if (!Decode(items.emplace_back(), depth + 1)) return false;
    }
    return true;
  }
  bool Object(ValueObject& object, std::uint32_t depth) {
    std::uint64_t count = 0;
    if (!Count(count, 2, depth)) return false;
    std::vector<ValueObject::Entry>& entries = object.entries();
    entries.reserve(std::min<std::size_t>(count, kReserveMax));
    for (; count > 0; --count) {
      ValueObject::Entry& entry = entries.emplace_back();
      if (!Text(entry.first) || !Decode(entry.second, depth + 1)) return false;
    }
    return !HasDuplicateKeys(entries) || Refuse("an object has the same key twice");
  }
  bool Map(ValueMap& map, std::uint32_t depth) {
    std::uint64_t count = 0;
    if (!Count(count, 2, depth)) return false;
    map.entries.reserve(std::min<std::size_t>(count, kReserveMax));
    for (; count > 0; --count) {
      auto& entry = map.entries.emplace_back();
      if (!Decode(entry.first, depth + 1) || !Decode(entry.second, depth + 1)) return false;
    }
    return true;
  }

  std::string_view left_;
  std::size_t size_;
  std::uint64_t nodes_left_;
  bool exhausted_ = false;
  const char* why_ = "";
};

}  // namespace

Status EncodeValue(const Value& value, std::string& out) {
  const std::size_t size_before = out.size();
  Encoder encoder(out);
  if (encoder.Encode(value, 0)) return {};
  out.resize(size_before);
  return Fail(Code::kInvalidArgument, fmt::format("value to encode: {}", encoder.why()));
}

Result<Value> DecodeValue(std::string_view bytes, std::uint64_t nodes_max) {
  Decoder decoder(bytes, nodes_max);
  Value value;
  if (!decoder.Decode(value, 0)) return std::unexpected(decoder.TakeError());
  if (!decoder.left().empty()) {
    decoder.Refuse("bytes behind the value");
    return std::unexpected(decoder.TakeError());
  }
  return value;
}

Result<Value> DecodeValuePrefix(std::string_view& bytes, std::uint64_t nodes_max) {
  Decoder decoder(bytes, nodes_max);
  Value value;
  if (!decoder.Decode(value, 0)) return std::unexpected(decoder.TakeError());
  bytes = decoder.left();
  return value;
}

void AppendVarint(std::string& out, std::uint64_t n) {
  while (n >= 0x80) {
    out.push_back(static_cast<char>(n | 0x80));
    n >>= 7;
  }
  out.push_back(static_cast<char>(n));
}

bool ReadVarint(std::string_view& bytes, std::uint64_t& n) {
  if (!bytes.empty() && static_cast<unsigned char>(bytes[0]) < 0x80) [[likely]] {
    n = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    return true;
  }
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < 5 && i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    result |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    // Padding with zero groups is fine: an encoder may reserve room for a count it learns later.
    if (result > kLengthMax) return false;
    n = result;
    bytes.remove_prefix(i + 1);
    return true;
  }
  return false;
}

void AppendWide(std::string& out, std::uint64_t n) {
  AppendVarint(out, n & 0xffffffff);
  AppendVarint(out, n >> 32);
}

void AppendText(std::string& out, std::string_view text) {
  AppendVarint(out, text.size());
  out.append(text);
}

bool ReadText(std::string_view& bytes, std::string_view& text) {
  std::uint64_t size = 0;
  if (!ReadVarint(bytes, size) || size > bytes.size()) return false;
  text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

std::uint64_t FieldReader::Number() {
  std::uint64_t n = 0;
  ok = ok && ReadVarint(rest, n);
  return ok ? n : 0;
}

std::uint64_t FieldReader::Wide() {
  const std::uint64_t low = Number();
  return low | Number() << 32;
}

std::size_t FieldReader::Count() {
  const std::uint64_t n = Number();
  ok = ok && n <= rest.size();
  return ok ? static_cast<std::size_t>(n) : 0;
}

std::string_view FieldReader::Text() {
  std::string_view text;
  ok = ok && ReadText(rest, text);
  return ok ? text : std::string_view();
}

char FieldReader::Byte() {
  ok = ok && !rest.empty();
  if (!ok) return 0;
  const char byte = rest.front();
  rest.remove_prefix(1);
  return byte;
}

Value FieldReader::Decoded(std::uint64_t nodes_max) {
  if (!ok) return {};
  Result<Value> value = DecodeValuePrefix(rest, nodes_max);
  ok = value.has_value();
  return ok ? *std::move(value) : Value();
}

}  // namespace nexus
