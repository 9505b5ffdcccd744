#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/base64.h"
#include "base/js_text.h"
#include "base/json.h"
#include "base/utf8.h"

namespace nexus {
namespace {

class Writer {
 public:
  Writer(std::string& out, JsonStyle style) : out_(out), indent_(style.indent) {}

  void Write(const Value& value) {
    std::visit([this](const auto& content) { Put(content); }, value.variant());
  }

 private:
  void Put(Undefined) { out_ += "null"; }
  void Put(Null) { out_ += "null"; }
  void Put(bool b) { out_ += b ? "true" : "false"; }
  void Put(double number) {
    if (std::isfinite(number)) {
      AppendJsNumber(out_, number);
    } else {
      out_ += "null";
    }
  }
  void Put(const std::string& text) { AppendJsonString(out_, text); }
  void Put(const BigInt& big) { AppendJsonString(out_, BigIntToText(big.hex)); }
  void Put(const Date& date) {
    std::string text;
    if (AppendIsoDate(text, date.unix_ms)) {
      out_.append(1, '"').append(text).push_back('"');
    } else {
      out_ += "null";
    }
  }
  void Put(const Bytes& bytes) {
    out_.push_back('"');
    AppendBase64(out_, bytes.data);
    out_.push_back('"');
  }
  void Put(const ValueArray& items) {
    Open('[');
    for (const Value& item : items) {
      Next();
      Write(item);
    }
    Close(']');
  }
  void Put(const ValueSet& set) { Put(set.entries); }
  void Put(const ValueObject& object) {
    Open('{');
    for (const auto& [key, value] : object) {
      if (value.is_undefined()) continue;
      Next();
      AppendJsonString(out_, key);
      out_ += indent_ > 0 ? ": " : ":";
      Write(value);
    }
    Close('}');
  }
  void Put(const ValueMap& map) {
    Open('[');
    for (const auto& [key, value] : map.entries) {
      Next();
      Open('[');
      Next();
      Write(key);
      Next();
      Write(value);
      Close(']');
    }
    Close(']');
  }

  void Open(char bracket) {
    out_.push_back(bracket);
    ++depth_;
    first_ = true;
  }
  void Next() {
    if (!first_) out_.push_back(',');
    first_ = false;
    NewLine();
  }
  void Close(char bracket) {
    --depth_;
    if (!first_) NewLine();
    first_ = false;
    out_.push_back(bracket);
  }
  void NewLine() {
    if (indent_ <= 0) return;
    out_.push_back('\n');
    out_.append(static_cast<std::size_t>(indent_) * depth_, ' ');
  }

  std::string& out_;
  int indent_;
  std::size_t depth_ = 0;
  bool first_ = true;
};

void AppendUnitEscape(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[unit >> shift & 15]);
}

void AppendEscapedAscii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      AppendUnitEscape(out, static_cast<unsigned char>(c));
  }
}

/// Text that is not plain ASCII: lone surrogates escaped, bytes that are no text replaced, because
/// what is written must be JSON whatever came in.
void AppendBeyondAscii(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t bad = FindInvalidUtf8(text);
    if (bad == kValid) {
      out.append(text);
      return;
    }
    out.append(text.substr(0, bad));
    text.remove_prefix(bad);
    if (text.size() >= 3 && FindInvalidWtf8(text.substr(0, 3)) == kValid) {
      AppendUnitEscape(out, 0xd000u | (static_cast<unsigned char>(text[1]) & 0x3fu) << 6 |
                                (static_cast<unsigned char>(text[2]) & 0x3fu));
      text.remove_prefix(3);
    } else {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
    }
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;
  bool beyond_ascii = false;
  const auto flush = [&](std::size_t end) {
    const std::string_view run = text.substr(plain, end - plain);
    if (beyond_ascii) {
      AppendBeyondAscii(out, run);
    } else {
      out.append(run);
    }
    beyond_ascii = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) beyond_ascii = true;
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    flush(i);
    AppendEscapedAscii(out, text[i]);
    plain = i + 1;
  }
  flush(text.size());
  out.push_back('"');
}

void AppendJson(std::string& out, const Value& value, JsonStyle style) {
  Writer(out, style).Write(value);
}

std::string ToJson(const Value& value, JsonStyle style) {
  std::string out;
  AppendJson(out, value, style);
  return out;
}

JsonBuilder& JsonBuilder::Key(std::string_view name) {
  Next();
  AppendJsonString(out_, name);
  out_ += ':';
  first_ = true;
  return *this;
}

JsonBuilder& JsonBuilder::String(std::string_view text) {
  Next();
  AppendJsonString(out_, text);
  return *this;
}

namespace {

template <typename Integer>
void AppendInteger(std::string& out, Integer number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

JsonBuilder& JsonBuilder::Number(std::uint64_t number) {
  Next();
  AppendInteger(out_, number);
  return *this;
}

JsonBuilder& JsonBuilder::Number(std::int64_t number) {
  Next();
  AppendInteger(out_, number);
  return *this;
}

JsonBuilder& JsonBuilder::Bool(bool value) { return Raw(value ? "true" : "false"); }

JsonBuilder& JsonBuilder::Null() { return Raw("null"); }

JsonBuilder& JsonBuilder::Add(const Value& value) {
  Next();
  AppendJson(out_, value);
  return *this;
}

JsonBuilder& JsonBuilder::Raw(std::string_view json) {
  Next();
  out_ += json;
  return *this;
}

}  // namespace nexus
