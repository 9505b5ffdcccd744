#pragma once
/// What people see: colour when it helps, plain text when it does not.

#include <cstdio>
#include <string>
#include <string_view>

namespace nexus {

enum class Style : unsigned char { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue, kCyan };

/// A stream with or without colour. Borrows the FILE.
class Terminal {
 public:
  /// Colour when `stream` is a terminal, NO_COLOR is unset or empty and TERM is not "dumb".
  explicit Terminal(std::FILE* stream);
  Terminal(std::FILE* stream, bool colour) : stream_(stream), colour_(colour) {}

  bool colour() const { return colour_; }
  /// `text` between the codes of `style`, or as it is.
  std::string Styled(Style style, std::string_view text) const;
  void Write(std::string_view text) const;
  void Line(std::string_view text) const;
  void Flush() const;

 private:
  std::FILE* stream_;
  bool colour_;
};

/// "1.24 ms", "310 us", "2.5 s".
std::string FormatDuration(unsigned long long microseconds);
/// "12.3 KiB".
std::string FormatBytes(unsigned long long bytes);
/// Control characters of foreign text made visible, so that a program's message cannot drive the
/// terminal. Line ends and tabs stay.
std::string Printable(std::string_view text);

}  // namespace nexus
