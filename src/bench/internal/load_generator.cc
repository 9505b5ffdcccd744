#include "bench/internal/load_generator.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace nexus::bench {
namespace {

// Bytes of the first answer in `buffer`; 0: it is not whole yet.
std::size_t AnswerBytes(std::string_view buffer) {
  const std::size_t head = buffer.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  static constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = buffer.substr(0, head).find(kLength);
  std::size_t length = 0;
  if (at != std::string_view::npos) {
    std::from_chars(buffer.data() + at + kLength.size(), buffer.data() + head, length);
  }
  const std::size_t bytes = head + 4 + length;
  return buffer.size() < bytes ? 0 : bytes;
}

struct Lane {
  Client client;
  std::string request;
  std::string buffer;
  std::int64_t sent_ns = 0;
};

}  // namespace

Result<Client> Client::Connect(std::uint16_t port) {
  Client client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (client.fd_ < 0 ||
      connect(client.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Fail(Code::kUnavailable, "port " + std::to_string(port) + ": " + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(client.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return client;
}

Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

Status Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Fail(Code::kUnavailable, "the server does not read any more");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status Client::Receive(std::string& buffer) {
  std::array<char, 16'384> chunk;
  for (;;) {
    const ssize_t n = recv(fd_, chunk.data(), chunk.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Fail(Code::kUnavailable, "the server has closed the connection");
    buffer.append(chunk.data(), static_cast<std::size_t>(n));
    return {};
  }
}

Status Client::ReceiveUntil(std::string& buffer, std::string_view marker) {
  while (buffer.find(marker) == std::string::npos) NEXUS_TRY_STATUS(Receive(buffer));
  return {};
}

std::string PostRequest(std::string_view path, std::string_view body) {
  std::string request = "POST ";
  request.append(path).append(" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json");
  request.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return request.append(body);
}

Result<Client> OpenWebSocket(std::uint16_t port, std::string_view path, std::string_view marker) {
  NEXUS_TRY(Client client, Client::Connect(port));
  std::string hello = "GET ";
  hello.append(path).append(
      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  NEXUS_TRY_STATUS(client.Send(hello));
  std::string buffer;
  NEXUS_TRY_STATUS(client.ReceiveUntil(buffer, marker));
  return client;
}

Result<LoadResult> RunLoad(const LoadPlan& plan, const std::function<void(bool)>& on_measured) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{poll};
  std::vector<Lane> lanes;
  for (int i = 0; i < plan.connections; ++i) {
    NEXUS_TRY(Client client, Client::Connect(plan.port));
    lanes.push_back({.client = std::move(client), .request = plan.request(i), .buffer = {}});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(i);
    epoll_ctl(poll, EPOLL_CTL_ADD, lanes.back().client.fd(), &event);
  }
  LoadResult result;
  const auto send = [](Lane& lane) {
    lane.sent_ns = NowNs();
    return lane.client.Send(lane.request);
  };
  const std::int64_t start = NowNs();
  const std::int64_t begin = start + static_cast<std::int64_t>(plan.warm_up_s * 1e9);
  const std::int64_t end = begin + static_cast<std::int64_t>(plan.measured_s * 1e9);
  std::int64_t measured_since = 0;
  int under_way = 0;
  for (Lane& lane : lanes) {
    NEXUS_TRY_STATUS(send(lane));
    ++under_way;
  }
  std::array<epoll_event, 128> events;
  bool stopping = false;
  while (under_way > 0) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10'000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Fail(Code::kUnavailable, "no answer for ten seconds");
    const std::int64_t now = NowNs();
    if (measured_since == 0 && now >= begin) {
      measured_since = now;
      on_measured(true);
    }
    if (!stopping && now >= end) {
      stopping = true;
      result.seconds = static_cast<double>(now - measured_since) / 1e9;
      on_measured(false);
    }
    for (int i = 0; i < ready; ++i) {
      Lane& lane = lanes[events[static_cast<std::size_t>(i)].data.u32];
      NEXUS_TRY_STATUS(lane.client.Receive(lane.buffer));
      const std::size_t bytes = AnswerBytes(lane.buffer);
      if (bytes == 0) continue;
      if (lane.buffer.find(plan.expected) == std::string::npos) {
        return Fail(Code::kInternal, "an answer is wrong: " + lane.buffer.substr(0, 500));
      }
      lane.buffer.erase(0, bytes);
      ++result.all_answers;
      if (measured_since != 0 && !stopping) {
        ++result.answers;
        result.latency_us.Add(static_cast<double>(now - lane.sent_ns) / 1e3);
      }
      if (stopping) {
        --under_way;
      } else {
        NEXUS_TRY_STATUS(send(lane));
      }
    }
  }
  return result;
}

}  // namespace nexus::bench
