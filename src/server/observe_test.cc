// Goal: what happened can be followed from the request through the run to the calls it made, in the
// log, in the figures and in traces; secrets appear in none of them; a collector that is away costs
// spans and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "server/api.h"
#include "server/internal/request_record.h"
#include "server/otlp.h"
#include "server/testing/fake_panel_host.h"
#include "server/testing/http_stub.h"
#include "server/testing/test_client.h"

namespace nexus {
namespace {

using testing::FakePanelHost;
using ::testing::HasSubstr;
using testing::HttpStub;
using ::testing::Not;
using testing::TestClient;

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class SpanList final : public SpanSink {
 public:
  bool Sample() override { return true; }
  void Record(Span span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<Span> spans() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
};

/// The process's log while it lives.
class LogCapture {
 public:
  LogCapture() {
    SetLogSeverity(Severity::kInfo);
    SetLogForm(LogForm::kJson);
    SetLogSink([this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      text_ += line;
    });
  }
  ~LogCapture() {
    SetLogSink(nullptr);
    SetLogForm(LogForm::kText);
    SetLogSeverity(Severity::kWarn);
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

class ObserveTest : public ::testing::Test {
 protected:
  void Start(ApiOptions options, AuthConfig auth = {}) {
    auth_ = Authenticator::Create(std::move(auth)).value();
    PanelDefinition panel;
    panel.id = "p";
    ToolDefinition tool;
    tool.name = "echo";
    panel.tools.push_back(tool);
    ASSERT_TRUE(host_.Mount(panel, "", "ann", {}).has_value());
    api_ = Api::Create(std::move(options), host_, *auth_);
    listener_ = Listener::Start({}, *api_, [this](Listener& l) { api_->Attach(l); }).value();
  }
  void TearDown() override {
    listener_.reset();
    if (api_ != nullptr) api_->Stop();
  }
  std::string Ask(const std::string& line, const std::string& headers = "",
                  const std::string& body = "") {
    TestClient client(listener_->port());
    client.Send(line + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.ReadResponse();
  }

  FakePanelHost host_;
  std::unique_ptr<Authenticator> auth_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ObserveTest, EveryRequestIsALineWithoutSecrets) {
  const LogCapture log;
  AuthConfig auth;
  auth.keys.push_back({.name = "ann",
                       .sha256 = Sha256Hex("key-ann"),
                       .permissions = {"panel:read", "panel:execute"},
                       .capabilities = {"tools:call:*"}});
  Start({.log_requests = true}, auth);
  (void)Ask("POST /panels/p/trigger/echo?ticket=hidden-ticket",
            "X-API-Key: key-ann\r\nTraceparent: " + std::string(kParent) + "\r\n",
            R"({"password":"hidden-args"})");
  (void)Ask("GET /panels/p", "Authorization: Bearer hidden-token\r\n");
  (void)Ask("GET /healthz");
  ASSERT_TRUE(Eventually([&] { return log.text().find("\"status\":401") != std::string::npos; }));
  const std::string text = log.text();
  const Value line = ParseJson(text.substr(0, text.find('\n'))).value();
  EXPECT_EQ(line.StringOr("event", ""), "request");
  EXPECT_EQ(line.StringOr("method", ""), "POST");
  EXPECT_EQ(line.StringOr("path", ""), "/panels/p/trigger/echo");
  EXPECT_EQ(line.StringOr("route", ""), "/panels/{id}/trigger/{tool}");
  EXPECT_EQ(line.NumberOr("status", 0), 200);
  EXPECT_EQ(line.StringOr("principal", ""), "ann");
  EXPECT_EQ(line.StringOr("peer", ""), "127.0.0.1");
  EXPECT_GE(line.NumberOr("durationMs", -1), 0);
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, Not(HasSubstr("key-ann")));
  EXPECT_THAT(text, Not(HasSubstr("healthz"))) << "probes are logged at debug";
}

TEST_F(ObserveTest, ARequestIsASpanBelowItsCaller) {
  const auto spans = std::make_shared<SpanList>();
  Start({.spans = spans});
  (void)Ask("POST /panels/p/trigger/echo", "Traceparent: " + std::string(kParent) + "\r\n", "{}");
  ASSERT_TRUE(Eventually([&] { return spans->spans().size() == 1; }));
  const Span span = spans->spans().front();
  EXPECT_EQ(span.context.TraceIdHex(), "0af7651916cd43dd8448eb211c80319c");
  TraceContext parent;
  parent.span_id = span.parent_id;
  EXPECT_EQ(parent.SpanIdHex(), "b7ad6b7169203331");
  EXPECT_EQ(span.name, "POST /panels/{id}/trigger/{tool}");
  EXPECT_EQ(span.kind, SpanKind::kServer);
  // The run is told the span of the request, not that of the caller.
  const auto panel = std::dynamic_pointer_cast<testing::FakePanel>(host_.Find("p"));
  const auto told = ParseTraceparent(panel->last_traceparent());
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->span_id, span.context.span_id);
  // Who asks says that nobody keeps it.
  std::string unsampled = kParent;
  unsampled.back() = '0';
  (void)Ask("POST /panels/p/trigger/echo", "Traceparent: " + unsampled + "\r\n", "{}");
  (void)Ask("GET /panels");
  ASSERT_TRUE(Eventually([&] { return spans->spans().size() == 2; }));
  EXPECT_EQ(spans->spans().back().name, "GET /panels");
  EXPECT_EQ(panel->last_traceparent(), unsampled);
}

TEST_F(ObserveTest, FiguresHaveTheirNames) {
  Start({});
  (void)Ask("POST /panels/p/trigger/echo", "", "{}");
  const std::string text = Ask("GET /metrics");
  for (const char* name :
       {"nexus_handler_executions_total{status=\"success\"} 1",
        "nexus_handler_executions_total{status=\"error\"} 0",
        "nexus_handler_execution_time_us ",
        "nexus_handler_execution_duration_us{quantile=\"0.99\"}",
        "nexus_cache_hit_rate ",
        "nexus_wasm_cache_hit_rate ",
        "nexus_peak_memory_bytes ",
        "# TYPE nexus_host_calls_total",
        "# TYPE nexus_errors_total",
        "nexus_panel_executions_total{panel_id=\"p\"} 1",
        "nexus_panel_execution_duration_seconds_bucket{panel_id=\"p\",le=\"+Inf\"} 1",
        "nexus_http_request_duration_seconds_bucket{le=\"+Inf\"} 1",
        "nexus_http_request_duration_seconds_count 1",
        "nexus_http_responses_total{class=\"2xx\"} 1",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_virtual_memory_bytes ",
        "process_open_fds ",
        "process_max_fds ",
        "process_start_time_seconds ",
        "process_threads "}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

TEST(RouteOf, FoldsWhatDiffers) {
  const auto route = [](const char* path) {
    return internal::RouteOf(*internal::ParseTarget(path));
  };
  EXPECT_EQ(route("/"), "/");
  EXPECT_EQ(route("/panels/a%20b/state/x?y=1"), "/panels/{id}/state/{key}");
  EXPECT_EQ(route("/panels/a/runs/b/cancel"), "/panels/{id}/runs/{run}/cancel");
  EXPECT_EQ(route("/approvals/a/approve"), "/approvals/{id}/{verb}");
  EXPECT_EQ(route("/panels/a/b/c/d/e/f"), "other");
  EXPECT_EQ(route("/wp-admin"), "other");
}

Span TestSpan(const std::string& name) {
  Span span;
  span.context = NewTrace(true);
  span.name = name;
  span.start_unix_ns = 1'700'000'000'000'000'001;
  span.end_unix_ns = 1'700'000'000'000'000'002;
  span.attributes = {
      {"n", Value(3)}, {"half", Value(0.5)}, {"yes", Value(true)}, {"s", Value("x")}};
  return span;
}

TEST(Otlp, TheBodyIsProtobufsJson) {
  Span span = TestSpan("run add");
  span.failed = true;
  span.message = "TIMEOUT";
  const Value body = ParseJson(OtlpBody({span}, {.instance_id = "i"})).value();
  const Value& resource = (*body.Find("resourceSpans")->As<ValueArray>())[0];
  EXPECT_THAT(ToJson(*resource.Find("resource")),
              HasSubstr(R"({"key":"service.name","value":{"stringValue":"nexus"}})"));
  const Value& scoped = (*resource.Find("scopeSpans")->As<ValueArray>())[0];
  const Value& one = (*scoped.Find("spans")->As<ValueArray>())[0];
  EXPECT_EQ(one.StringOr("traceId", ""), span.context.TraceIdHex());
  EXPECT_EQ(one.Find("parentSpanId"), nullptr);
  EXPECT_EQ(one.StringOr("startTimeUnixNano", ""), "1700000000000000001");
  EXPECT_EQ(ToJson(*one.Find("attributes")),
            R"([{"key":"n","value":{"intValue":"3"}},{"key":"half","value":{"doubleValue":0.5}},)"
            R"({"key":"yes","value":{"boolValue":true}},{"key":"s","value":{"stringValue":"x"}}])");
  EXPECT_EQ(ToJson(*one.Find("status")), R"({"code":2,"message":"TIMEOUT"})");
}

TEST(Otlp, SendsInBatchesAndAgainWhenItIsNotTheTime) {
  std::atomic<int> busy{1};
  const HttpStub collector([&](const HttpRequest&) {
    return busy-- > 0 ? HttpResponse{.status = 503} : HttpResponse{.body = "{}"};
  });
  auto exporter = OtlpExporter::Create({.endpoint = collector.url(),
                                        .headers = {{"Authorization", "Bearer collector-key"}},
                                        .delay_ms = 20});
  ASSERT_TRUE(exporter) << exporter.error().message();
  for (int i = 0; i < 100; ++i) (*exporter)->Record(TestSpan("s" + std::to_string(i)));
  ASSERT_TRUE(Eventually([&] { return (*exporter)->GetStats().exported == 100; }));
  const auto asked = collector.asked();
  EXPECT_LE(asked.size(), 6u);
  EXPECT_EQ(asked.front().path(), "/v1/traces");
  EXPECT_EQ(asked.front().content_type, "application/json");
  EXPECT_EQ(asked.front().authorization, "Bearer collector-key");
  EXPECT_EQ((*exporter)->GetStats().dropped, 0u);
  EXPECT_GE((*exporter)->GetStats().failures, 1u);
}

TEST(Otlp, WhatNobodyTakesIsCountedAndBounded) {
  const HttpStub collector([](const HttpRequest&) { return HttpResponse{.status = 400}; });
  auto refused = OtlpExporter::Create({.endpoint = collector.url(), .delay_ms = 5});
  (*refused)->Record(TestSpan("a"));
  ASSERT_TRUE(Eventually([&] { return (*refused)->GetStats().dropped == 1; }));
  EXPECT_EQ(collector.asked().size(), 1u) << "400 is not tried again";
  // Nobody listens, and the queue is full.
  auto away = OtlpExporter::Create(
      {.endpoint = "http://127.0.0.1:9", .queue_max = 10, .batch_max = 4, .delay_ms = 60'000});
  for (int i = 0; i < 100; ++i) (*away)->Record(TestSpan("b"));
  EXPECT_LE((*away)->GetStats().queued, 10u);
  EXPECT_GE((*away)->GetStats().dropped, 86u);
  // What is not sampled is not sent.
  Span span = TestSpan("c");
  span.context.sampled = false;
  (*refused)->Record(std::move(span));
  EXPECT_EQ((*refused)->GetStats().queued, 0u);
}

TEST(Otlp, WaitsNotForEverAtTheEnd) {
  auto exporter = OtlpExporter::Create({.endpoint = "http://127.0.0.1:9", .delay_ms = 60'000});
  for (int i = 0; i < 3; ++i) (*exporter)->Record(TestSpan("x"));
  const auto begin = std::chrono::steady_clock::now();
  exporter->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST(Otlp, SamplesItsShare) {
  auto exporter = OtlpExporter::Create({.endpoint = "http://127.0.0.1:9", .sample = 0.25});
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += (*exporter)->Sample() ? 1 : 0;
  EXPECT_EQ(kept, 25);
  EXPECT_FALSE(OtlpExporter::Create({.endpoint = "collector:4318"}).has_value());
}

}  // namespace
}  // namespace nexus
