#pragma once
/// Plain sockets, so that tests can say what no well-behaved client would.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace nexus::testing {

/// One TCP connection to loopback. Every wait ends after `kWaitMs`.
class TestClient {
 public:
  static constexpr int kWaitMs = 5'000;

  explicit TestClient(std::uint16_t port, int receive_bytes = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes != 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestClient() { Close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// False at the end of the stream, and when nothing came in time.
  bool Receive(int wait_ms = kWaitMs) {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, wait_ms) <= 0) return false;
    char bytes[16384];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  bool ended() const { return ended_; }

  /// One response with its body; what came of it when it does not arrive whole.
  std::string ReadResponse() {
    while (true) {
      const std::size_t head = buffer_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = buffer_.find("Content-Length: ");
        const std::size_t length =
            at < head ? static_cast<std::size_t>(std::atoll(buffer_.c_str() + at + 16)) : 0;
        if (buffer_.size() >= head + 4 + length) return Take(head + 4 + length);
      }
      if (!Receive()) return Take(buffer_.size());
    }
  }
  /// What has come, waiting for something; "" when nothing does.
  std::string ReadSome() {
    if (buffer_.empty()) (void)Receive();
    return Take(buffer_.size());
  }
  /// Everything until the other side closes.
  std::string ReadToEnd() {
    while (Receive()) {
    }
    return Take(buffer_.size());
  }

  /// Sends the handshake and reads its answer's head.
  std::string OpenSocket(const std::string& target, const std::string& more = "") {
    Send("GET " + target +
         " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         more + "\r\n");
    while (buffer_.find("\r\n\r\n") == std::string::npos) {
      if (!Receive()) return Take(buffer_.size());
    }
    return Take(buffer_.find("\r\n\r\n") + 4);
  }
  /// A masked text frame with an all-zero mask.
  void SendFrame(std::string_view text, char opcode = 1) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (text.size() < 126) {
      frame += static_cast<char>(0x80 | text.size());
    } else if (text.size() < 65'536) {
      frame += static_cast<char>(0x80 | 126);
      frame += static_cast<char>(text.size() >> 8);
      frame += static_cast<char>(text.size() & 0xff);
    } else {
      frame += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) {
        frame += static_cast<char>((text.size() >> shift) & 0xff);
      }
    }
    frame.append(4, '\0');
    Send(frame + std::string(text));
  }
  /// The next frame's payload; a close frame as "close CODE REASON". "" when none comes.
  std::string ReadFrame(int wait_ms = kWaitMs) {
    while (true) {
      if (buffer_.size() >= 2) {
        std::size_t head = 2;
        std::size_t length = static_cast<unsigned char>(buffer_[1]) & 0x7f;
        const std::size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (buffer_.size() >= head + extra) {
          if (extra != 0) length = 0;
          for (std::size_t i = 0; i < extra; ++i) {
            length = length << 8 | static_cast<unsigned char>(buffer_[head + i]);
          }
          head += extra;
          if (buffer_.size() >= head + length) {
            const int opcode = buffer_[0] & 0x0f;
            std::string payload = Take(head + length).substr(head);
            if (opcode == 9) continue;
            if (opcode != 8) return payload;
            const int code = payload.size() < 2 ? 0
                                                : static_cast<unsigned char>(payload[0]) * 256 +
                                                      static_cast<unsigned char>(payload[1]);
            return "close " + std::to_string(code) + " " +
                   (payload.size() < 2 ? "" : payload.substr(2));
          }
        }
      }
      if (!Receive(wait_ms)) return {};
    }
  }

 private:
  std::string Take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }
  int fd_ = -1;
  bool connected_ = false, ended_ = false;
  std::string buffer_;
};

}  // namespace nexus::testing
