#include "mcp/server/stdio.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/soon.h"

namespace nexus::mcp {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
/// A client that does not read makes who answers wait, rather than the memory grow.
constexpr std::size_t kWaitingBytesMax = 64 << 20;

/// How long, and up to how many bytes, an answer waits for those that are said to follow.
constexpr std::chrono::microseconds kSoon{300};
constexpr std::size_t kSoonBytes = 16 << 10;

/// Whoever has something to say writes it, unless somebody writes already: then that one takes it
/// along. So a burst of answers is one write and no thread waits for another. What may wait for
/// more is written by whoever comes next, at the latest by a thread of its own.
class LineWriter final : public MessageSink {
 public:
  explicit LineWriter(int out) : out_(out), soon_(kSoon, [this] { WriteLate(); }) {}

  void WriteSoon(std::string message) override {
    std::unique_lock lock(mutex_);
    if (waiting_.size() + message.size() >= kSoonBytes) {
      lock.unlock();
      return Write(std::move(message));
    }
    if (failed_) return;
    waiting_ += message;
    waiting_ += '\n';
    lock.unlock();
    soon_.Arm();
  }
  void Write(std::string message) override {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return waiting_.size() < kWaitingBytesMax || failed_; });
    if (failed_) return;
    waiting_ += message;
    waiting_ += '\n';
    if (!busy_ && corks_ == 0) Flush(lock);
  }
  /// While corked nothing is written: the reader works on a batch.
  void Cork() {
    const std::lock_guard lock(mutex_);
    ++corks_;
  }
  void Uncork() {
    std::unique_lock lock(mutex_);
    if (--corks_ == 0 && !busy_ && !waiting_.empty()) Flush(lock);
  }
  bool failed() {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  /// Until everything is written.
  void Settle() {
    std::unique_lock lock(mutex_);
    if (!busy_ && !waiting_.empty()) Flush(lock);
    room_.wait(lock, [this] { return (waiting_.empty() && !busy_) || failed_; });
  }

 private:
  void WriteLate() {
    std::unique_lock lock(mutex_);
    if (!busy_ && corks_ == 0 && !waiting_.empty()) Flush(lock);
  }

  void Flush(std::unique_lock<std::mutex>& lock) {
    busy_ = true;
    while (!waiting_.empty() && !failed_) {
      writing_.swap(waiting_);
      waiting_.clear();
      room_.notify_all();
      lock.unlock();
      const bool written = WriteAll(writing_);
      writing_.clear();
      lock.lock();
      if (!written) failed_ = true;
    }
    busy_ = false;
    room_.notify_all();
  }

  bool WriteAll(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = write(out_, text.data(), text.size());
      if (n >= 0) {
        text.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        pollfd wait{.fd = out_, .events = POLLOUT, .revents = 0};
        (void)poll(&wait, 1, -1);
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  const int out_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::string waiting_;                 // guarded by mutex_
  std::string writing_;                 // Of the thread that is busy.
  int corks_ = 0;                       // guarded by mutex_
  bool busy_ = false, failed_ = false;  // guarded by mutex_
  Soon soon_;                           // Ends first: it writes.
};

/// Lines out of pieces.
class LineReader {
 public:
  LineReader(const StdioOptions& options, Connection& connection, LineWriter& writer)
      : options_(options), connection_(connection), writer_(writer) {}

  Status Run() {
    while (true) {
      if (options_.stop_fd >= 0 && !WaitForInput()) return {};
      if (writer_.failed()) return {};
      const std::size_t old = buffer_.size();
      buffer_.resize_and_overwrite(old + kReadBytes, [&](char* data, std::size_t) {
        const ssize_t n = read(options_.in, data + old, kReadBytes);
        got_ = n;
        return old + static_cast<std::size_t>(std::max<ssize_t>(n, 0));
      });
      if (got_ < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got_ < 0) {
        return Fail(Code::kUnavailable, std::string("stdin: ") + std::strerror(errno));
      }
      if (got_ == 0) return LastLine();
      Hand();
    }
  }

 private:
  bool WaitForInput() const {
    std::array<pollfd, 2> wait = {{{.fd = options_.in, .events = POLLIN, .revents = 0},
                                   {.fd = options_.stop_fd, .events = POLLIN, .revents = 0}}};
    while (poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
    }
    return wait[1].revents == 0;
  }

  void Hand() {
    writer_.Cork();
    std::size_t begin = 0;
    while (true) {
      const std::size_t end = buffer_.find('\n', std::max(begin, searched_));
      if (end == std::string::npos) break;
      Line(std::string_view(buffer_).substr(begin, end - begin));
      begin = end + 1;
      searched_ = 0;
    }
    buffer_.erase(0, begin);
    searched_ = buffer_.size();
    if (buffer_.size() > options_.line_bytes_max) {
      // Answered as unreadable; its rest is dropped up to the next line end.
      if (!std::exchange(skipping_, true)) connection_.Receive(buffer_);
      buffer_.clear();
      searched_ = 0;
    }
    writer_.Uncork();
  }

  void Line(std::string_view line) {
    if (std::exchange(skipping_, false)) return;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    connection_.Receive(line);
  }

  Status LastLine() {
    if (!buffer_.empty()) Line(buffer_);
    return {};
  }

  const StdioOptions& options_;
  Connection& connection_;
  LineWriter& writer_;
  std::string buffer_;
  std::size_t searched_ = 0;
  ssize_t got_ = 0;
  bool skipping_ = false;
};

}  // namespace

Status ServeStdio(Server& server, CallerPtr caller, const StdioOptions& options) {
  const auto writer = std::make_shared<LineWriter>(options.out);
  const std::shared_ptr<Connection> connection = server.Connect(std::move(caller), writer);
  Status status = LineReader(options, *connection, *writer).Run();
  // A client that closes its end may still wait for answers: `printf ... | nexus mcp`.
  server.Shutdown();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(options.drain_ms);
  while (connection->in_flight() != 0 && !writer->failed() &&
         std::chrono::steady_clock::now() < end) {
    if (options.stop_fd >= 0) {
      pollfd stop{.fd = options.stop_fd, .events = POLLIN, .revents = 0};
      if (poll(&stop, 1, 1) > 0) break;
    } else {
      (void)poll(nullptr, 0, 1);
    }
  }
  writer->Settle();
  connection->Close();
  return status;
}

}  // namespace nexus::mcp
