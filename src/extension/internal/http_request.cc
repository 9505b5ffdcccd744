#include "extension/internal/http_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "extension/internal/call_arguments.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kHeaderBytesMax = 16 * 1024;
constexpr std::uint32_t kRetriesMax = 5;

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

bool IsTokenText(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

// Fields that frame the message or choose its way: the transport's own to set.
bool IsReservedHeader(std::string_view lower_name) {
  constexpr std::array<std::string_view, 11> kReserved = {"host",
                                                          "content-length",
                                                          "transfer-encoding",
                                                          "connection",
                                                          "keep-alive",
                                                          "upgrade",
                                                          "trailer",
                                                          "te",
                                                          "expect",
                                                          "via",
                                                          "http2-settings"};
  return std::find(kReserved.begin(), kReserved.end(), lower_name) != kReserved.end() ||
         lower_name.starts_with("proxy-");
}

Status CheckHeader(std::string_view place, const std::string& name, std::string_view value) {
  if (!IsTokenText(name)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: header name {}: use letters, digits and '-'", place,
                            ToJson(std::string_view(name).substr(0, 80))));
  }
  if (IsReservedHeader(LowerCase(name))) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: header '{}' is set by the transport: leave it out", place, name));
  }
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: header '{}' holds a line break or control character: remove it",
                              place, name));
    }
  }
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> ReadHeaders(std::string_view place,
                                                                     const Value* value) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (value == nullptr || value->is_null()) return headers;
  const ValueObject* object = value->As<ValueObject>();
  if (object == nullptr) {
    return Fail(
        Code::kInvalidArgument,
        fmt::format("{}: option 'headers' must be an object, not {}", place, value->TypeName()));
  }
  std::size_t bytes = 0;
  for (const auto& [name, member] : *object) {
    const std::string* text = member.As<std::string>();
    if (text == nullptr) {
      return Fail(Code::kInvalidArgument, fmt::format("{}: header '{}' must be a string, not {}",
                                                      place, name, member.TypeName()));
    }
    NEXUS_TRY_STATUS(CheckHeader(place, name, *text));
    bytes += name.size() + text->size() + 4;
    headers.emplace_back(name, *text);
  }
  if (headers.size() > kHeadersMax || bytes > kHeaderBytesMax) {
    return Fail(Code::kInvalidArgument, fmt::format("{}: more than {} headers or {} bytes of them",
                                                    place, kHeadersMax, kHeaderBytesMax));
  }
  return headers;
}

bool HasHeader(const HttpRequest& request, std::string_view lower_name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return LowerCase(header.first) == lower_name; });
}

// `json: true` only asks for parsing; any other value is also the body.
Status ReadBody(const OptionReader& reader, const HttpOptions& options, HttpRequest& request) {
  const Value* body = reader.Raw("body");
  const Value* json = reader.Raw("json");
  request.parse_json = json != nullptr && *json != Value(false);
  const bool json_is_body = request.parse_json && *json != Value(true);
  if (body != nullptr && json_is_body) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: give 'body' or 'json', not both", request.place));
  }
  if (json_is_body) {
    request.body = ToJson(*json);
    if (!HasHeader(request, "content-type")) {
      request.headers.emplace_back("content-type", "application/json");
    }
  } else if (body != nullptr && !body->is_null()) {
    if (const std::string* text = body->As<std::string>()) {
      request.body = *text;
    } else if (const Bytes* bytes = body->As<Bytes>()) {
      request.body = bytes->data;
    } else {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: option 'body' must be a string or a Uint8Array, not {}: use "
                              "'json' for other values",
                              request.place, body->TypeName()));
    }
    if (!HasHeader(request, "content-type")) {
      const bool text = body->As<std::string>() != nullptr;
      request.headers.emplace_back("content-type",
                                   text ? "text/plain; charset=utf-8" : "application/octet-stream");
    }
  }
  request.has_body = json_is_body || (body != nullptr && !body->is_null());
  if (request.has_body && (request.method == "GET" || request.method == "HEAD")) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: a {} request carries no body: use post or put", request.place,
                            request.method));
  }
  if (request.body.size() > options.request_bytes_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("{}: the body has {} bytes, {} are allowed: send less", request.place,
                            request.body.size(), options.request_bytes_max));
  }
  return {};
}

bool NamesItsMethod(const ExtensionCall& call) {
  return call.method == "request" || call.method == "stream";
}

Result<std::string> ReadMethod(const ExtensionCall& call, const OptionReader& reader,
                               std::string_view place) {
  if (!NamesItsMethod(call)) {
    std::string method;
    for (const char c : call.method) method += static_cast<char>(c - 32);
    return method;
  }
  NEXUS_TRY(std::string method, reader.String("method", "GET"));
  for (char& c : method) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  constexpr std::array<std::string_view, 7> kMethods = {"GET",  "POST",  "PUT",    "DELETE",
                                                        "HEAD", "PATCH", "OPTIONS"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: option 'method' must be GET, POST, PUT, DELETE, HEAD, PATCH or "
                            "OPTIONS",
                            place));
  }
  return method;
}

// Puts the host's secrets into header fields, each only where its owner said it may go.
Status FillSecrets(const Secrets& secrets, HttpRequest& request) {
  if (Secrets::Mentions(request.url.normalized)) {
    return Fail(Code::kInvalidArgument,
                request.place +
                    ": a secret belongs into a header, not into the url, which is logged "
                    "on the way");
  }
  for (auto& [name, value] : request.headers) {
    if (!Secrets::Mentions(value)) continue;
    const std::optional<Address> address = Address::Parse(request.url.host);
    const bool inside =
        request.url.host == "localhost" || (address && address->Kind() != AddressKind::kPublic);
    if (request.url.scheme != "https" && !inside) {
      return Fail(Code::kPermissionDenied,
                  fmt::format("{}: header '{}': a secret is not sent in clear text: use https",
                              request.place, name));
    }
    Result<std::string> filled = secrets.Fill(value, request.url.host);
    if (!filled) {
      return std::unexpected(
          std::move(filled).error().Context(fmt::format("{}: header '{}'", request.place, name)));
    }
    value = *std::move(filled);
    request.secret_headers.push_back(LowerCase(name));
    request.with_secret = true;
  }
  return {};
}

// Attempts after the first. By itself only what does no harm twice is tried again, and only after
// failures of the connection; a program that asks for it gets more.
Status ReadRetries(const ExtensionCall& call, const OptionReader& reader,
                   const HttpOptions& options, HttpRequest& request) {
  const bool harmless = request.method != "POST" && request.method != "PATCH";
  NEXUS_TRY(const std::uint64_t retries,
            reader.Integer("retries", harmless ? std::min(options.retries, kRetriesMax) : 0, 0,
                           kRetriesMax));
  request.retries = static_cast<std::uint32_t>(retries);
  request.retry_statuses = reader.Raw("retries") != nullptr;
  if (!harmless && !call.idempotency_key.empty() && !HasHeader(request, "idempotency-key")) {
    request.headers.emplace_back("idempotency-key", call.idempotency_key);
  }
  return {};
}

bool IsTextType(std::string_view content_type) {
  const std::string type = LowerCase(content_type.substr(0, content_type.find(';')));
  return type.starts_with("text/") || type.find("json") != std::string::npos ||
         type.find("xml") != std::string::npos || type.find("javascript") != std::string::npos ||
         type.find("yaml") != std::string::npos || type == "application/x-www-form-urlencoded";
}

}  // namespace

Result<HttpRequest> ReadRequest(const ExtensionCall& call, const HttpOptions& options) {
  const CallArguments arguments(call);
  HttpRequest request;
  request.place = arguments.Place();
  request.run_id = call.run_id;
  NEXUS_TRY(const std::string url, arguments.String(0, "url"));
  NEXUS_TRY(const ValueObject* given,
            NamesItsMethod(call)
                ? arguments.Options(1, {"method", "headers", "body", "json", "timeoutMs", "timeout",
                                        "maxBytes", "redirect", "retries"})
                : arguments.Options(1, {"headers", "body", "json", "timeoutMs", "timeout",
                                        "maxBytes", "redirect", "retries"}));
  const OptionReader reader(request.place, given);
  NEXUS_TRY(request.method, ReadMethod(call, reader, request.place));
  NEXUS_TRY(request.headers, ReadHeaders(request.place, reader.Raw("headers")));
  NEXUS_TRY_STATUS(ReadBody(reader, options, request));
  // `timeout` is what panels of the prototype call it.
  NEXUS_TRY(const std::uint64_t short_name,
            reader.Integer("timeout", std::min(options.timeout_ms, options.timeout_ms_max), 1,
                           options.timeout_ms_max));
  NEXUS_TRY(const std::uint64_t timeout_ms,
            reader.Integer("timeoutMs", short_name, 1, options.timeout_ms_max));
  NEXUS_TRY(
      request.response_bytes_max,
      call.method == "stream"
          ? reader.Integer("maxBytes", options.stream_bytes_max, 1, options.stream_bytes_max)
          : reader.Integer("maxBytes", options.response_bytes_max, 1, options.response_bytes_max));
  NEXUS_TRY_STATUS(ReadRetries(call, reader, options, request));
  NEXUS_TRY(const std::string redirect, reader.String("redirect", "follow"));
  if (redirect != "follow" && redirect != "manual" && redirect != "error") {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: option 'redirect' must be \"follow\", \"manual\" or \"error\"",
                            request.place));
  }
  request.redirect = redirect == "follow"   ? RedirectMode::kFollow
                     : redirect == "manual" ? RedirectMode::kManual
                                            : RedirectMode::kError;
  auto parsed = HttpUrl::Parse(url);
  if (!parsed) return std::unexpected(std::move(parsed).error().Context(request.place));
  request.url = *std::move(parsed);
  if (Status allowed = options.policy.CheckUrl(request.url); !allowed) {
    return std::unexpected(std::move(allowed).error().Context(request.place));
  }
  NEXUS_TRY_STATUS(FillSecrets(options.secrets, request));
  auto left = std::chrono::milliseconds(timeout_ms);
  if (call.deadline_unix_ms != 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto until = std::chrono::milliseconds(call.deadline_unix_ms) -
                       std::chrono::duration_cast<std::chrono::milliseconds>(now);
    left = std::clamp(until, std::chrono::milliseconds(1), left);
  }
  request.deadline = std::chrono::steady_clock::now() + left;
  return request;
}

Result<HttpRequest> FollowRedirect(HttpRequest request, long status, std::string_view location,
                                   const HttpPolicy& policy) {
  auto parsed = HttpUrl::Parse(location);
  if (!parsed) {
    return std::unexpected(std::move(parsed).error().Context(request.place + ": redirect"));
  }
  if (Status allowed = policy.CheckUrl(*parsed); !allowed) {
    return std::unexpected(std::move(allowed).error().Context(request.place + ": redirect"));
  }
  const bool rewritten = status == 303
                             ? request.method != "HEAD"
                             : (status == 301 || status == 302) && request.method == "POST";
  const bool other_origin = parsed->Origin() != request.url.Origin();
  std::erase_if(request.headers, [&](const auto& header) {
    const std::string name = LowerCase(header.first);
    const bool secret = name == "authorization" || name == "cookie" ||
                        name.find("token") != std::string::npos ||
                        name.find("api-key") != std::string::npos ||
                        std::find(request.secret_headers.begin(), request.secret_headers.end(),
                                  name) != request.secret_headers.end();
    return (rewritten && name.starts_with("content-")) || (other_origin && secret);
  });
  if (rewritten) {
    request.method = "GET";
    request.body.clear();
    request.has_body = false;
  }
  request.url = *std::move(parsed);
  return request;
}

bool IsRetriedStatus(const HttpRequest& request, long status) {
  return request.retry_statuses &&
         (status == 429 || status == 502 || status == 503 || status == 504);
}

const std::string* FindHeader(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool IsText(const HttpResponse& response) {
  const std::string* type = FindHeader(response, "content-type");
  return type == nullptr || type->empty() || IsTextType(*type);
}

Value HeadToValue(const HttpRequest& request, const HttpResponse& response) {
  ValueObject headers;
  for (const auto& [name, value] : response.headers) {
    std::string text = ToValidUtf8(value);
    if (Value* before = headers.Find(name)) {
      std::string* joined = before->As<std::string>();
      joined->append(name == "set-cookie" ? "\n" : ", ").append(text);
    } else {
      headers.Append(name, std::move(text));
    }
  }
  return Value::Object({{"status", static_cast<double>(response.status)},
                        {"ok", response.status >= 200 && response.status < 300},
                        {"url", request.url.normalized},
                        {"headers", std::move(headers)}});
}

Result<Value> ResponseToValue(const HttpRequest& request, HttpResponse response) {
  Value result = HeadToValue(request, response);
  ValueObject& object = *result.As<ValueObject>();
  const std::string* type = FindHeader(response, "content-type");
  const bool is_json = type != nullptr && LowerCase(*type).find("json") != std::string::npos;
  if (request.parse_json && is_json && !response.body.empty()) {
    Result<Value> json = ParseJson(response.body);
    if (!json) {
      return Fail(Code::kDataLoss,
                  fmt::format("{}: the response of {} (status {}) is not JSON: {}", request.place,
                              request.url.Origin(), response.status, json.error().message()));
    }
    object.Append("data", *json);  // The prototype's name.
    object.Append("json", *std::move(json));
  }
  const bool text = IsText(response) && FindInvalidUtf8(response.body) == kValid;
  object.Append("body",
                text ? Value(std::move(response.body)) : Value(Bytes{std::move(response.body)}));
  return result;
}

}  // namespace nexus::internal
