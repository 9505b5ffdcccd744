#include "extension/internal/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace nexus::internal {
namespace {

constexpr std::size_t kPatternBytesMax = 1000;
constexpr std::size_t kInstructionsMax = 5000;
constexpr int kDepthMax = 50;
constexpr int kRepeatMax = 200;

bool IsWordByte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

// Recursive descent. Code is relocatable (jumps are relative), so that parts are joined by
// appending.
class Pattern::Parser {
 public:
  Parser(std::string_view text, PatternOptions options, std::vector<ByteSet>& sets)
      : text_(text), options_(options), sets_(sets) {}

  Result<Code> Parse() {
    if (text_.empty() || text_.size() > kPatternBytesMax) {
      return Fail("the pattern must have 1 to 1000 bytes");
    }
    if (!options_.regex) return Literal();
    NEXUS_TRY(Code code, Alternatives(0));
    if (at_ != text_.size()) return Fail("')' without '('");
    return code;
  }

 private:
  std::unexpected<Error> Fail(std::string_view why) const {
    return nexus::Fail(nexus::Code::kInvalidArgument,
                       fmt::format("pattern: offset {}: {}", at_, why));
  }
  bool More() const { return at_ < text_.size(); }
  bool Take(char c) {
    if (!More() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Code OneOf(ByteSet set) {
    if (options_.ignore_case) {
      for (unsigned c = 'a'; c <= 'z'; ++c) {
        if (set[c] || set[c - 32]) set.set(c).set(c - 32);
      }
    }
    const auto known = std::find(sets_.begin(), sets_.end(), set);
    const auto index = static_cast<std::uint32_t>(known - sets_.begin());
    if (known == sets_.end()) sets_.push_back(set);
    return {{Op::kSet, 0, 0, index}};
  }
  Code OneByte(char c) { return OneOf(ByteSet().set(static_cast<unsigned char>(c))); }

  static void Append(Code& code, const Code& more) {
    code.insert(code.end(), more.begin(), more.end());
  }

  Result<Code> Literal() {
    Code code;
    for (const char c : text_) Append(code, OneByte(c));
    return code;
  }

  Result<Code> Alternatives(int depth) {
    if (depth > kDepthMax) return Fail("nested too deeply");
    NEXUS_TRY(Code left, Sequence(depth));
    while (Take('|')) {
      NEXUS_TRY(const Code right, Sequence(depth));
      Code both = {{Op::kSplit, 1, static_cast<std::int32_t>(left.size()) + 2, 0}};
      Append(both, left);
      both.push_back({Op::kJump, static_cast<std::int32_t>(right.size()) + 1, 0, 0});
      Append(both, right);
      left = std::move(both);
    }
    return left;
  }

  Result<Code> Sequence(int depth) {
    Code code;
    while (More() && text_[at_] != '|' && text_[at_] != ')') {
      NEXUS_TRY(const Code item, Repeated(depth));
      Append(code, item);
      if (code.size() > kInstructionsMax) return Fail("the pattern is too large");
    }
    return code;
  }

  Result<Code> Repeated(int depth) {
    NEXUS_TRY(Code item, Atom(depth));
    while (More()) {
      int min = 0;
      int max = -1;
      if (Take('*')) {
      } else if (Take('+')) {
        min = 1;
      } else if (Take('?')) {
        max = 1;
      } else if (text_[at_] == '{') {
        NEXUS_TRY_STATUS(Counts(min, max));
      } else {
        break;
      }
      Take('?');  // Lazy or greedy: the same lines match.
      item = Repeat(item, min, max);
      if (item.size() > kInstructionsMax) return Fail("the pattern is too large");
    }
    return item;
  }

  static Code Repeat(const Code& item, int min, int max) {
    const auto size = static_cast<std::int32_t>(item.size());
    Code code;
    for (int i = 0; i < min && code.size() <= kInstructionsMax; ++i) Append(code, item);
    if (max < 0) {
      code.push_back({Op::kSplit, 1, size + 2, 0});
      Append(code, item);
      code.push_back({Op::kJump, -(size + 1), 0, 0});
    }
    for (int i = min; i < max && code.size() <= kInstructionsMax; ++i) {
      code.push_back({Op::kSplit, 1, size + 1, 0});
      Append(code, item);
    }
    return code;
  }

  Result<void> Counts(int& min, int& max) {
    ++at_;
    const auto number = [&](int& n) {
      const std::size_t start = at_;
      for (n = 0; More() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        n = std::min(n * 10 + (text_[at_] - '0'), kRepeatMax + 1);
      }
      return at_ > start;
    };
    bool good = number(min);
    max = min;
    if (good && Take(',') && !number(max)) max = -1;
    good = good && Take('}') && min <= kRepeatMax && max <= kRepeatMax && (max < 0 || min <= max);
    if (!good) return Fail("write {m}, {m,} or {m,n} with at most 200");
    return {};
  }

  Result<Code> Atom(int depth) {
    const char c = text_[at_++];
    switch (c) {
      case '(': {
        if (Take('?') && !Take(':')) return Fail("only (?: is known behind '('");
        NEXUS_TRY(Code inner, Alternatives(depth + 1));
        if (!Take(')')) return Fail("')' is missing");
        return inner;
      }
      case '.':
        return OneOf(ByteSet().set());
      case '^':
        return Code{{Op::kBegin}};
      case '$':
        return Code{{Op::kEnd}};
      case '[':
        return Class();
      case '*':
      case '+':
      case '?':
        return Fail("nothing to repeat");
      case '\\': {
        if (!More()) return Fail("'\\' at the end");
        const char escaped = text_[at_++];
        if (escaped == 'b') return Code{{Op::kWordEdge}};
        if (escaped == 'B') return Code{{Op::kNotWordEdge}};
        ByteSet set;
        NEXUS_TRY_STATUS(Escape(escaped, set));
        return OneOf(set);
      }
      default:
        return OneByte(c);
    }
  }

  Result<void> Escape(char c, ByteSet& set) const {
    ByteSet named;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    for (unsigned i = 0; i < 256; ++i) {
      const auto byte = static_cast<unsigned char>(i);
      if (lower == 'd') named[i] = byte >= '0' && byte <= '9';
      if (lower == 'w') named[i] = IsWordByte(byte);
      if (lower == 's') named[i] = byte == ' ' || (byte >= 9 && byte <= 13);
    }
    if (named.any()) {
      set |= lower == c ? named : ~named;
    } else if (c == 't') {
      set.set('\t');
    } else if (IsWordByte(static_cast<unsigned char>(c))) {
      return Fail(fmt::format("'\\{}' is not known", c));
    } else {
      set.set(static_cast<unsigned char>(c));
    }
    return {};
  }

  Result<Code> Class() {
    const bool negated = Take('^');
    ByteSet set;
    for (bool first = true;; first = false) {
      if (!More()) return Fail("']' is missing");
      const auto low = static_cast<unsigned char>(text_[at_++]);
      if (low == ']' && !first) break;
      if (low >= 0x80) return Fail("only ASCII characters are allowed in [...]");
      if (low == '\\') {
        if (!More()) return Fail("']' is missing");
        NEXUS_TRY_STATUS(Escape(text_[at_++], set));
        continue;
      }
      unsigned high = low;
      if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        high = static_cast<unsigned char>(text_[at_ + 1]);
        at_ += 2;
        if (high < low || high >= 0x80 || high == '\\')
          return Fail("not a range of ASCII characters");
      }
      for (unsigned i = low; i <= high; ++i) set.set(i);
    }
    if (options_.ignore_case && negated) {
      for (unsigned i = 'a'; i <= 'z'; ++i) {
        if (set[i] || set[i - 32]) set.set(i).set(i - 32);
      }
    }
    if (!negated) return OneOf(set);
    set.flip();
    sets_.push_back(set);
    return Code{{Op::kSet, 0, 0, static_cast<std::uint32_t>(sets_.size() - 1)}};
  }

  std::string_view text_;
  PatternOptions options_;
  std::vector<ByteSet>& sets_;
  std::size_t at_ = 0;
};

// Pike's simulation: the threads in order of priority, each instruction at most once a byte.
class Pattern::Matcher {
 public:
  Matcher(const Pattern& pattern, std::string_view line)
      : code_(pattern.code_), sets_(pattern.sets_), line_(line), mark_(code_.size(), kNever) {}

  std::optional<std::size_t> Find() {
    for (std::size_t at = 0; at <= line_.size(); ++at) {
      // Threads that began earlier stand first; once one has matched, later starts cannot win.
      if (!best_) AddThread(0, at, at);
      std::swap(current_, next_);
      next_.clear();
      if (current_.empty() && best_) break;
      for (const Thread& thread : current_) {
        if (best_ && thread.start >= *best_) break;
        if (code_[thread.at].op == Op::kMatch) {
          best_ = thread.start;
          break;
        }
        if (at == line_.size()) continue;
        const auto byte = static_cast<unsigned char>(line_[at]);
        if (sets_[code_[thread.at].set][byte]) AddThread(thread.at + 1, thread.start, at + 1);
      }
      current_.clear();
    }
    return best_;
  }

 private:
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  struct Thread {
    std::size_t at;
    std::size_t start;
  };

  bool AtWordEdge(std::size_t at) const {
    const bool before = at > 0 && IsWordByte(static_cast<unsigned char>(line_[at - 1]));
    const bool after = at < line_.size() && IsWordByte(static_cast<unsigned char>(line_[at]));
    return before != after;
  }

  // Follows jumps to the instructions that take a byte. The stack is explicit: patterns are
  // hostile.
  void AddThread(std::size_t first, std::size_t start, std::size_t at) {
    stack_.push_back(first);
    while (!stack_.empty()) {
      const std::size_t pc = stack_.back();
      stack_.pop_back();
      if (mark_[pc] == at) continue;
      mark_[pc] = at;
      const Instruction& instruction = code_[pc];
      const auto target = [&](std::int32_t offset) {
        return static_cast<std::size_t>(static_cast<std::int64_t>(pc) + offset);
      };
      switch (instruction.op) {
        case Op::kJump:
          stack_.push_back(target(instruction.x));
          break;
        case Op::kSplit:
          stack_.push_back(target(instruction.y));
          stack_.push_back(target(instruction.x));
          break;
        case Op::kBegin:
          if (at == 0) stack_.push_back(pc + 1);
          break;
        case Op::kEnd:
          if (at == line_.size()) stack_.push_back(pc + 1);
          break;
        case Op::kWordEdge:
          if (AtWordEdge(at)) stack_.push_back(pc + 1);
          break;
        case Op::kNotWordEdge:
          if (!AtWordEdge(at)) stack_.push_back(pc + 1);
          break;
        case Op::kSet:
        case Op::kMatch:
          next_.push_back({pc, start});
          break;
      }
    }
  }

  const Code& code_;
  const std::vector<ByteSet>& sets_;
  std::string_view line_;
  std::vector<std::size_t> mark_;  // Position at which an instruction was last added.
  std::vector<Thread> current_;
  std::vector<Thread> next_;
  std::vector<std::size_t> stack_;
  std::optional<std::size_t> best_;
};

Result<Pattern> Pattern::Compile(std::string_view text, PatternOptions options) {
  Pattern pattern;
  Parser parser(text, options, pattern.sets_);
  NEXUS_TRY(pattern.code_, parser.Parse());
  pattern.code_.push_back({Op::kMatch});
  return pattern;
}

std::optional<std::size_t> Pattern::Find(std::string_view line) const {
  return Matcher(*this, line).Find();
}

}  // namespace nexus::internal
