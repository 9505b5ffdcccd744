// The one file that knows the TOML library.
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "server/config.h"

namespace nexus {
namespace {

std::optional<Value> Scalar(const toml::node& node) {
  if (const auto* text = node.as_string()) return Value(text->get());
  if (const auto* flag = node.as_boolean()) return Value(flag->get());
  if (const auto* whole = node.as_integer()) return Value(static_cast<double>(whole->get()));
  if (const auto* number = node.as_floating_point()) return Value(number->get());
  return std::nullopt;
}

class Flattener {
 public:
  Flattener(std::vector<TomlEntry>& out, std::string_view file) : out_(out), file_(file) {}

  Status Walk(const std::string& prefix, const toml::table& table) {
    for (const auto& [key, node] : table) {
      const std::string path = (prefix.empty() ? "" : prefix + ".") + std::string(key.str());
      const auto where = key.source().begin;
      if (const auto* inner = node.as_table()) {
        if (inner->empty()) Add(path, Value::Object(), where);
        NEXUS_TRY_STATUS(Walk(path, *inner));
      } else if (const auto* list = node.as_array()) {
        NEXUS_TRY_STATUS(List(path, *list, where));
      } else if (std::optional<Value> value = Scalar(node)) {
        Add(path, *std::move(value), where);
      } else {
        return Wrong(where, path + ": dates have no use here");
      }
    }
    return {};
  }

 private:
  Status List(const std::string& path, const toml::array& list, toml::source_position where) {
    ValueArray items;
    std::size_t tables = 0;
    for (const toml::node& node : list) {
      if (const auto* table = node.as_table()) {
        NEXUS_TRY_STATUS(Walk(path + "[" + std::to_string(tables++) + "]", *table));
      } else if (std::optional<Value> value = Scalar(node)) {
        items.push_back(*std::move(value));
      } else {
        return Wrong(where, path + ": a list of plain values, or of tables");
      }
    }
    if (tables == 0) Add(path, Value(std::move(items)), where);
    return {};
  }
  void Add(const std::string& path, Value value, toml::source_position where) {
    out_.push_back(
        {.path = path, .value = std::move(value), .line = where.line, .column = where.column});
  }
  Status Wrong(toml::source_position where, const std::string& what) const {
    return Fail(Code::kInvalidArgument, std::string(file_) + ":" + std::to_string(where.line) +
                                            ":" + std::to_string(where.column) + ": " + what);
  }
  std::vector<TomlEntry>& out_;
  std::string_view file_;
};

// The first character beyond ASCII that is not in a comment of its own line; npos: there is none.
// The library is not asked about them: its tables of Unicode letters end in undefined behaviour for
// some (toml++ 3.3), and its reading of broken strings is not ours to foresee.
std::size_t FindStrayCharacter(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    if (!Trim(line).starts_with('#')) {
      const auto stray = std::find_if(line.begin(), line.end(),
                                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
      if (stray != line.end()) return begin + static_cast<std::size_t>(stray - line.begin());
    }
    begin = end + 1;
  }
  return std::string_view::npos;
}

Result<toml::table> Parse(std::string_view text, std::string_view file) {
  if (const std::size_t stray = FindStrayCharacter(text); stray != std::string_view::npos) {
    const TextPosition where = PositionOf(text, stray);
    return Fail(Code::kInvalidArgument,
                std::string(file) + ":" + std::to_string(where.line) + ":" +
                    std::to_string(where.column) +
                    ": characters beyond ASCII are written \\uXXXX, in a string in double quotes");
  }
  toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const auto where = parsed.error().source().begin;
    return Fail(Code::kInvalidArgument, std::string(file) + ":" + std::to_string(where.line) + ":" +
                                            std::to_string(where.column) + ": " +
                                            std::string(parsed.error().description()));
  }
  return std::move(parsed).table();
}

// A table as it is, with the place of everything in it.
class Nested {
 public:
  Nested(std::map<std::string, std::string>& places, std::string_view file)
      : places_(places), file_(file) {}

  ValueObject Object(const std::string& path, const toml::table& table) {
    ValueObject object;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string inner = path.empty() ? name : path + "." + name;
      places_[inner] = PlaceText(key.source().begin);
      object.Append(name, Node(inner, node));
    }
    return object;
  }
  std::string PlaceText(toml::source_position where) const {
    return std::string(file_) + ":" + std::to_string(where.line) + ":" +
           std::to_string(where.column);
  }

 private:
  Value Node(const std::string& path, const toml::node& node) {
    if (const auto* table = node.as_table()) return Object(path, *table);
    const auto* list = node.as_array();
    if (list == nullptr) return Scalar(node).value_or(Value());
    ValueArray items;
    for (const toml::node& item : *list) {
      const std::string inner = path + "[" + std::to_string(items.size()) + "]";
      places_[inner] = PlaceText(item.source().begin);
      items.push_back(Node(inner, item));
    }
    return items;
  }
  std::map<std::string, std::string>& places_;
  std::string_view file_;
};

}  // namespace

Result<std::vector<TomlEntry>> ReadToml(std::string_view text, std::string_view file) {
  NEXUS_TRY(const toml::table table, Parse(text, file));
  std::vector<TomlEntry> entries;
  NEXUS_TRY_STATUS(Flattener(entries, file).Walk("", table));
  return entries;
}

Result<std::vector<ExtensionTable>> ReadExtensionTables(std::string_view text,
                                                        std::string_view file) {
  NEXUS_TRY(const toml::table root, Parse(text, file));
  std::vector<ExtensionTable> tables;
  const toml::table* extensions = root["extension"].as_table();
  if (extensions == nullptr) return tables;
  for (const auto& [key, node] : *extensions) {
    ExtensionTable table{.name = std::string(key.str())};
    Nested nested(table.places, file);
    const std::string place = nested.PlaceText(key.source().begin);
    const toml::table* settings = node.as_table();
    if (settings == nullptr) {
      return Fail(Code::kInvalidArgument, place + ": extension." + table.name + " must be a table");
    }
    table.settings = nested.Object("", *settings);
    table.places[""] = place;
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace nexus
