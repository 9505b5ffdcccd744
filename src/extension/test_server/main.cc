// A web server for the end-to-end tests: prints its port, serves until standard input ends.
//   /page/N  a small page after 50 ms    /redirect?URL  a redirect    /big  a body of 3 MB
//   /echo-header/NAME  what came in that header    /ticks  five words, one every 100 ms
//   .../chat/completions and .../v1/messages  a language model
//   (extension/internal/llm_test_server.h)
#include <chrono>
#include <cstdio>
#include <string>

#include "extension/internal/llm_test_server.h"
#include "extension/internal/test_server.h"

namespace {

using nexus::internal::TestReply;
using nexus::internal::TestRequest;

TestReply Serve(const TestRequest& request) {
  const std::string html = "Content-Type: text/html; charset=utf-8";
  const std::string& target = request.target;
  if (target.ends_with("/chat/completions") || target.ends_with("/v1/messages")) {
    return nexus::internal::TestLlmReply(request);
  }
  if (target.starts_with("/redirect?")) {
    return {.status = 302, .headers = {"Location: " + target.substr(10)}};
  }
  if (target.starts_with("/echo-header/")) {
    const auto header = request.headers.find(target.substr(13));
    return {.headers = {"Content-Type: text/plain"},
            .body = header == request.headers.end() ? "" : header->second};
  }
  if (target == "/ticks") {
    return {.headers = {"Content-Type: text/plain"},
            .chunks = {"one ", "two ", "three ", "four ", "five"},
            .chunk_gap = std::chrono::milliseconds(100)};
  }
  if (target == "/big") return {.headers = {html}, .body = std::string(3'000'000, 'x')};
  if (!target.starts_with("/page/"))
    return {.status = 404, .headers = {html}, .body = "no such page"};
  return {.headers = {html},
          .body = "<title>Page " + target.substr(6) + "</title>",
          .delay = std::chrono::milliseconds(50)};
}

}  // namespace

int main() {
  const nexus::internal::TestServer server(&Serve);
  std::printf("%u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
