#pragma once
/// A server that answers as a test says, over HTTP or TLS, and remembers what it was asked; and a
/// certificate for it.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/temp_folder.h"
#include "server/listener.h"

namespace nexus::testing {

/// A self-signed certificate for 127.0.0.1 in a folder that goes with the object.
class TestCertificate {
 public:
  TestCertificate() {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* const name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    for (const auto& [nid, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                     std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    std::FILE* file = std::fopen(certificate_file().c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_file().c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  std::string certificate_file() const { return (folder_.path() / "cert.pem").string(); }
  std::string key_file() const { return (folder_.path() / "key.pem").string(); }

 private:
  const TempFolder folder_;
};

class HttpStub final : public HttpHandler {
 public:
  using Answer = std::function<HttpResponse(const HttpRequest&)>;
  explicit HttpStub(Answer answer, const TestCertificate* tls = nullptr)
      : answer_(std::move(answer)), scheme_(tls == nullptr ? "http" : "https") {
    ListenerOptions options;
    if (tls != nullptr) {
      options.tls_certificate_file = tls->certificate_file();
      options.tls_key_file = tls->key_file();
    }
    auto started = Listener::Start(options, *this);
    if (!started) {
      ADD_FAILURE() << started.error().message();
      std::abort();
    }
    listener_ = *std::move(started);
  }
  std::string url(const std::string& path = "") const {
    return scheme_ + "://127.0.0.1:" + std::to_string(listener_->port()) + path;
  }
  std::vector<HttpRequest> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  void Handle(HttpRequest request, Respond respond) override {
    HttpResponse response = answer_(request);
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(std::move(request));
    }
    respond(std::move(response));
  }
  void Upgrade(HttpRequest, UpgradeReply reply) override {
    reply({.socket = nullptr, .refusal = {.status = 404}});
  }
  HttpResponse Malformed(int status, std::string_view) override { return {.status = status}; }

 private:
  const Answer answer_;
  const std::string scheme_;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> asked_;
  std::unique_ptr<Listener> listener_;  // Last: it ends before what it calls.
};

}  // namespace nexus::testing
