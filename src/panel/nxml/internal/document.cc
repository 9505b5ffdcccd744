#include "panel/nxml/internal/document.h"

#include <expat.h>

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace nexus::internal {
namespace {

constexpr std::string_view kCdataBegin = "<![CDATA[";
constexpr std::string_view kCdataEnd = "]]>";

/// What the pre-pass took out of the file before the XML parser sees it: bodies of handlers.
struct Cut {
  std::size_t at = 0;  ///< In the file.
  std::size_t length = 0;
};

struct Prepared {
  std::string text;
  std::vector<Cut> cuts;

  // From a place in `text` to one in the file.
  std::size_t Original(std::size_t offset) const {
    for (const Cut& cut : cuts) {
      if (offset < cut.at) break;
      offset += cut.length;
    }
    return offset;
  }
};

// Past the end of the tag that begins at `at`; npos when it does not end.
std::size_t TagEnd(std::string_view text, std::size_t at) {
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

bool IsHandlerTag(std::string_view text, std::size_t at) {
  constexpr std::string_view kTag = "<Handler";
  if (text.substr(at, kTag.size()) != kTag) return false;
  const char next = at + kTag.size() < text.size() ? text[at + kTag.size()] : '\0';
  return next == '>' || next == '/' || next == ' ' || next == '\t' || next == '\n' || next == '\r';
}

// Where the body that begins at `at` ends: at its `</Handler`, not one within CDATA.
std::size_t BodyEnd(std::string_view text, std::size_t at) {
  while (true) {
    const std::size_t end = text.find("</Handler", at);
    const std::size_t cdata = text.find(kCdataBegin, at);
    if (end == std::string_view::npos || cdata == std::string_view::npos || end < cdata) return end;
    const std::size_t closed = text.find(kCdataEnd, cdata);
    if (closed == std::string_view::npos) return end;
    at = closed + kCdataEnd.size();
  }
}

// Handler bodies are raw text: they are cut out here and put back as they are.
Prepared CutBodies(std::string_view source, std::optional<std::size_t>& unclosed) {
  Prepared prepared;
  prepared.text.reserve(source.size());
  std::size_t copied = 0;
  std::size_t at = 0;
  while ((at = source.find('<', at)) != std::string_view::npos) {
    const std::string_view rest = source.substr(at);
    if (rest.starts_with("<!--")) {
      const std::size_t end = source.find("-->", at + 4);
      if (end == std::string_view::npos) break;
      at = end + 3;
    } else if (rest.starts_with(kCdataBegin)) {
      const std::size_t end = source.find(kCdataEnd, at);
      if (end == std::string_view::npos) break;
      at = end + kCdataEnd.size();
    } else if (!IsHandlerTag(source, at)) {
      ++at;
    } else {
      const std::size_t begin = TagEnd(source, at);
      if (begin == std::string_view::npos) break;
      if (source[begin - 2] == '/') {
        at = begin;
        continue;
      }
      const std::size_t end = BodyEnd(source, begin);
      if (end == std::string_view::npos) {
        unclosed = at;
        break;
      }
      prepared.text.append(source.substr(copied, begin - copied));
      prepared.cuts.push_back({.at = begin, .length = end - begin});
      copied = at = end;
    }
  }
  prepared.text.append(source.substr(copied));
  return prepared;
}

// Marks become blanks, so that every character of the code keeps its line and column.
std::string BlankCdata(std::string_view body, bool& had) {
  std::string code(body);
  std::size_t at = 0;
  while ((at = code.find(kCdataBegin, at)) != std::string::npos) {
    had = true;
    std::fill_n(code.begin() + static_cast<std::ptrdiff_t>(at), kCdataBegin.size(), ' ');
    const std::size_t end = code.find(kCdataEnd, at);
    if (end == std::string::npos) break;
    std::fill_n(code.begin() + static_cast<std::ptrdiff_t>(end), kCdataEnd.size(), ' ');
    at = end;
  }
  return code;
}

/// What expat calls back into.
class TreeBuilder {
 public:
  TreeBuilder(std::string_view source, const Prepared& prepared, const Places& places,
              const NxmlLimits& limits, std::vector<NxmlProblem>& problems)
      : source_(source),
        prepared_(prepared),
        places_(places),
        limits_(limits),
        problems_(problems),
        parser_(XML_ParserCreate("UTF-8"), &XML_ParserFree) {}

  Document Build() {
    XML_Parser parser = parser_.get();
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &OnOpen, &OnClose);
    XML_SetCharacterDataHandler(parser, &OnText);
    XML_SetCommentHandler(parser, &OnComment);
    XML_SetStartDoctypeDeclHandler(parser, &OnDoctype);
    const auto status =
        XML_Parse(parser, prepared_.text.data(), static_cast<int>(prepared_.text.size()), XML_TRUE);
    if (status != XML_STATUS_OK) {
      if (!stopped_) Malformed();
      document_.root = nullptr;
    }
    return std::move(document_);
  }

 private:
  static TreeBuilder& Self(void* self) { return *static_cast<TreeBuilder*>(self); }
  static void OnOpen(void* self, const XML_Char* name, const XML_Char** attributes) {
    Self(self).Open(name, attributes);
  }
  static void OnClose(void* self, const XML_Char*) { Self(self).Close(); }
  static void OnText(void* self, const XML_Char* text, int size) {
    Self(self).Text({text, static_cast<std::size_t>(size)});
  }
  static void OnComment(void* self, const XML_Char* text) { Self(self).Comment(text); }
  static void OnDoctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    Self(self).Stop("INVALID_XML",
                    "a DOCTYPE is not allowed: a panel needs no DTD, and entities of one could "
                    "grow without bound; remove it");
  }

  std::size_t Here() const {
    return prepared_.Original(static_cast<std::size_t>(XML_GetCurrentByteIndex(parser_.get())));
  }

  void Stop(std::string code, std::string message) {
    if (stopped_) return;
    stopped_ = true;
    problems_.push_back({.code = std::move(code),
                         .message = std::move(message),
                         .position = places_.At(Here()),
                         .path = "parser"});
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  void Malformed() {
    const XML_Error code = XML_GetErrorCode(parser_.get());
    std::string message = XML_ErrorString(code);
    if (code == XML_ERROR_TAG_MISMATCH && !open_.empty()) {
      message = "the end tag does not match: <" + open_.back()->name + "> of line " +
                std::to_string(places_.At(open_.back()->offset).line) + " is open";
    } else if (code == XML_ERROR_INVALID_TOKEN) {
      message += ": a bare < or & in text or an attribute is written &lt; or &amp;";
    } else if (code == XML_ERROR_NO_ELEMENTS) {
      message = open_.empty()
                    ? "there is no element: a panel begins with <NexusPanel>"
                    : "the file ends while <" + open_.back()->name + "> of line " +
                          std::to_string(places_.At(open_.back()->offset).line) + " is open";
    } else if (code == XML_ERROR_UNDEFINED_ENTITY) {
      message += ": only &lt; &gt; &amp; &quot; &apos; and numbers (&#160;) are known";
    }
    problems_.push_back({.code = "INVALID_XML",
                         .message = std::move(message),
                         .position = places_.At(std::min(Here(), source_.size())),
                         .path = "parser"});
  }

  void Open(const XML_Char* name, const XML_Char** attributes) {
    if (stopped_) return;
    if (open_.size() >= limits_.depth_max) {
      return Stop("INVALID_XML",
                  "elements are nested more than " + std::to_string(limits_.depth_max) + " deep");
    }
    if (++elements_ > limits_.elements_max) {
      return Stop("INVALID_XML", "more than " + std::to_string(limits_.elements_max) + " elements");
    }
    auto element = std::make_unique<Element>();
    element->name = name;
    element->offset = Here();
    for (; *attributes != nullptr; attributes += 2) {
      element->attributes.emplace_back(attributes[0], attributes[1]);
    }
    if (element->name == "Handler") TakeBody(*element);
    Element* const raw = element.get();
    if (open_.empty()) {
      document_.root = std::move(element);
    } else {
      open_.back()->content.push_back({.element = std::move(element), .text = {}});
    }
    open_.push_back(raw);
  }

  void TakeBody(Element& element) {
    while (next_cut_ < prepared_.cuts.size() && prepared_.cuts[next_cut_].at < element.offset) {
      ++next_cut_;
    }
    if (next_cut_ == prepared_.cuts.size()) return;
    const Cut& cut = prepared_.cuts[next_cut_];
    if (TagEnd(source_, element.offset) != cut.at) return;  // Self-closed.
    ++next_cut_;
    element.has_body = true;
    element.body_offset = cut.at;
    element.body = BlankCdata(source_.substr(cut.at, cut.length), element.body_has_cdata);
  }

  void Close() {
    if (!open_.empty()) open_.pop_back();
  }

  void Text(std::string_view text) {
    if (stopped_ || open_.empty()) return;
    std::vector<Content>& content = open_.back()->content;
    if (content.empty() || content.back().element != nullptr) {
      content.push_back({.element = nullptr, .text = {.text = {}, .offset = Here()}});
    }
    content.back().text.text.append(text);
  }

  void Comment(const XML_Char* text) {
    if (document_.root == nullptr) {
      document_.comments_before.emplace_back(text);
    } else if (document_.comment_inside == SIZE_MAX) {
      document_.comment_inside = Here();
    }
  }

  std::string_view source_;
  const Prepared& prepared_;
  const Places& places_;
  const NxmlLimits& limits_;
  std::vector<NxmlProblem>& problems_;
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
  Document document_;
  std::vector<Element*> open_;
  std::uint32_t elements_ = 0;
  std::size_t next_cut_ = 0;
  bool stopped_ = false;
};

}  // namespace

const std::string* Element::Find(std::string_view attribute) const {
  for (const auto& [key, value] : attributes) {
    if (key == attribute) return &value;
  }
  return nullptr;
}

// expat tells where an element is, not where its attributes are: the tag is read once more.
std::size_t Places::AttributeOffset(const Element& element, std::string_view attribute,
                                    bool of_name) const {
  const std::size_t end = TagEnd(source_, element.offset);
  std::size_t at = element.offset + 1 + element.name.size();
  constexpr std::string_view kBlank = " \t\r\n";
  while (at < std::min(end, source_.size())) {
    at = source_.find_first_not_of(kBlank, at);
    if (at == std::string_view::npos) break;
    const std::size_t name_end = source_.find_first_of("= \t\r\n/>", at);
    if (name_end == std::string_view::npos) break;
    const std::string_view name = source_.substr(at, name_end - at);
    const std::size_t quote = source_.find_first_of("\"'", name_end);
    if (quote == std::string_view::npos || quote >= end) break;
    if (name == attribute) return of_name ? at : quote + 1;
    const std::size_t close = source_.find(source_[quote], quote + 1);
    if (close == std::string_view::npos) break;
    at = close + 1;
  }
  return element.offset;
}

Document ReadDocument(std::string_view source, const Places& places, const NxmlLimits& limits,
                      std::vector<NxmlProblem>& problems) {
  const auto refuse = [&](std::size_t offset, std::string message) {
    problems.push_back({.code = "INVALID_XML",
                        .message = std::move(message),
                        .position = places.At(offset),
                        .path = "parser"});
    return Document();
  };
  if (source.size() > limits.source_bytes_max) {
    return refuse(0, "the file has " + std::to_string(source.size()) + " bytes, and at most " +
                         std::to_string(limits.source_bytes_max) + " are read");
  }
  if (const std::size_t invalid = FindInvalidUtf8(source); invalid != kValid) {
    return refuse(invalid, "this byte is not UTF-8: save the file as UTF-8");
  }
  std::optional<std::size_t> unclosed;
  const Prepared prepared = CutBodies(source, unclosed);
  if (unclosed) return refuse(*unclosed, "this Handler has no </Handler>");
  return TreeBuilder(source, prepared, places, limits, problems).Build();
}

}  // namespace nexus::internal
