#include "panel/nxml/internal/document.h"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/utf8.h"

namespace nexus::internal {
namespace {

constexpr std::string_view kCdataBegin = "<![CDATA[";
constexpr std::string_view kCdataEnd = "]]>";
constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kEndOfName = "> \t\r\n";
// Remedies of one file: more would only repeat what the first ones say, and each costs a pass.
constexpr int kRemediesMax = 20;

/// What the pre-pass took out of the file before the XML parser sees it: bodies of handlers.
struct Cut {
  std::size_t at = 0;  ///< In the file.
  std::size_t length = 0;
};

struct Prepared {
  std::string text;
  std::vector<Cut> cuts;
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
  const std::size_t next = at + kTag.size();
  return next < text.size() &&
         (kEndOfName.find(text[next]) != std::string_view::npos || text[next] == '/');
}

// The next `</Handler` that is an end tag.
std::size_t FindEndTag(std::string_view text, std::size_t at) {
  constexpr std::string_view kEndTag = "</Handler";
  for (;; ++at) {
    at = text.find(kEndTag, at);
    if (at == std::string_view::npos) return at;
    const std::size_t next = at + kEndTag.size();
    if (next == text.size() || kEndOfName.find(text[next]) != std::string_view::npos) return at;
  }
}

// Where the body that begins at `at` ends: at its `</Handler`, not one within CDATA.
std::size_t BodyEnd(std::string_view text, std::size_t at) {
  std::size_t end = FindEndTag(text, at);
  while (end != std::string_view::npos) {
    const std::size_t cdata = text.substr(0, end).find(kCdataBegin, at);
    if (cdata == std::string_view::npos) break;
    const std::size_t closed = text.find(kCdataEnd, cdata);
    if (closed == std::string_view::npos) break;
    at = closed + kCdataEnd.size();
    if (at > end) end = FindEndTag(text, at);
  }
  return end;
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

/// What expat calls back into. One pass over the prepared text.
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
    XML_SetXmlDeclHandler(parser, &OnDeclaration);
    const auto status =
        XML_Parse(parser, prepared_.text.data(), static_cast<int>(prepared_.text.size()), XML_TRUE);
    if (status != XML_STATUS_OK) {
      if (!stopped_) {
        failure_ = XML_GetErrorCode(parser);
        Malformed();
      }
      document_.broken_at = std::min(Here(), source_.size());
      FlushText();
    }
    return std::move(document_);
  }

  /// What ended the pass; XML_ERROR_NONE: nothing, or a limit.
  XML_Error failure() const { return failure_; }
  /// Of the place where it ended, in the prepared text.
  std::size_t failure_index() const {
    return static_cast<std::size_t>(std::max<XML_Index>(0, XML_GetCurrentByteIndex(parser_.get())));
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
    Self(self).Stop(
        "a DOCTYPE is not allowed: a panel needs no DTD, and entities of one could grow without "
        "bound; remove it");
  }
  static void OnDeclaration(void* self, const XML_Char*, const XML_Char* encoding, int) {
    if (encoding != nullptr) Self(self).Encoding(encoding);
  }

  // From the parser's place, which never goes back, to one in the file.
  std::size_t Here() {
    const std::size_t index = failure_index();
    while (passed_cuts_ < prepared_.cuts.size() &&
           index + cut_bytes_ >= prepared_.cuts[passed_cuts_].at) {
      cut_bytes_ += prepared_.cuts[passed_cuts_++].length;
    }
    return index + cut_bytes_;
  }

  void Problem(std::string message) {
    const SourcePosition at = places_.At(std::min(Here(), source_.size()));
    problems_.push_back(
        {.code = "INVALID_XML", .message = std::move(message), .position = at, .path = "parser"});
  }

  void Stop(std::string message) {
    if (stopped_) return;
    stopped_ = true;
    Problem(std::move(message));
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  void Encoding(std::string_view encoding) {
    if (encoding.size() == 5 && (encoding[0] == 'U' || encoding[0] == 'u') &&
        (encoding[1] == 'T' || encoding[1] == 't') && (encoding[2] == 'F' || encoding[2] == 'f') &&
        encoding.substr(3) == "-8") {
      return;
    }
    Stop("the encoding is UTF-8 and no other, not " + std::string(encoding) +
         ": save the file as UTF-8 and say encoding=\"UTF-8\"");
  }

  std::string OpenElement() const {
    return "<" + open_.back()->name + "> of line " +
           std::to_string(places_.At(open_.back()->offset).line);
  }

  void Malformed() {
    std::string message = XML_ErrorString(failure_);
    const std::string_view text = prepared_.text;
    const std::size_t index = std::min(failure_index(), text.size());
    const bool behind_ampersand = index > 0 && text[index - 1] == '&';
    if (failure_ == XML_ERROR_TAG_MISMATCH && !open_.empty()) {
      message = "this end tag closes nothing: " + OpenElement() + " is open";
    } else if (failure_ == XML_ERROR_INVALID_TOKEN || failure_ == XML_ERROR_UNCLOSED_TOKEN) {
      if (behind_ampersand || (index < text.size() && text[index] == '&')) {
        message = "a bare & is written &amp; (and && is &amp;&amp;)";
      } else if (index < text.size() &&
                 (text[index] == '<' || (index > 0 && text[index - 1] == '<'))) {
        message = "a bare < in text or an attribute is written &lt;";
      } else {
        message += ": check the quotes and brackets of this tag";
      }
    } else if (failure_ == XML_ERROR_NO_ELEMENTS) {
      message = open_.empty() ? "there is no element: a panel begins with <NexusPanel>"
                              : "the file ends while " + OpenElement() + " is open";
    } else if (failure_ == XML_ERROR_UNDEFINED_ENTITY) {
      message += ": only &lt; &gt; &amp; &quot; &apos; and numbers (&#160;) are known";
    } else if (failure_ == XML_ERROR_DUPLICATE_ATTRIBUTE) {
      message =
          "the attribute '" + std::string(NameAt(text, index)) + "' is given twice: remove one";
    } else if (failure_ == XML_ERROR_JUNK_AFTER_DOC_ELEMENT) {
      message = "there is something behind </NexusPanel>: remove it";
    }
    Problem(std::move(message));
  }

  static std::string_view NameAt(std::string_view text, std::size_t at) {
    const std::size_t end = text.find_first_of("= \t\r\n", at);
    return text.substr(at, end == std::string_view::npos ? end : end - at);
  }

  void Open(const XML_Char* name, const XML_Char** attributes) {
    if (stopped_) return;
    FlushText();
    if (open_.size() >= limits_.depth_max) {
      return Stop("elements are nested more than " + std::to_string(limits_.depth_max) + " deep");
    }
    if (++elements_ > limits_.elements_max) {
      return Stop("more than " + std::to_string(limits_.elements_max) + " elements");
    }
    auto element = std::make_unique<Element>();
    element->name = name;
    element->offset = Here();
    const std::size_t tag_end = TakeAttributes(*element, attributes);
    if (element->name == "Handler") TakeBody(*element, tag_end);
    Element* const raw = element.get();
    if (open_.empty()) {
      document_.root = std::move(element);
    } else {
      open_.back()->content.push_back({.element = std::move(element), .text = {}});
    }
    open_.push_back(raw);
  }

  // expat tells where a tag is, not where its attributes are: the tag is read once more. It is
  // well-formed. Returns the offset past its `>`.
  std::size_t TakeAttributes(Element& element, const XML_Char** attributes) {
    std::size_t at = element.offset + 1 + element.name.size();
    for (; *attributes != nullptr; attributes += 2) {
      Attribute attribute{.name = attributes[0], .value = attributes[1]};
      while (true) {
        attribute.name_offset = std::min(source_.find_first_not_of(kBlank, at), source_.size());
        const std::size_t quote =
            std::min(source_.find_first_of("\"'", attribute.name_offset), source_.size());
        if (quote == source_.size()) return quote;
        attribute.value_offset = quote + 1;
        at = std::min(source_.find(source_[quote], quote + 1), source_.size() - 1) + 1;
        // One that was given twice was taken out of the parser's text.
        if (NameAt(source_, attribute.name_offset) == attribute.name) break;
      }
      element.attributes.push_back(std::move(attribute));
    }
    return std::min(TagEnd(source_, at), source_.size());
  }

  void TakeBody(Element& element, std::size_t tag_end) {
    const std::vector<Cut>& cuts = prepared_.cuts;
    while (next_cut_ < cuts.size() && cuts[next_cut_].at < element.offset) ++next_cut_;
    if (next_cut_ == cuts.size() || tag_end != cuts[next_cut_].at) return;  // Self-closed.
    const Cut& cut = cuts[next_cut_++];
    element.has_body = true;
    element.body_offset = cut.at;
    element.body = BlankCdata(source_.substr(cut.at, cut.length), element.body_has_cdata);
  }

  void Close() {
    FlushText();
    if (!open_.empty()) open_.pop_back();
  }

  void Text(std::string_view text) {
    if (stopped_ || open_.empty()) return;
    if (text_.empty()) {
      // White space between tags is most of what comes here: it is dropped before it is kept.
      const std::size_t begin = text.find_first_not_of(kBlank);
      if (begin == std::string_view::npos && blanks_.empty()) blanks_offset_ = Here();
      if (begin == std::string_view::npos) {
        blanks_.append(text);
        return;
      }
      text_offset_ = blanks_.empty() ? Here() : blanks_offset_;
      text_.swap(blanks_);
    }
    text_.append(text);
  }

  void FlushText() {
    blanks_.clear();
    if (text_.empty()) return;
    if (!open_.empty()) {
      open_.back()->content.push_back(
          {.element = nullptr, .text = {.text = std::move(text_), .offset = text_offset_}});
    }
    text_.clear();
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
  std::string text_, blanks_;
  std::size_t text_offset_ = 0, blanks_offset_ = 0;
  std::uint32_t elements_ = 0;
  std::size_t next_cut_ = 0;     ///< Whose Handler was not opened.
  std::size_t passed_cuts_ = 0;  ///< Before Here().
  std::size_t cut_bytes_ = 0;    ///< Theirs.
  XML_Error failure_ = XML_ERROR_NONE;
  bool stopped_ = false;
};

// Makes the text at `index`, where `failure` ended a pass, readable without moving anything; false
// when there is no obvious way. A bare `&` becomes `|` and a bare `<` becomes `>`, which an
// expression can hold in the same places.
bool Remedy(std::string& text, XML_Error failure, std::size_t index) {
  if (failure == XML_ERROR_INVALID_TOKEN || failure == XML_ERROR_UNDEFINED_ENTITY) {
    for (const std::size_t at : {index, index - 1}) {
      if (at >= text.size() || (text[at] != '&' && text[at] != '<')) continue;
      text[at] = text[at] == '&' ? '|' : '>';
      return true;
    }
    return false;
  }
  if (failure != XML_ERROR_DUPLICATE_ATTRIBUTE) return false;
  const std::size_t quote = text.find_first_of("\"'", index);
  if (quote == std::string::npos) return false;
  const std::size_t close = text.find(text[quote], quote + 1);
  if (close == std::string::npos) return false;
  std::fill(text.begin() + static_cast<std::ptrdiff_t>(index),
            text.begin() + static_cast<std::ptrdiff_t>(close) + 1, ' ');
  return true;
}

// Bytes that the entity at `at` decodes to, and its length in `size`; 1 and 1 when there is none.
std::size_t DecodedBytes(std::string_view source, std::size_t at, std::size_t& size) {
  size = 1;
  if (source[at] == '\r' && at + 1 < source.size() && source[at + 1] == '\n') size = 2;
  if (source[at] != '&') return 1;
  const std::size_t end = source.find(';', at);
  if (end == std::string_view::npos || end - at > 12) return 1;
  size = end + 1 - at;
  if (source[at + 1] != '#') return 1;
  const bool hex = source[at + 2] == 'x';
  std::uint32_t code = 0;
  std::from_chars(source.data() + at + (hex ? 3 : 2), source.data() + end, code, hex ? 16 : 10);
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

}  // namespace

const Attribute* Element::FindAttribute(std::string_view attribute) const {
  for (const Attribute& one : attributes) {
    if (one.name == attribute) return &one;
  }
  return nullptr;
}

const std::string* Element::Find(std::string_view attribute) const {
  const Attribute* const found = FindAttribute(attribute);
  return found == nullptr ? nullptr : &found->value;
}

std::size_t Element::OffsetOf(std::string_view attribute) const {
  const Attribute* const found = FindAttribute(attribute);
  return found == nullptr ? offset : found->value_offset;
}

SourcePosition Places::At(std::size_t offset) const {
  constexpr std::size_t kWalkMax = 512;
  if (offset < last_offset_ || offset - last_offset_ > kWalkMax || offset > source_.size()) {
    const TextPosition at = lines_.At(offset);
    last_ = {.line = at.line, .column = at.column};
  } else {
    for (std::size_t at = last_offset_; at < offset; ++at) {
      if (source_[at] == '\n') {
        ++last_.line;
        last_.column = 1;
      } else if ((static_cast<unsigned char>(source_[at]) & 0xC0) != 0x80) {
        ++last_.column;
      }
    }
  }
  last_offset_ = offset;
  return last_;
}

std::size_t Places::Within(std::size_t begin, std::size_t decoded) const {
  // Places of one value are asked for from its begin to its end: each goes on where the last one
  // stopped.
  if (begin != within_.begin || decoded < within_.decoded) within_ = {begin, 0, begin};
  while (within_.decoded < decoded && within_.at < source_.size()) {
    std::size_t size = 1;
    const std::size_t bytes = DecodedBytes(source_, within_.at, size);
    if (bytes > decoded - within_.decoded) break;
    within_.decoded += bytes;
    within_.at += size;
  }
  return within_.at;
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
  Prepared prepared = CutBodies(source, unclosed);
  if (unclosed) return refuse(*unclosed, "this Handler has no </Handler>");
  for (int remedies = 0;; ++remedies) {
    TreeBuilder builder(source, prepared, places, limits, problems);
    Document document = builder.Build();
    if (builder.failure() == XML_ERROR_NONE || remedies == kRemediesMax ||
        problems.size() >= limits.problems_max ||
        !Remedy(prepared.text, builder.failure(), builder.failure_index())) {
      return document;
    }
  }
}

}  // namespace nexus::internal
