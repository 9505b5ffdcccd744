// Routes below /approvals: runs that ask for rights, and who answers them.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "extension/approval.h"
#include "server/internal/api_impl.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kNoteBytesMax = 1'000;

Approver ApproverOf(const Principal& principal) {
  return {.name = principal.name,
          .capabilities = principal.capabilities,
          .everything = principal.everything};
}

// What the caller sees of a request: with panel:approve all of them, else those of its own runs.
bool Sees(const Principal& principal, const Approval& approval) {
  return principal.May(Permission::kApprove) || approval.principal == principal.name;
}

Value Shown(const Approval& approval, const Principal& principal) {
  Value value = approval.ToValue();
  const bool may = principal.May(Permission::kApprove) && ApproverOf(principal).Holds(approval);
  if (approval.status == ApprovalStatus::kWaiting) {
    value.As<ValueObject>()->Append("mayApprove", may);
  }
  return value;
}

}  // namespace

void ApiImpl::Approvals(const ExchangePtr& exchange) {
  const std::string& method = exchange->request.method;
  const bool reads = method == "GET" || method == "HEAD";
  if (exchange->size() <= 2 && !reads) return exchange->respond(WrongMethod("GET"));
  if (exchange->size() == 3 && method != "POST") return exchange->respond(WrongMethod("POST"));
  // Every answer below reads or writes a file.
  Slowly(exchange, [this, exchange] {
    const Principal& principal = *exchange->principal;
    if (exchange->size() == 1) return exchange->respond(ListApprovals(*exchange));
    if (options_.approvals == nullptr) {
      return exchange->respond(ErrorResponse(404, "NOT_FOUND", "nothing asks for rights here"));
    }
    const Result<Approval> found = options_.approvals->Find(exchange->segment(1));
    if (!found || !Sees(principal, *found)) {
      return exchange->respond(found ? ErrorResponse(404, "NOT_FOUND", "there is no such request")
                                     : FailResponse(found.error()));
    }
    if (exchange->size() == 2) {
      return exchange->respond(JsonResponse(200, Shown(*found, principal)));
    }
    const std::string& verb = exchange->segment(2);
    if (exchange->size() == 3 && (verb == "approve" || verb == "deny")) {
      return exchange->respond(Decide(*exchange, verb == "approve"));
    }
    exchange->respond(
        ErrorResponse(404, "NOT_FOUND", "there is no such route: /openapi.json has all"));
  });
}

HttpResponse ApiImpl::ListApprovals(const Exchange& exchange) const {
  const std::string status = QueryValue(exchange.target.query, "status").value_or("waiting");
  if (status != "waiting" && status != "all") {
    return ErrorResponse(400, "INVALID_ARGUMENT", "status: waiting or all");
  }
  std::vector<Approval> approvals;
  if (options_.approvals != nullptr) {
    if (status == "waiting") {
      approvals = options_.approvals->Waiting();
    } else {
      Result<std::vector<Approval>> history =
          options_.approvals->History(LimitOf(exchange.target.query));
      if (!history) return FailResponse(history.error());
      approvals = *std::move(history);
    }
  }
  ValueArray list;
  for (const Approval& approval : approvals) {
    if (Sees(*exchange.principal, approval)) list.push_back(Shown(approval, *exchange.principal));
  }
  return JsonResponse(200, Value::Object({{"approvals", std::move(list)}}));
}

HttpResponse ApiImpl::Decide(const Exchange& exchange, bool approve) {
  const Principal& principal = *exchange.principal;
  if (!principal.May(Permission::kApprove)) return Denied("panel:approve");
  Value body = Value::Object();
  if (!exchange.request.body.empty()) {
    Result<Value> parsed = ParseJson(exchange.request.body);
    if (!parsed || parsed->As<ValueObject>() == nullptr) {
      return ErrorResponse(400, "INVALID_ARGUMENT",
                           "the body: " + (parsed ? "an object" : parsed.error().message()));
    }
    body = *std::move(parsed);
  }
  const double for_ms = body.NumberOr("forMs", 0);
  if (body.Find("forMs") != nullptr && !(for_ms >= 1 && for_ms <= 1e12)) {
    return ErrorResponse(400, "INVALID_ARGUMENT", "forMs: milliseconds, at least 1");
  }
  const std::string note(body.StringOr("reason", ""));
  if (note.size() > kNoteBytesMax) {
    return ErrorResponse(400, "INVALID_ARGUMENT", "reason: at most 1000 bytes");
  }
  const std::string& id = exchange.segment(1);
  ApprovalExtension& desk = *options_.approvals;
  const Result<Approval> decided =
      approve ? desk.Approve(id, ApproverOf(principal), static_cast<std::int64_t>(for_ms))
              : desk.Deny(id, principal.name, note);
  if (decided) return JsonResponse(200, decided->ToValue());
  // Somebody else was faster, or the run is gone.
  if (decided.error().code() == Code::kInvalidArgument) {
    return ErrorResponse(409, "CONFLICT", decided.error().message());
  }
  return FailResponse(decided.error());
}

}  // namespace nexus::internal
