#include "mcp/server/late_provider.h"

#include <utility>

namespace nexus::mcp {

void LateProvider::Ready(Provider& provider) {
  {
    const std::lock_guard lock(mutex_);
    provider_ = &provider;
    if (observer_ != nullptr) provider.SetObserver(observer_);
  }
  decided_.notify_all();
}

void LateProvider::Failed(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    why_ = std::move(why);
  }
  decided_.notify_all();
}

Provider* LateProvider::Get() {
  std::unique_lock lock(mutex_);
  decided_.wait(lock, [this] { return provider_ != nullptr || failed_; });
  return provider_;
}

std::vector<Tool> LateProvider::ListTools(const Caller& caller) {
  Provider* const provider = Get();
  return provider == nullptr ? std::vector<Tool>() : provider->ListTools(caller);
}
std::vector<Resource> LateProvider::ListResources(const Caller& caller) {
  Provider* const provider = Get();
  return provider == nullptr ? std::vector<Resource>() : provider->ListResources(caller);
}
std::vector<ResourceTemplate> LateProvider::ListTemplates(const Caller& caller) {
  Provider* const provider = Get();
  return provider == nullptr ? std::vector<ResourceTemplate>() : provider->ListTemplates(caller);
}
std::vector<Prompt> LateProvider::ListPrompts(const Caller& caller) {
  Provider* const provider = Get();
  return provider == nullptr ? std::vector<Prompt>() : provider->ListPrompts(caller);
}

template <typename Params>
void LateProvider::Forward(CallPtr call, Params params, void (Provider::*serve)(CallPtr, Params)) {
  Provider* const provider = Get();
  if (provider != nullptr) return (provider->*serve)(std::move(call), std::move(params));
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    why = why_;
  }
  call->Fail({.code = code::kInternalError, .message = std::move(why), .data = {}});
}

void LateProvider::CallTool(CallPtr call, CallToolParams params) {
  Forward(std::move(call), std::move(params), &Provider::CallTool);
}
void LateProvider::ReadResource(CallPtr call, ReadResourceParams params) {
  Forward(std::move(call), std::move(params), &Provider::ReadResource);
}
void LateProvider::GetPrompt(CallPtr call, GetPromptParams params) {
  Forward(std::move(call), std::move(params), &Provider::GetPrompt);
}
void LateProvider::Complete(CallPtr call, CompleteParams params) {
  Forward(std::move(call), std::move(params), &Provider::Complete);
}

std::optional<Value> LateProvider::MirroredSchema(const Caller& caller, std::string_view tool) {
  Provider* const provider = Get();
  if (provider == nullptr) return std::nullopt;
  return provider->MirroredSchema(caller, tool);
}

void LateProvider::SetObserver(ChangeObserver* observer) {
  const std::lock_guard lock(mutex_);
  observer_ = observer;
  if (provider_ != nullptr) provider_->SetObserver(observer);
}

bool LateProvider::Watch(const Caller& caller, std::string_view uri) {
  Provider* const provider = Get();
  return provider != nullptr && provider->Watch(caller, uri);
}

void LateProvider::Unwatch(std::string_view uri) {
  if (Provider* const provider = Get()) provider->Unwatch(uri);
}

}  // namespace nexus::mcp
