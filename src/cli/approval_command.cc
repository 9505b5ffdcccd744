// nexus approval list|approve|deny: who answers a run that asks for a right.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "server/fetch.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus approval list
  nexus approval approve 01JD3ZK5T8R8N6W9A2C4E6G8J0 --for 30000
  nexus approval deny 01JD3ZK5T8R8N6W9A2C4E6G8J0 --reason 'Not on a Friday'
They speak to a running nexus serve: --url, or NEXUS_URL. NEXUS_API_KEY is sent as the key; who
approves needs panel:approve and the right that is asked for.)";
constexpr const char* kDefaultUrl = "http://127.0.0.1:3000";

std::string Variable(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

Code CodeOfStatus(int status) {
  switch (status) {
    case 400:
    case 409:
      return Code::kInvalidArgument;
    case 401:
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    default:
      return Code::kUnavailable;
  }
}

std::string TextList(const Value* list) {
  std::vector<std::string> texts;
  if (const auto* items = list == nullptr ? nullptr : list->As<ValueArray>()) {
    for (const Value& item : *items) {
      if (const auto* text = item.As<std::string>()) texts.push_back(*text);
    }
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

class ApprovalCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("approval", "Answer runs that ask for rights");
    app->require_subcommand(1);
    list_ = app->add_subcommand("list", "Requests that wait for an answer");
    list_->add_flag("--all", all_, "Decided ones too, newest first");
    approve_ = app->add_subcommand("approve", "Grant a request");
    approve_->add_option("ID", id_, "The request")->required();
    approve_->add_option("--for", for_ms_, "Grant it for a shorter time")
        ->type_name("MS")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{86'400'000}));
    deny_ = app->add_subcommand("deny", "Refuse a request");
    deny_->add_option("ID", id_, "The request")->required();
    deny_->add_option("--reason", reason_, "What the program is told")->type_name("TEXT");
    for (CLI::App* verb : {list_, approve_, deny_}) {
      verb->add_option("--url", url_, "The node; else NEXUS_URL, else " + std::string(kDefaultUrl))
          ->type_name("URL");
      verb->add_option("--key-file", key_file_, "Holds the API key; else NEXUS_API_KEY")
          ->type_name("FILE");
      AddJsonFlag(*verb, json_);
    }
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    Result<Value> answer = [this]() -> Result<Value> {
      if (*list_) return Ask("GET", all_ ? "/approvals?status=all" : "/approvals", {});
      ValueObject body;
      if (*approve_ && for_ms_ != 0) body.Append("forMs", for_ms_);
      if (*deny_ && !reason_.empty()) body.Append("reason", reason_);
      // An id is letters and digits; anything else would be another path.
      if (id_.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") != std::string::npos) {
        return Fail(Code::kNotFound, "there is no request '" + id_ + "': nexus approval list");
      }
      return Ask("POST", "/approvals/" + id_ + (*approve_ ? "/approve" : "/deny"),
                 ToJson(Value(std::move(body))));
    }();
    if (!answer) return FailWith(answer.error(), json_);
    if (json_) {
      PrintJson(*answer);
    } else if (*list_) {
      ShowList(*answer);
    } else {
      ShowOne(*answer, Terminal(stdout));
    }
    return kExitSuccess;
  }

 private:
  Result<Value> Ask(const std::string& method, const std::string& path, std::string body) {
    FetchRequest request;
    request.url = url_.empty() ? Variable("NEXUS_URL", kDefaultUrl) : url_;
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += path;
    request.method = method;
    request.body = std::move(body);
    std::string key = Variable("NEXUS_API_KEY", "");
    if (!key_file_.empty()) {
      NEXUS_TRY(key, ReadFile(key_file_));
    }
    key = Trim(key);
    if (!key.empty()) request.headers.emplace_back("X-API-Key", key);
    if (method == "POST") request.headers.emplace_back("Content-Type", "application/json");
    Result<FetchedResponse> response = Fetch(request);
    if (!response) {
      return Fail(Code::kUnavailable, response.error().message() +
                                          ": is nexus serve running there? Name it with --url");
    }
    Result<Value> value = ParseJson(response->body);
    if (response->status >= 400 || !value) {
      const Value* error = value ? value->Find("error") : nullptr;
      const std::string message(error == nullptr ? "it answers what no node would"
                                                 : error->StringOr("message", ""));
      return Fail(CodeOfStatus(response->status),
                  fmt::format("{} (status {})", message, response->status));
    }
    return value;
  }

  static void ShowOne(const Value& approval, const Terminal& out) {
    const std::string status(approval.StringOr("status", ""));
    const Style style = status == "approved"  ? Style::kGreen
                        : status == "waiting" ? Style::kYellow
                                              : Style::kRed;
    // Everything here is somebody else's words.
    out.Line(fmt::format("{}  {}  {}", out.Styled(Style::kBold, approval.StringOr("id", "")),
                         out.Styled(style, status),
                         Printable(TextList(approval.Find("capabilities")))));
    out.Line(fmt::format(
        "  {} / {} for {}, {:.0f} s: {}", Printable(approval.StringOr("panelId", "")),
        Printable(approval.StringOr("handler", "")), Printable(approval.StringOr("principal", "")),
        approval.NumberOr("forMs", 0) / 1000, Printable(approval.StringOr("reason", ""))));
    if (status != "waiting") {
      out.Line(fmt::format("  by {} {}", Printable(approval.StringOr("decidedBy", "nobody")),
                           Printable(approval.StringOr("note", ""))));
    }
  }

  static void ShowList(const Value& answer) {
    const Terminal out(stdout);
    const Value* list = answer.Find("approvals");
    const auto* items = list == nullptr ? nullptr : list->As<ValueArray>();
    if (items == nullptr || items->empty()) return out.Line("Nothing waits for an answer.");
    for (const Value& item : *items) ShowOne(item, out);
  }

  CLI::App* list_ = nullptr;
  CLI::App* approve_ = nullptr;
  CLI::App* deny_ = nullptr;
  std::string id_, url_, key_file_, reason_;
  std::int64_t for_ms_ = 0;
  bool all_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeApprovalCommand() { return std::make_unique<ApprovalCommand>(); }

}  // namespace nexus::internal
