#include "sandbox/internal/error_report.h"

#include <charconv>
#include <cmath>

#include "base/text.h"
#include "guest/abi.h"
#include "source/source_map.h"

namespace nexus::internal {
namespace {

/// What the guest calls the program's file in its stacks.
constexpr std::string_view kGuestFileName = "agent.js";
constexpr std::size_t kFramesMax = 32;
constexpr std::size_t kMessageBytesMax = 8192;

// At most `bytes_max` bytes of `text`, no character cut in two.
std::string_view CutAtCharacter(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

// Takes ":NUMBER" off the end of `text`.
bool TakeNumber(std::string_view& text, std::uint32_t& number) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return false;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return false;
  text = text.substr(0, colon);
  return true;
}

SourcePosition PositionFrom(double line, double column) {
  const auto sound = [](double n) { return n >= 1 && n < 4e9; };
  if (!sound(line)) return {};
  return {static_cast<std::uint32_t>(line), sound(column) ? static_cast<std::uint32_t>(column) : 1};
}

struct AuthorPlace {
  std::string file;
  SourcePosition at;
  const std::string* text = nullptr;
};

// Where `at` of the code that ran stands in the author's files.
AuthorPlace ToAuthor(const ProgramSpec& spec, SourcePosition at) {
  if (spec.source_map != nullptr && at.known()) {
    OriginalPosition original = spec.source_map->Find(at);
    if (original.at.known()) {
      const std::string* const text = spec.source_map->SourceText(original.file);
      return {std::move(original.file), original.at, text};
    }
    return {spec.name, {}, nullptr};
  }
  return {spec.name, at, spec.author_text.empty() ? &spec.text : &spec.author_text};
}

RunErrorCode CodeOf(int kind, std::string_view code_name) {
  switch (kind) {
    case NX_KIND_SYNTAX:
      return RunErrorCode::kCompilationError;
    case NX_KIND_MEMORY:
      return RunErrorCode::kMemoryLimit;
    case NX_KIND_STACK:
      return RunErrorCode::kStackOverflow;
    case NX_KIND_INTERRUPTED:
      return RunErrorCode::kTimeout;
    case NX_KIND_HANDLER:
      return RunErrorCode::kInvalidHandler;
    case NX_KIND_RESULT:
      return code_name == "RESOURCE_LIMIT" ? RunErrorCode::kResourceLimit
                                           : RunErrorCode::kExecutionError;
    default:
      break;
  }
  // A host error that the program let through keeps its code; no other code can be forged by a
  // program, since limits are the host's to report.
  const auto code = RunErrorCodeFromName(code_name);
  if (!code) return RunErrorCode::kExecutionError;
  switch (*code) {
    case RunErrorCode::kPermissionDenied:
    case RunErrorCode::kExtensionNotFound:
    case RunErrorCode::kMethodNotFound:
    case RunErrorCode::kExtensionError:
    case RunErrorCode::kInvalidArgument:
    case RunErrorCode::kConflict:
    case RunErrorCode::kUnavailable:
    case RunErrorCode::kOverloaded:
    case RunErrorCode::kQuotaExceeded:
      return *code;
    default:
      return RunErrorCode::kExecutionError;
  }
}

std::string StackText(const std::vector<StackFrame>& frames, const ProgramSpec& spec) {
  std::string text;
  for (const StackFrame& frame : frames) {
    if (frame.file != kGuestFileName) continue;
    const AuthorPlace place = ToAuthor(spec, frame.at);
    text +=
        "    at " + (frame.function.empty() ? "<anonymous>" : frame.function) + " (" + place.file;
    if (place.at.known()) {
      text += ":" + std::to_string(place.at.line) + ":" + std::to_string(place.at.column);
    }
    text += ")\n";
  }
  return text;
}

}  // namespace

std::vector<StackFrame> ParseStack(std::string_view stack) {
  std::vector<StackFrame> frames;
  while (!stack.empty() && frames.size() < kFramesMax) {
    const std::size_t end = stack.find('\n');
    std::string_view line = Trim(stack.substr(0, end));
    stack = end == std::string_view::npos ? std::string_view() : stack.substr(end + 1);
    if (!line.starts_with("at ")) continue;
    line.remove_prefix(3);
    StackFrame frame;
    if (const std::size_t open = line.rfind(" (");
        open != std::string_view::npos && line.ends_with(')')) {
      frame.function = line.substr(0, open);
      line = line.substr(open + 2, line.size() - open - 3);
    }
    if (TakeNumber(line, frame.at.column) && !TakeNumber(line, frame.at.line)) {
      frame.at = {frame.at.column, 1};  // Only a line.
    }
    frame.file = line;
    frames.push_back(std::move(frame));
  }
  return frames;
}

RunError ReportGuestError(const Value& guest_error, const ProgramSpec& spec) {
  RunError error;
  const int kind = static_cast<int>(guest_error.NumberOr("kind", NX_KIND_THROWN));
  error.code = CodeOf(kind, guest_error.StringOr("code", ""));
  const std::string_view name = guest_error.StringOr("name", "");
  const std::string_view message = guest_error.StringOr("message", "");
  error.message = CutAtCharacter(message, kMessageBytesMax);
  const bool plain = name.empty() || name == "Error" || name == "PermissionDenied" ||
                     name == "ExtensionError" || kind == NX_KIND_HANDLER ||
                     kind == NX_KIND_RESULT || kind == NX_KIND_STUCK;
  if (!plain) error.message = std::string(name) + ": " + error.message;
  error.capability = guest_error.StringOr("capability", "");
  error.limit = guest_error.StringOr("limit", "");
  error.cause = guest_error.StringOr("cause", "");

  const std::vector<StackFrame> frames = ParseStack(guest_error.StringOr("stack", ""));
  SourcePosition at =
      PositionFrom(guest_error.NumberOr("line", 0), guest_error.NumberOr("column", 0));
  if (!at.known()) {
    for (const StackFrame& frame : frames) {
      if (frame.file == kGuestFileName && frame.at.known()) {
        at = frame.at;
        break;
      }
    }
  }
  const AuthorPlace place = ToAuthor(spec, at);
  error.file = place.file;
  error.location = place.at;
  if (place.text != nullptr && place.at.known()) {
    error.snippet = RenderSnippet(*place.text, {place.at.line, place.at.column});
  }
  error.stack = StackText(frames, spec);
  return error;
}

}  // namespace nexus::internal
