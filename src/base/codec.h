#pragma once
/// The binary form of Value on the sandbox boundary. Format: docs/format/value.md.
///
/// The guest is not trusted, so decoding checks everything: lengths against what is left, depth,
/// counts; it never allocates more than a small multiple of the input.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

inline constexpr std::uint32_t kValueDepthMax = 512;

/// Tags of the encoding; guest/codec.c has the same table (codec_test pins both).
enum class ValueTag : std::uint8_t {
  kUndefined = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInt = 4,      ///< zigzag varint, int32 range
  kDouble = 5,   ///< 8 bytes little endian IEEE 754
  kString = 6,   ///< varint byte length, UTF-8 (lone surrogates as WTF-8)
  kBigInt = 7,   ///< varint length, ASCII hex with optional '-'
  kDate = 8,     ///< 8 bytes little endian IEEE 754, ms
  kBytes = 9,    ///< varint length, bytes
  kArray = 10,   ///< varint count, values
  kObject = 11,  ///< varint count, (varint key length, key bytes, value)*
  kMap = 12,     ///< varint count, (value, value)*
  kSet = 13,     ///< varint count, values
};

/// Appends the encoding of `value`. Values deeper than kValueDepthMax: kInvalidArgument, and `out`
/// is as it was.
Status EncodeValue(const Value& value, std::string& out);

/// A Value takes more memory than its encoding (a null: 40 bytes for one), so who decodes for
/// others bounds how many it makes.
inline constexpr std::uint64_t kValueNodesMax = std::uint64_t{1} << 32;

/// Decodes exactly one value that fills `bytes`. Errors: kDataLoss with the offset;
/// kResourceExhausted for more than `nodes_max` values.
Result<Value> DecodeValue(std::string_view bytes, std::uint64_t nodes_max = kValueNodesMax);

/// Decodes one value at the front of `bytes` and removes it from there.
Result<Value> DecodeValuePrefix(std::string_view& bytes, std::uint64_t nodes_max = kValueNodesMax);

/// LEB128, at most 5 bytes for 32 bits.
void AppendVarint(std::string& out, std::uint64_t n);
/// Removes a varint from the front of `bytes`; false when malformed or cut off.
bool ReadVarint(std::string_view& bytes, std::uint64_t& n);

/// A 64-bit number as two varints, low half first: a varint holds 32 bits.
void AppendWide(std::string& out, std::uint64_t n);
/// A length as a varint, and the bytes.
void AppendText(std::string& out, std::string_view text);
/// Removes a text from the front of `bytes`; false when it is cut off.
bool ReadText(std::string_view& bytes, std::string_view& text);

/// Reads fields off the front of bytes it borrows. After the first failure `ok` is false and
/// everything else gives zeros and nothing, so a reader checks once, at the end.
struct FieldReader {
  std::string_view rest;
  bool ok = true;

  std::uint64_t Number();
  std::uint64_t Wide();
  /// A count of things that take at least a byte each: never more than what is left.
  std::size_t Count();
  std::string_view Text();
  char Byte();
  Value Decoded(std::uint64_t nodes_max = kValueNodesMax);
};

}  // namespace nexus
