// Goal: keys of an OpenID provider are fetched from where it says, over TLS as well, again when a
// token names one that is not known, and not more often than every half minute. Method: a server on
// loopback that gives out the keys of the moment, and counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "server/api.h"
#include "server/fetch.h"
#include "server/jwt.h"
#include "server/testing/fake_panel_host.h"
#include "server/testing/http_stub.h"
#include "server/testing/signer.h"
#include "server/testing/test_client.h"

namespace nexus {
namespace {

using testing::FakePanelHost;
using ::testing::HasSubstr;
using testing::HttpStub;
using testing::Signer;
using testing::TestCertificate;
using testing::TestClient;

constexpr std::int64_t kNow = 1'700'000'000'000;

std::string Claims(std::int64_t unix_ms) {
  return R"({"sub":"ann","exp":)" + std::to_string(unix_ms / 1000 + 60) +
         R"(,"permissions":["panel:read"],"capabilities":["state:read:*"]})";
}

TEST(RemoteKeys, AreFetchedAgainForAnUnknownKeyButNotTooOften) {
  const Signer old_key("ES256"), new_key("ES256");
  std::atomic<bool> rotated{false};
  const HttpStub provider([&](const HttpRequest&) {
    return HttpResponse{.body = rotated ? new_key.Jwks("k2") : old_key.Jwks("k1")};
  });
  auto verifier = JwtVerifier::Create({.jwks_url = provider.url("/keys")});
  ASSERT_TRUE(verifier) << verifier.error().message();
  const std::string token = old_key.Sign(Claims(kNow), "k1");
  EXPECT_EQ((*verifier)->Verify(token, kNow).error().code(), Code::kUnavailable);
  (*verifier)->Refresh(kNow);
  EXPECT_TRUE((*verifier)->Verify(token, kNow).has_value());
  rotated = true;
  const std::string later = new_key.Sign(Claims(kNow), "k2");
  EXPECT_EQ((*verifier)->Verify(later, kNow).error().code(), Code::kUnavailable);
  (*verifier)->Refresh(kNow + 29'000);  // Too soon.
  EXPECT_FALSE((*verifier)->Verify(later, kNow).has_value());
  EXPECT_EQ(provider.asked().size(), 1u);
  (*verifier)->Refresh(kNow + 30'000);
  EXPECT_TRUE((*verifier)->Verify(later, kNow).has_value());
  EXPECT_EQ(provider.asked().size(), 2u);
}

TEST(RemoteKeys, AProviderInTroubleCostsNoKeys) {
  const Signer key("EdDSA");
  std::atomic<int> answer{0};
  const HttpStub provider([&](const HttpRequest&) {
    switch (answer.load()) {
      case 0:
        return HttpResponse{.body = key.Jwks()};
      case 1:
        return HttpResponse{.status = 503, .body = "busy"};
      case 2:
        return HttpResponse{.body = "{\"keys\":[]}"};
      default:
        return HttpResponse{.body = std::string(2 << 20, ' ') + key.Jwks()};
    }
  });
  auto verifier = JwtVerifier::Create({.jwks_url = provider.url("/keys")});
  ASSERT_TRUE(verifier);
  const std::string token = key.Sign(Claims(kNow));
  for (int i = 0; i < 4; ++i) {
    answer = i;
    (*verifier)->Refresh(kNow + i * 60'000);
    EXPECT_TRUE((*verifier)->Verify(token, kNow).has_value()) << i;
  }
  EXPECT_EQ(provider.asked().size(), 4u);
}

TEST(RemoteKeys, ComeOverTlsFromWhomWeTrustOnly) {
  const TestCertificate certificate;
  const Signer key("RS256");
  const HttpStub provider([&](const HttpRequest&) { return HttpResponse{.body = key.Jwks()}; },
                          &certificate);
  const std::string token = key.Sign(Claims(kNow));
  auto trusting = JwtVerifier::Create(
      {.jwks_url = provider.url("/keys"), .jwks_ca_file = certificate.certificate_file()});
  ASSERT_TRUE(trusting);
  (*trusting)->Refresh(kNow);
  EXPECT_TRUE((*trusting)->Verify(token, kNow).has_value());
  auto strict = JwtVerifier::Create({.jwks_url = provider.url("/keys")});
  ASSERT_TRUE(strict);
  (*strict)->Refresh(kNow);
  EXPECT_FALSE((*strict)->Verify(token, kNow).has_value());
}

TEST(RemoteKeys, ManyRequestsWaitForOneFetch) {
  const Signer key("ES256");
  const HttpStub provider([&](const HttpRequest&) { return HttpResponse{.body = key.Jwks()}; });
  AuthConfig config;
  config.jwt.jwks_url = provider.url("/keys");
  auto auth = Authenticator::Create(config);
  ASSERT_TRUE(auth);
  FakePanelHost host;
  const auto api = Api::Create({}, host, **auth);
  auto listener = Listener::Start({}, *api, [&](Listener& l) { api->Attach(l); });
  ASSERT_TRUE(listener);
  const std::string request = "GET /panels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                              key.Sign(Claims(SystemClock().UnixMs())) + "\r\n\r\n";
  // All at once, before any key is known: the fetch of the first is that of all.
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<TestClient>((*listener)->port()));
    clients.back()->Send(request);
  }
  for (const auto& client : clients) EXPECT_THAT(client->ReadResponse(), HasSubstr("200 OK"));
  EXPECT_EQ(provider.asked().size(), 1u);
  const Signer stranger("ES256");
  TestClient client((*listener)->port());
  client.Send("GET /panels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
              stranger.Sign(Claims(SystemClock().UnixMs()), "k9") + "\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), HasSubstr("401 Unauthorized"));
  EXPECT_EQ(provider.asked().size(), 1u);
  listener->reset();
  api->Stop();
}

TEST(Tls, ServesHttpAndRefusesPlainText) {
  const TestCertificate certificate;
  const HttpStub server(
      [](const HttpRequest& request) {
        return HttpResponse{.body = request.secure ? "secure" : "plain"};
      },
      &certificate);
  const auto answer = Fetch({.url = server.url("/"), .ca_file = certificate.certificate_file()});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "secure");
  const std::string url = server.url();
  TestClient plain(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  plain.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(plain.ReadToEnd(), ::testing::Not(HasSubstr("plain")));
  EXPECT_TRUE(plain.ended());
}

TEST(Tls, AWrongCertificateIsNamedAtTheStart) {
  const TestCertificate certificate;
  struct Nothing final : HttpHandler {
    void Handle(HttpRequest, Respond) override {}
    void Upgrade(HttpRequest, UpgradeReply) override {}
    HttpResponse Malformed(int, std::string_view) override { return {}; }
  } nothing;
  const auto started = Listener::Start(
      {.tls_certificate_file = certificate.key_file(), .tls_key_file = certificate.key_file()},
      nothing);
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace nexus
