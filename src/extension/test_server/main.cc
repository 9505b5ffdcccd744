// A web server for the end-to-end tests: prints its port, serves until standard input ends.
//   /page/N  a small page after 50 ms    /redirect?URL  a redirect    /big  a body of 3 MB
#include <chrono>
#include <cstdio>
#include <string>

#include "extension/internal/test_server.h"

namespace {

using nexus::internal::TestReply;
using nexus::internal::TestRequest;

TestReply Serve(const TestRequest& request) {
  const std::string html = "Content-Type: text/html; charset=utf-8";
  if (request.target.starts_with("/redirect?")) {
    return {.status = 302, .headers = {"Location: " + request.target.substr(10)}};
  }
  if (request.target == "/big") return {.headers = {html}, .body = std::string(3'000'000, 'x')};
  if (!request.target.starts_with("/page/"))
    return {.status = 404, .headers = {html}, .body = "no such page"};
  return {.headers = {html},
          .body = "<title>Page " + request.target.substr(6) + "</title>",
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
