#include "extension/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace nexus {
namespace {

constexpr std::string_view kOpen = "{{secret:";
constexpr std::string_view kClose = "}}";
constexpr std::size_t kValueBytesMin = 8;
constexpr std::size_t kValueBytesMax = 16 * 1024;

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::string PercentEncoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

bool HostMatches(std::string_view rule, std::string_view host) {
  if (!rule.starts_with("*.")) return rule == host;
  return host.size() > rule.size() - 1 && host.ends_with(rule.substr(1));
}

void ReplaceAll(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

Result<std::string> ReadValue(std::string_view name, const Value& entry) {
  if (const Value* value = entry.Find("value"); value != nullptr && value->As<std::string>()) {
    return *value->As<std::string>();
  }
  if (const Value* variable = entry.Find("env"); variable && variable->As<std::string>()) {
    const std::string& key = *variable->As<std::string>();
    const char* found = std::getenv(key.c_str());
    if (found != nullptr) return std::string(found);
    return Fail(Code::kNotFound,
                fmt::format("secret '{}': the environment has no {}: set it", name, key));
  }
  if (const Value* path = entry.Find("file"); path != nullptr && path->As<std::string>()) {
    Result<std::string> text = ReadFile(*path->As<std::string>(), kValueBytesMax);
    if (!text) {
      return std::unexpected(std::move(text).error().Context(fmt::format("secret '{}'", name)));
    }
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return text;
  }
  return Fail(Code::kInvalidArgument,
              fmt::format("secret '{}': give \"env\", \"file\" or \"value\", a string", name));
}

}  // namespace

Result<Secrets> Secrets::Parse(const Value& settings) {
  const ValueObject* object = settings.As<ValueObject>();
  if (object == nullptr) return Fail(Code::kInvalidArgument, "secrets: must be an object");
  Secrets secrets;
  for (const auto& [name, entry] : *object) {
    if (entry.As<ValueObject>() == nullptr) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("secret '{}': must be an object such as {{\"env\": \"NAME\"}}", name));
    }
    constexpr std::string_view kMembers[] = {"env", "file", "value", "hosts"};
    std::vector<std::string> hosts;
    for (const auto& [key, value] : *entry.As<ValueObject>()) {
      if (std::find(std::begin(kMembers), std::end(kMembers), key) == std::end(kMembers)) {
        return Fail(Code::kInvalidArgument, fmt::format("secret '{}': unknown member '{}'{}", name,
                                                        key, DidYouMean(key, kMembers)));
      }
      if (key != "hosts") continue;
      const ValueArray* list = value.As<ValueArray>();
      for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const std::string* host = (*list)[i].As<std::string>();
        if (host != nullptr) hosts.push_back(*host);
      }
      if (list == nullptr || hosts.size() != list->size()) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("secret '{}': \"hosts\" must be a list of host names", name));
      }
    }
    NEXUS_TRY(std::string value, ReadValue(name, entry));
    NEXUS_TRY_STATUS(secrets.Add(name, std::move(value), std::move(hosts)));
  }
  return secrets;
}

Status Secrets::Add(std::string name, std::string value, std::vector<std::string> hosts) {
  if (!IsName(name)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("secret {}: a name is 1 to 64 letters, digits, '_', '-' or '.'",
                            ToJson(std::string_view(name).substr(0, 80))));
  }
  if (value.size() < kValueBytesMin || value.size() > kValueBytesMax) {
    return Fail(Code::kInvalidArgument,
                fmt::format("secret '{}': a value has {} to {} bytes, this one {}", name,
                            kValueBytesMin, kValueBytesMax, value.size()));
  }
  Entry entry{std::move(name), std::move(value), std::move(hosts), {}};
  std::string json = ToJson(entry.value);
  std::string base64 = ToBase64(entry.value);
  while (base64.ends_with('=')) base64.pop_back();
  entry.forms = {entry.value, PercentEncoded(entry.value), json.substr(1, json.size() - 2), base64,
                 ToBase64Url(entry.value)};
  std::sort(entry.forms.begin(), entry.forms.end());
  entry.forms.erase(std::unique(entry.forms.begin(), entry.forms.end()), entry.forms.end());
  // Longer ones first: a form may contain another.
  std::stable_sort(entry.forms.begin(), entry.forms.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  entries_.push_back(std::move(entry));
  return {};
}

Result<std::string_view> Secrets::Find(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries_) {
    if (entry.name == name) return std::string_view(entry.value);
    names.push_back(entry.name);
  }
  return Fail(Code::kNotFound,
              fmt::format("there is no secret '{}'{}: the operator names secrets in the settings "
                          "of the extension",
                          name.substr(0, 80), DidYouMean(name, names)));
}

bool Secrets::Mentions(std::string_view text) { return text.find(kOpen) != std::string_view::npos; }

Result<std::string> Secrets::Fill(std::string_view text, std::string_view host) const {
  std::string out;
  for (;;) {
    const std::size_t open = text.find(kOpen);
    out += text.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = text.find(kClose, open);
    if (close == std::string_view::npos) {
      return Fail(Code::kInvalidArgument, "a '{{secret:' has no '}}'");
    }
    const std::string_view name = text.substr(open + kOpen.size(), close - open - kOpen.size());
    NEXUS_TRY(const std::string_view value, Find(name));
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.name == name; });
    const bool allowed = std::any_of(entry->hosts.begin(), entry->hosts.end(),
                                     [&](const auto& rule) { return HostMatches(rule, host); });
    if (!allowed) {
      return Fail(Code::kPermissionDenied,
                  fmt::format("the secret '{}' is not for the host '{}': the operator adds it to "
                              "the secret's \"hosts\"",
                              name, host));
    }
    out += value;
    text.remove_prefix(close + kClose.size());
  }
}

std::size_t Secrets::longest_form() const {
  std::size_t longest = 0;
  for (const Entry& entry : entries_) longest = std::max(longest, entry.forms.front().size());
  return longest;
}

void Secrets::Redact(std::string& text) const {
  for (const Entry& entry : entries_) {
    for (const std::string& form : entry.forms) {
      ReplaceAll(text, form, fmt::format("{}{}{}", kOpen, entry.name, kClose));
    }
  }
}

void Secrets::Redact(Value& value) const {
  if (entries_.empty()) return;
  if (std::string* text = value.As<std::string>()) Redact(*text);
  if (Bytes* bytes = value.As<Bytes>()) Redact(bytes->data);
  if (ValueArray* list = value.As<ValueArray>()) {
    for (Value& item : *list) Redact(item);
  }
  if (ValueObject* object = value.As<ValueObject>()) {
    for (auto& [key, member] : object->entries()) {
      Redact(key);
      Redact(member);
    }
  }
}

}  // namespace nexus
