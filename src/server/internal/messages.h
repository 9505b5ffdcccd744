#pragma once
/// The JSON texts of contract 10, made once and shared by everybody who gets them.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/value.h"
#include "panel/host/panel_host.h"
#include "sandbox/run_result.h"

namespace nexus::internal {

/// Which state and computed keys a reader may see; null: all.
using KeyFilter = std::function<bool(std::string_view key)>;
using SharedText = std::shared_ptr<const std::string>;

std::string PathText(const StateMutation& mutation);
void AppendMutation(std::string& out, const StateMutation& mutation);
/// Empty when the filter leaves nothing of it.
std::string PatchText(const PanelUpdate& update, const KeyFilter& filter);
std::string EventText(const PanelUpdate& update, std::string_view name, const Value& payload);
std::string ViewText(const PanelUpdate& update);
std::string LogText(const PanelUpdate& update, const LogEntry& entry);
std::string ErrorText(const std::string* request_id, std::string_view code,
                      std::string_view message);
/// `members` of an object whose values pass the filter, as JSON.
void AppendFiltered(std::string& out, const ValueObject& members, const KeyFilter& filter);
/// The result of contract 6, mutations cut to what the filter lets through.
std::string ResultJson(const RunResult& result, const KeyFilter& filter);
Value RunRecordToValue(const RunRecord& record, const KeyFilter& filter);

/// `{"error":{"code","message","details"?}}`
std::string ErrorBody(std::string_view code, std::string_view message, const Value& details = {});

}  // namespace nexus::internal
