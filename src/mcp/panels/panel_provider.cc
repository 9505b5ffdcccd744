#include "mcp/panels/panel_provider.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/json.h"
#include "base/workers.h"
#include "mcp/panels/internal/names.h"
#include "mcp/panels/internal/resources.h"
#include "mcp/panels/internal/tools.h"
#include "mcp/panels/internal/watches.h"

namespace nexus::mcp {
namespace {

using internal::Names;
using internal::PanelPath;

// One wording for what is not there and for what may not be seen.
RpcError NoSuch(std::string_view kind, const std::string& name) {
  return {.code = code::kInvalidParams,
          .message = "there is no " + std::string(kind) + " '" + name + "' for this caller",
          .data = {}};
}

RpcError NoResource(const std::string& uri) {
  RpcError error = NoSuch("resource", uri);
  error.data = Value::Object({{"uri", uri}});
  return error;
}

std::string FillIn(const PromptDefinition& prompt, const ValueObject& arguments) {
  std::string text;
  const std::string& from = prompt.text;
  for (std::size_t at = 0; at < from.size();) {
    const std::size_t open = from.find('{', at);
    const std::size_t close = open == std::string::npos ? open : from.find('}', open);
    if (close == std::string::npos) return text + from.substr(at);
    text += from.substr(at, open - at);
    const std::string name = from.substr(open + 1, close - open - 1);
    const Value* given = arguments.Find(name);
    const auto declared = std::find_if(prompt.args.begin(), prompt.args.end(),
                                       [&](const ArgDefinition& arg) { return arg.name == name; });
    if (given != nullptr) {
      text += *given->As<std::string>();
    } else if (declared == prompt.args.end()) {
      text += from.substr(open, close - open + 1);
    } else if (declared->default_value) {
      const auto* words = declared->default_value->As<std::string>();
      text += words != nullptr ? *words : ToJson(*declared->default_value);
    }
    at = close + 1;
  }
  return text;
}

class PanelProviderImpl final : public PanelProvider {
 public:
  PanelProviderImpl(PanelHost& host, PanelProviderOptions options)
      : host_(host), options_(options), slow_("mcp-slow", 1, options.slow_jobs_max) {}

  void PanelsChanged() override {
    (void)CurrentNames();
    for (auto change : {&ChangeObserver::OnToolsChanged, &ChangeObserver::OnPromptsChanged,
                        &ChangeObserver::OnResourcesChanged}) {
      watches_.Tell(change);
    }
  }

  std::vector<Tool> ListTools(const Caller& caller) override {
    const auto names = CurrentNames();
    std::vector<Tool> tools;
    for (const Names::ToolEntry& entry : names->tools()) {
      if (!caller.MayCall(entry.tool->name)) continue;
      tools.push_back(internal::ToolOf(*entry.definition, *entry.tool, entry.name));
    }
    return tools;
  }

  std::vector<Resource> ListResources(const Caller& caller) override {
    std::vector<Resource> resources;
    for (const auto& panel : host_.List()) internal::AppendResources(*panel, caller, resources);
    return resources;
  }

  std::vector<ResourceTemplate> ListTemplates(const Caller& caller) override {
    return caller.may_read ? internal::PanelTemplates() : std::vector<ResourceTemplate>();
  }

  std::vector<Prompt> ListPrompts(const Caller& caller) override {
    std::vector<Prompt> prompts;
    if (!caller.may_read) return prompts;
    const auto names = CurrentNames();
    for (const Names::PromptEntry& entry : names->prompts()) {
      Prompt prompt;
      prompt.name = entry.name;
      prompt.title = entry.definition->title + ": " + entry.prompt->name;
      prompt.description = entry.prompt->description;
      for (const ArgDefinition& arg : entry.prompt->args) {
        prompt.arguments.push_back({.name = arg.name,
                                    .title = {},
                                    .description = arg.description,
                                    .required = arg.required && !arg.default_value});
      }
      prompts.push_back(std::move(prompt));
    }
    return prompts;
  }

  void CallTool(CallPtr call, CallToolParams params) override {
    auto names = KnownNames();
    const Names::ToolEntry* entry = names->FindTool(params.name);
    std::shared_ptr<Panel> panel = entry == nullptr ? nullptr : entry->panel.lock();
    // An updated panel keeps its object but not its tools: the definition tells.
    if (panel == nullptr || &panel->definition() != entry->definition) {
      names = CurrentNames();
      entry = names->FindTool(params.name);
      panel = entry == nullptr ? nullptr : entry->panel.lock();
    }
    if (panel == nullptr || !call->caller().MayCall(entry->tool->name)) {
      return call->Fail(NoSuch("tool", params.name));
    }
    internal::RunTool(panel, *entry->tool, call, std::move(params.arguments));
  }

  void ReadResource(CallPtr call, ReadResourceParams params) override {
    const std::optional<PanelPath> path = internal::ParsePanelUri(params.uri);
    const std::shared_ptr<Panel> panel = path ? host_.Find(path->panel_id) : nullptr;
    if (panel == nullptr || !internal::MayReadPath(*panel, *path, call->caller())) {
      return call->Fail(NoResource(params.uri));
    }
    auto read = [this, panel, path = *path, uri = std::move(params.uri), call] {
      const auto result =
          internal::ReadPath(*panel, path, uri, call->caller(), options_.log_lines_max);
      if (!result) return call->Fail(NoResource(uri));
      call->Finish(*result);
    };
    if (!internal::IsSlow(*path)) return read();
    if (!slow_.Add(read)) {
      call->Fail(
          {.code = code::kInternalError, .message = "too many reads wait: try again", .data = {}});
    }
  }

  void GetPrompt(CallPtr call, GetPromptParams params) override {
    const auto names = CurrentNames();
    const Names::PromptEntry* const entry = names->FindPrompt(params.name);
    if (entry == nullptr || !call->caller().may_read) {
      return call->Fail(NoSuch("prompt", params.name));
    }
    for (const ArgDefinition& arg : entry->prompt->args) {
      if (!arg.required || arg.default_value || params.arguments.Find(arg.name) != nullptr) {
        continue;
      }
      return call->Fail(
          {.code = code::kInvalidParams,
           .message = "prompt " + params.name + ": argument '" + arg.name + "' is missing",
           .data = {}});
    }
    GetPromptResult result;
    result.description = entry->prompt->description;
    result.messages.push_back(
        {.role = "user", .content = TextContent(FillIn(*entry->prompt, params.arguments))});
    call->Finish(result);
  }

  void Complete(CallPtr call, CompleteParams params) override {
    CompleteResult result;
    const auto offer = [&](const std::string& value) {
      if (value.starts_with(params.value)) result.values.push_back(value);
    };
    if (call->caller().may_read) {
      if (params.is_prompt) {
        CompletePrompt(params, offer);
      } else {
        CompleteTemplate(params, call->caller(), offer);
      }
    }
    result.total = static_cast<double>(result.values.size());
    call->Finish(result);
  }

  void SetObserver(ChangeObserver* observer) override { watches_.SetObserver(observer); }

  bool Watch(const Caller& caller, std::string_view uri) override {
    const std::optional<PanelPath> path = internal::ParsePanelUri(uri);
    const std::shared_ptr<Panel> panel = path ? host_.Find(path->panel_id) : nullptr;
    if (panel == nullptr || !internal::MayReadPath(*panel, *path, caller)) return false;
    watches_.Add(panel, uri);
    return true;
  }
  void Unwatch(std::string_view uri) override { watches_.Remove(uri); }

 private:
  template <typename Offer>
  void CompletePrompt(const CompleteParams& params, const Offer& offer) {
    const auto names = CurrentNames();
    const Names::PromptEntry* const entry = names->FindPrompt(params.ref);
    if (entry == nullptr) return;
    for (const ArgDefinition& arg : entry->prompt->args) {
      if (arg.name != params.argument) continue;
      if (arg.type == PanelType::kBoolean) {
        offer("true");
        offer("false");
      } else if (arg.default_value) {
        const auto* text = arg.default_value->As<std::string>();
        offer(text != nullptr ? *text : ToJson(*arg.default_value));
      }
    }
  }

  template <typename Offer>
  void CompleteTemplate(const CompleteParams& params, const Caller& caller, const Offer& offer) {
    if (params.argument == "panelId") {
      for (const auto& panel : host_.List()) offer(panel->id());
      return;
    }
    const Value* const id = params.context.Find("panelId");
    const auto panel = id == nullptr ? nullptr : host_.Find(*id->As<std::string>());
    if (panel == nullptr) return;
    const PanelDefinition& definition = panel->definition();
    if (params.argument == "key") {
      for (const auto& state : definition.states) {
        if (caller.MayRead(state.name)) offer(state.name);
      }
    } else if (params.argument == "name") {
      for (const auto& value : definition.computed) {
        if (caller.MayRead(value.name)) offer(value.name);
      }
    } else if (params.argument == "runId") {
      for (const RunRecord& run : panel->Runs(100)) {
        if (caller.MayRead("*") || run.principal == caller.principal) offer(run.run_id);
      }
    }
  }

  /// As of the last look: calls check that it still holds.
  std::shared_ptr<const Names> KnownNames() {
    const std::lock_guard lock(mutex_);
    if (names_ == nullptr) names_ = std::make_shared<const Names>(host_.List(), options_.flat);
    return names_;
  }
  std::shared_ptr<const Names> CurrentNames() {
    const auto panels = host_.List();
    const std::lock_guard lock(mutex_);
    if (names_ == nullptr || !names_->IsOf(panels)) {
      names_ = std::make_shared<const Names>(panels, options_.flat);
    }
    return names_;
  }

  PanelHost& host_;
  const PanelProviderOptions options_;
  std::mutex mutex_;
  std::shared_ptr<const Names> names_;  // guarded by mutex_
  internal::Watches watches_;
  Workers slow_;  // Ends first: its jobs use the rest.
};

}  // namespace

std::unique_ptr<PanelProvider> PanelProvider::Create(PanelHost& host,
                                                     PanelProviderOptions options) {
  return std::make_unique<PanelProviderImpl>(host, options);
}

}  // namespace nexus::mcp
