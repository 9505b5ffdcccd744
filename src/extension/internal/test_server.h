#pragma once
/// A small HTTP/1.1 server on the loopback, for tests: it says what the test wants, well-formed or
/// not, and remembers what it was asked.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"

namespace nexus::internal {

struct TestRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  ///< Lower-case names.
  std::string body;
};

struct TestReply {
  int status = 200;
  std::vector<std::string> headers = {};  ///< "name: value"
  std::string body = {};
  std::string raw = {};  ///< Sent as it is, instead of all the above, and the connection closed.
  std::chrono::milliseconds delay{0};
  std::vector<std::string> chunks = {};  ///< Sent one by one, chunked, instead of the body.
  std::chrono::milliseconds chunk_gap{0};
};

/// One thread a connection; keeps connections alive. The handler is called from several threads.
class TestServer {
 public:
  using Handler = std::function<TestReply(const TestRequest&)>;

  explicit TestServer(Handler handler, std::uint16_t port = 0) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    const bool ready = bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       listen(listener_, 128) == 0 &&
                       getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    NEXUS_CHECK(ready, "the test server cannot listen");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }

  ~TestServer() {
    stopping_ = true;
    acceptor_.join();
    close(listener_);
    for (std::thread& thread : connections_) thread.join();
  }

  std::uint16_t port() const { return port_; }
  std::string Url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int connection_count() const { return connection_count_; }
  std::vector<TestRequest> Requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void Accept() {
    while (!stopping_) {
      pollfd waiting = {.fd = listener_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connection_count_;
      connections_.emplace_back([this, fd] {
        std::string buffer;
        while (!stopping_ && ServeOne(fd, buffer)) {
        }
        close(fd);
      });
    }
  }

  // Reads more into `buffer`; false at the end of the connection or of the server.
  bool ReadMore(int fd, std::string& buffer) {
    while (!stopping_) {
      pollfd waiting = {.fd = fd, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      char chunk[65536];
      const ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
      if (got <= 0) return false;
      buffer.append(chunk, static_cast<std::size_t>(got));
      return true;
    }
    return false;
  }

  bool ServeOne(int fd, std::string& buffer) {
    std::size_t end = 0;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore(fd, buffer)) return false;
    }
    TestRequest request = ParseHead(buffer.substr(0, end));
    buffer.erase(0, end + 4);
    const auto length = request.headers.find("content-length");
    const std::size_t wanted = length == request.headers.end() ? 0 : std::stoul(length->second);
    while (buffer.size() < wanted) {
      if (!ReadMore(fd, buffer)) return false;
    }
    request.body = buffer.substr(0, wanted);
    buffer.erase(0, wanted);
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    const TestReply reply = handler_(request);
    Sleep(reply.delay);
    if (!reply.raw.empty()) {
      Send(fd, reply.raw);
      return false;
    }
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
    for (const std::string& header : reply.headers) text += header + "\r\n";
    if (!reply.chunks.empty()) return SendChunks(fd, text, reply);
    text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n";
    if (request.method != "HEAD") text += reply.body;
    return Send(fd, text);
  }

  void Sleep(std::chrono::milliseconds span) const {
    const auto until = std::chrono::steady_clock::now() + span;
    while (!stopping_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  bool SendChunks(int fd, const std::string& head, const TestReply& reply) const {
    if (!Send(fd, head + "Transfer-Encoding: chunked\r\n\r\n")) return false;
    for (const std::string& chunk : reply.chunks) {
      char size[32];
      std::snprintf(size, sizeof(size), "%zx\r\n", chunk.size());
      if (!Send(fd, size + chunk + "\r\n")) return false;
      Sleep(reply.chunk_gap);
    }
    return Send(fd, "0\r\n\r\n");
  }

  static TestRequest ParseHead(const std::string& head) {
    TestRequest request;
    std::size_t line_end = head.find("\r\n");
    const std::string first = head.substr(0, line_end);
    request.method = first.substr(0, first.find(' '));
    request.target = first.substr(first.find(' ') + 1);
    request.target = request.target.substr(0, request.target.find(' '));
    while (line_end != std::string::npos) {
      const std::size_t start = line_end + 2;
      line_end = head.find("\r\n", start);
      const std::string line = head.substr(start, line_end - start);
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      std::string name = line.substr(0, colon);
      for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      const std::size_t value = line.find_first_not_of(' ', colon + 1);
      request.headers[name] = value == std::string::npos ? "" : line.substr(value);
    }
    return request;
  }

  static bool Send(int fd, const std::string& text) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }

  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connection_count_{0};
  std::thread acceptor_;
  std::vector<std::thread> connections_;  // Touched by the acceptor, then by the destructor.
  mutable std::mutex mutex_;
  std::vector<TestRequest> requests_;  // guarded by mutex_
};

}  // namespace nexus::internal
