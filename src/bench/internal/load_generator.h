#pragma once
/// HTTP clients by the dozen in one thread, cheap enough to leave the machine to the server.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/internal/measure.h"

namespace nexus::bench {

/// A blocking TCP connection to this machine.
class Client {
 public:
  static Result<Client> Connect(std::uint16_t port);
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();
  int fd() const { return fd_; }
  Status Send(std::string_view bytes);
  /// What is there, at least one byte, put behind `buffer`. Errors: kUnavailable at the end.
  Status Receive(std::string& buffer);
  /// Reads until `marker` is in the buffer.
  Status ReceiveUntil(std::string& buffer, std::string_view marker);

 private:
  explicit Client(int fd) : fd_(fd) {}
  int fd_;
};

/// A POST of JSON, whole.
std::string PostRequest(std::string_view path, std::string_view body);
/// Opens a WebSocket at `path` and waits for the first message to have `marker` in it.
Result<Client> OpenWebSocket(std::uint16_t port, std::string_view path, std::string_view marker);

struct LoadPlan {
  std::uint16_t port = 0;
  int connections = 1;
  double warm_up_s = 0.5;
  double measured_s = 3;
  /// What connection `index` sends again and again.
  std::function<std::string(int index)> request;
  /// An answer without it is an error.
  std::string expected;
};

struct LoadResult {
  std::uint64_t answers = 0;  ///< In the measured time.
  std::uint64_t all_answers = 0;
  double seconds = 0;
  Samples latency_us;
  double per_s() const { return static_cast<double>(answers) / seconds; }
};

/// Each connection has one request under way. `on_measured(begins)` is called when the measured
/// time begins and when it ends. Errors: kInternal with the first answer that was not as expected.
Result<LoadResult> RunLoad(const LoadPlan& plan, const std::function<void(bool)>& on_measured);

}  // namespace nexus::bench
