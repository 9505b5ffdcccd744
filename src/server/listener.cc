#include "server/listener.h"

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "server/internal/connection.h"

namespace nexus {
namespace {

using namespace internal;  // NOLINT: the other half of this file
using asio::ip::tcp;

constexpr std::int64_t kSweepMs = 250;

class ListenerImpl final : public Listener, public IoLoop {
 public:
  ListenerImpl(ListenerOptions options, HttpHandler& handler)
      : options_(std::move(options)), handler_(handler), acceptor_(context_), sweep_(context_) {}
  ~ListenerImpl() override { Shutdown(0); }

  Status Open() {
    if (!options_.tls_certificate_file.empty()) {
      NEXUS_TRY(tls_, MakeTlsContext(options_.tls_certificate_file, options_.tls_key_file));
    }
    ErrorCode error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) {
      return Fail(Code::kInvalidArgument, "address \"" + options_.address +
                                              "\" is no IP address: write 127.0.0.1, ::1, 0.0.0.0");
    }
    const tcp::endpoint endpoint(address, options_.port);
    v6_ = address.is_v6();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(4096, error);
    if (error) {
      return Fail(Code::kUnavailable, options_.address + ":" + std::to_string(options_.port) +
                                          ": " + error.message() +
                                          ": choose another with --port or [server] port");
    }
    port_ = acceptor_.local_endpoint().port();
    Tick();
    mailbox_->Open([this] { asio::post(context_, [this] { RunBatch(); }); });
    AcceptNext();
    Sweep();
    return {};
  }

  void Begin() {
    thread_ = std::thread([this] {
      NameThisThread("listener");
      mailbox_->SetThread(std::this_thread::get_id());
      context_.run();
    });
  }

  // Listener
  std::uint16_t port() const override { return port_; }
  void Post(std::move_only_function<void()> work) override { mailbox_->Post(std::move(work)); }
  std::function<void(std::move_only_function<void()>)> poster() const override {
    return [mailbox = mailbox_](std::move_only_function<void()> work) {
      mailbox->Post(std::move(work));
    };
  }
  void StopAccepting() override {
    Post([this] {
      ErrorCode ignored;
      acceptor_.close(ignored);
    });
  }
  void Shutdown(std::int64_t wait_ms) override {
    if (!thread_.joinable()) return mailbox_->End();
    StopAccepting();
    Post([this, wait_ms] {
      draining_ = true;
      end_ms_ = now_ms_ + wait_ms;
      for (ConnectionBase* connection : Connected()) connection->Drain();
      CheckEnd();
    });
    thread_.join();
    mailbox_->End();
  }
  Stats GetStats() const override {
    return {.connections = connection_count_,
            .sockets = static_cast<std::size_t>(sockets_.load()),
            .accepted = accepted_,
            .refused = refused_};
  }

  // IoLoop
  const ListenerOptions& options() const override { return options_; }
  HttpHandler& handler() override { return handler_; }

 private:
  void Tick() { now_ms_ = static_cast<std::int64_t>(SystemClock().MonotonicNs() / 1'000'000); }

  void RunBatch() {
    auto batch = mailbox_->Take();
    Tick();
    for (auto& work : batch) work();
  }

  // A connection may go while it is told something, so the list is a copy.
  std::vector<ConnectionBase*> Connected() const {
    return {connections_.begin(), connections_.end()};
  }

  void Sweep() {
    sweep_.expires_after(std::chrono::milliseconds(kSweepMs));
    sweep_.async_wait([this](ErrorCode error) {
      if (error) return;
      Tick();
      for (ConnectionBase* connection : Connected()) {
        if (connections_.contains(connection)) connection->CheckTime(now_ms_);
      }
      Sweep();
      if (draining_) CheckEnd();
    });
  }

  // Every connection gone, or the time is up.
  void CheckEnd() {
    if (!connections_.empty() && now_ms_ < end_ms_) return;
    for (ConnectionBase* connection : Connected()) {
      if (connections_.contains(connection)) connection->Drop();
    }
    sweep_.cancel();
    // One more turn lets the handlers of what was dropped run; then there is no work left.
    asio::post(context_, [this] { asio::post(context_, [this] { context_.stop(); }); });
  }

  void AcceptNext() {
    acceptor_.async_accept([this](ErrorCode error, TcpSocket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) {
        // Out of descriptors: wait a little instead of spinning.
        Log(Severity::kWarn, "connection not accepted", {{"why", error.message()}});
        auto pause = std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(50));
        pause->async_wait([this, pause](ErrorCode) { AcceptNext(); });
        return;
      }
      Take(std::move(socket));
      AcceptNext();
    });
  }

  void Take(TcpSocket socket) {
    ++accepted_;
    if (connection_count_ >= options_.connections_max) {
      ++refused_;
      return;
    }
    ErrorCode error;
    const tcp::endpoint remote = socket.remote_endpoint(error);
    if (error) return;
    socket.set_option(tcp::no_delay(true), error);
    std::string peer = remote.address().to_string();
    if (tls_ == nullptr) {
      std::make_shared<Connection<TcpSocket>>(*this, std::move(socket), std::move(peer))->Start();
      return;
    }
    const int descriptor = socket.release(error);
    if (!error) tls_->StartConnection(*this, &context_, descriptor, v6_, std::move(peer));
  }

  const ListenerOptions options_;
  HttpHandler& handler_;
  std::unique_ptr<TlsContext> tls_;
  std::atomic<std::uint64_t> accepted_{0}, refused_{0};
  std::uint16_t port_ = 0;
  bool v6_ = false, draining_ = false;
  std::int64_t end_ms_ = 0;
  asio::io_context context_{1};
  asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor_;
  asio::basic_waitable_timer<std::chrono::steady_clock> sweep_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::Start(ListenerOptions options, HttpHandler& handler,
                                                  const std::function<void(Listener&)>& prepare) {
  auto listener = std::make_unique<ListenerImpl>(std::move(options), handler);
  NEXUS_TRY_STATUS(listener->Open());
  if (prepare) prepare(*listener);
  listener->Begin();
  return listener;
}

std::string_view HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Error" : "Internal Server Error";
  }
}

}  // namespace nexus
