#pragma once
/// One connection, from its first byte to its last: HTTP requests in order, then perhaps a
/// WebSocket. Included by the two files that make it for plain and for TLS streams, no others:
/// Beast takes long to compile.

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "server/internal/io_loop.h"

namespace nexus::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

/// Without deflate: a small object, and no state a hostile client could grow.
template <typename Stream>
using WebSocketOf = beast::websocket::stream<Stream, false>;

template <typename Stream>
class Connection final : public ConnectionBase,
                         public SocketPort,
                         public StreamPort,
                         public std::enable_shared_from_this<Connection<Stream>> {
  static constexpr bool kSecure = !std::is_same_v<Stream, TcpSocket>;
  using Parser = beast::http::request_parser<beast::http::string_body>;
  enum class Phase : std::uint8_t {
    kIdle,
    kHeader,
    kBody,
    kAnswering,
    kWriting,
    kStreaming,
    kClosing,
    kSocket
  };

 public:
  Connection(IoLoop& loop, Stream stream, std::string peer)
      : loop_(loop), stream_(std::in_place, std::move(stream)), peer_(std::move(peer)) {}
  ~Connection() override { loop_.Forget(this); }

  void Start() {
    loop_.Remember(this);
    if constexpr (kSecure) {
      Expect(Phase::kHeader, loop_.options().header_timeout_ms);
      stream_->async_handshake(asio::ssl::stream_base::server,
                               [self = this->shared_from_this()](ErrorCode error) {
                                 if (!error) self->NextRequest();
                               });
    } else {
      NextRequest();
    }
  }

  // ConnectionBase
  void CheckTime(std::int64_t now_ms) override {
    if (deadline_ms_ == 0 || now_ms < deadline_ms_) return;
    if (phase_ == Phase::kSocket) return CheckSocket(now_ms);
    if (phase_ == Phase::kStreaming) return CheckStream();
    if (phase_ == Phase::kHeader || phase_ == Phase::kBody) {
      if (parser_) return Refuse(408, "the request did not arrive in time");
    }
    Drop();
  }
  void Drain() override {
    draining_ = true;
    if (phase_ == Phase::kSocket) Close(1001, "The server is going away");
    if (phase_ == Phase::kIdle) Drop();
  }
  void Drop() override {
    ErrorCode ignored;
    Lowest().close(ignored);
    Gone();
    const auto last = std::move(answering_);
  }
  bool is_socket() const override { return phase_ == Phase::kSocket; }

  // StreamPort
  void More() override {
    if (phase_ == Phase::kStreaming && !writing_) StreamNext();
  }

  // SocketPort
  void Wake() override {
    if (!writing_ && !closing_ && socket_) WriteNext();
  }
  void Close(std::uint16_t code, std::string reason) override {
    if (closing_ || !socket_) return;
    closing_ = true;
    close_reason_.code = code;
    close_reason_.reason = reason.substr(0, 120);
    deadline_ms_ = loop_.now_ms() + 3'000;
    if (!writing_ && !pinging_) SendClose();
  }

 private:
  TcpSocket& Lowest() {
    if (socket_) return beast::get_lowest_layer(*socket_);
    return beast::get_lowest_layer(*stream_);
  }
  void Expect(Phase phase, std::int64_t within_ms) {
    phase_ = phase;
    deadline_ms_ = within_ms == 0 ? 0 : loop_.now_ms() + within_ms;
  }

  void NextRequest() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(loop_.options().header_bytes_max));
    parser_->body_limit(loop_.options().body_bytes_max);
    continued_ = false;
    Expect(Phase::kIdle, loop_.options().idle_timeout_ms);
    if (ended_) return Drop();
    if (buffer_.size() != 0) return Parse();  // Pipelined.
    if (draining_) return Drop();
    Read();
  }

  void Read() {
    if (std::exchange(reading_, true)) return;  // Its end goes on with what is wanted by then.
    stream_->async_read_some(buffer_.prepare(kReadBytes),
                             [self = this->shared_from_this()](ErrorCode error, std::size_t bytes) {
                               self->reading_ = false;
                               self->buffer_.commit(bytes);
                               self->HaveRead(error);
                             });
  }

  // Reading goes on while a request is answered: only so does it show that the client is gone.
  void HaveRead(ErrorCode error) {
    const bool answering = phase_ == Phase::kAnswering || phase_ == Phase::kStreaming;
    if (!answering && phase_ != Phase::kWriting && phase_ != Phase::kClosing) {
      if (error) return Drop();
      return Parse();
    }
    if (phase_ == Phase::kClosing) return error ? Drop() : Discard();
    if (!error) return;  // The next request is there already; it waits.
    // Who only closed its sending half may still read the answer, unless somebody asked to know.
    ended_ = true;
    if (phase_ == Phase::kStreaming || (watch_ != nullptr && watch_->on_gone)) Drop();
  }

  void Gone() {
    if (const auto watch = std::move(watch_); watch != nullptr && watch->on_gone) watch->on_gone();
    if (const auto body = std::move(body_stream_)) body->OnClosed();
  }

  void Parse() {
    if (phase_ == Phase::kIdle) Expect(Phase::kHeader, loop_.options().header_timeout_ms);
    ErrorCode error;
    while (buffer_.size() != 0 && !parser_->is_done()) {
      const std::size_t used = parser_->put(buffer_.data(), error);
      buffer_.consume(used);
      if (error == beast::http::error::need_more) {
        error = {};
        break;
      }
      if (error) return RefuseBadBytes(error);
      if (used == 0) break;
    }
    if (parser_->is_done()) return Dispatch();
    if (phase_ == Phase::kHeader && parser_->is_header_done()) {
      Expect(Phase::kBody, loop_.options().body_timeout_ms);
      if (!continued_ &&
          beast::iequals(parser_->get()[beast::http::field::expect], "100-continue")) {
        continued_ = true;
        return Continue();
      }
    }
    Read();
  }

  void Continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(*stream_, asio::buffer(kContinue),
                      [self = this->shared_from_this()](ErrorCode error, std::size_t) {
                        if (!error) self->Read();
                      });
  }

  void RefuseBadBytes(ErrorCode error) {
    if (error == beast::http::error::body_limit) {
      return Refuse(413, "the body is larger than " +
                             std::to_string(loop_.options().body_bytes_max) + " bytes");
    }
    if (error == beast::http::error::header_limit) {
      return Refuse(431, "the headers are larger than " +
                             std::to_string(loop_.options().header_bytes_max) + " bytes");
    }
    Refuse(400, "this is no HTTP/1.1 request: " + error.message());
  }

  void Refuse(int status, std::string_view why) {
    HttpResponse response = loop_.handler().Malformed(status, why);
    response.close = true;
    keep_alive_ = false;
    // What still arrives of it would be taken for a request.
    buffer_.consume(buffer_.size());
    if (phase_ == Phase::kWriting || phase_ == Phase::kClosing) return Drop();
    Write(std::move(response));
  }

  HttpRequest TakeRequest() {
    auto& message = parser_->get();
    HttpRequest request;
    const auto text = [](beast::string_view view) { return std::string(view.data(), view.size()); };
    request.method = text(message.method_string());
    request.target = text(message.target());
    request.peer = peer_;
    request.secure = kSecure;
    hosts_ = 0;
    using beast::http::field;
    for (const auto& line : message) {
      std::string* to = nullptr;
      switch (line.name()) {
        case field::host:
          to = &request.host;
          ++hosts_;
          break;
        case field::origin:
          to = &request.origin;
          break;
        case field::authorization:
          to = &request.authorization;
          break;
        case field::content_type:
          to = &request.content_type;
          break;
        case field::accept_encoding:
          to = &request.accept_encoding;
          break;
        case field::accept:
          to = &request.accept;
          break;
        case field::if_none_match:
          to = &request.if_none_match;
          break;
        case field::access_control_request_method:
          to = &request.cors_method;
          break;
        case field::unknown:
          if (beast::iequals(line.name_string(), "idempotency-key")) to = &request.idempotency_key;
          if (beast::iequals(line.name_string(), "traceparent")) to = &request.traceparent;
          if (beast::iequals(line.name_string(), "x-api-key")) to = &request.api_key;
          if (beast::iequals(line.name_string(), "last-event-id")) to = &request.last_event_id;
          if (line.name_string().size() > 4 &&
              beast::iequals(line.name_string().substr(0, 4), "mcp-")) {
            to = &request.mcp_headers.emplace_back(LowerCase(line.name_string()), "").second;
          }
          break;
        default:
          break;
      }
      if (to != nullptr) *to = text(line.value());
    }
    request.body = std::move(message.body());
    return request;
  }

  void Dispatch() {
    keep_alive_ = parser_->get().keep_alive();
    head_ = parser_->get().method() == beast::http::verb::head;
    chunked_ = parser_->get().version() >= 11;
    HttpRequest request = TakeRequest();
    if (hosts_ > 1) return Refuse(400, "two Host headers");
    Expect(Phase::kAnswering, 0);
    if (beast::websocket::is_upgrade(parser_->get())) return Upgrade(std::move(request));
    // The answer may come after the listener's end, so it holds nothing of it.
    answering_ = this->shared_from_this();
    watch_ = std::make_shared<ClientWatch>();
    request.watch = watch_;
    loop_.handler().Handle(
        std::move(request),
        [mailbox = loop_.mailbox(), weak = this->weak_from_this()](HttpResponse response) {
          const bool soon = response.soon;
          mailbox->RunOrPost(
              [weak, response = std::move(response)]() mutable {
                if (const auto self = weak.lock()) self->Write(std::move(response));
              },
              soon);
        });
    if (phase_ == Phase::kAnswering && buffer_.size() == 0) Read();
  }

  static std::string LowerCase(beast::string_view name) {
    std::string lower(name.data(), name.size());
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    return lower;
  }

  void Upgrade(HttpRequest request) {
    answering_ = this->shared_from_this();
    loop_.handler().Upgrade(
        std::move(request),
        [mailbox = loop_.mailbox(), weak = this->weak_from_this()](UpgradeAnswer answer) {
          mailbox->RunOrPost([weak, answer = std::move(answer)]() mutable {
            const auto self = weak.lock();
            if (self == nullptr) return;
            if (answer.socket == nullptr) return self->Write(std::move(answer.refusal));
            self->Accept(std::move(answer.socket));
          });
        });
  }

  // The head is written by hand: one string, no serializer, one system call with the body.
  void Write(HttpResponse response) {
    const auto self = std::move(answering_);
    if (!Lowest().is_open()) return;
    response_ = std::move(response);
    if (response_.close || draining_) keep_alive_ = false;
    const std::string& body =
        response_.shared_body != nullptr ? *response_.shared_body : response_.body;
    out_.clear();
    char digits[24];
    const auto number = [&](std::size_t n) {
      out_.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
    };
    out_ += "HTTP/1.1 ";
    number(static_cast<std::size_t>(response_.status));
    out_ += ' ';
    out_ += HttpReason(response_.status);
    const bool streams = response_.stream != nullptr;
    if (response_.status != 204 && response_.status != 304) {
      out_ += "\r\nContent-Type: ";
      out_ += response_.content_type;
      if (!streams) {
        out_ += "\r\nContent-Length: ";
        number(body.size());
      } else if (chunked_) {
        out_ += "\r\nTransfer-Encoding: chunked";
      } else {
        keep_alive_ = false;
      }
    }
    for (const auto& [name, value] : response_.headers) {
      out_ += "\r\n";
      out_ += name;
      out_ += ": ";
      out_ += value;
    }
    if (!keep_alive_) out_ += "\r\nConnection: close";
    out_ += "\r\n\r\n";
    if (streams) return BeginStream();
    watch_ = nullptr;
    const bool with_body = !head_ && response_.status != 204 && response_.status != 304;
    const std::array<asio::const_buffer, 2> buffers = {
        asio::buffer(out_), with_body ? asio::buffer(body) : asio::const_buffer()};
    Expect(Phase::kWriting, loop_.options().write_timeout_ms);
    asio::async_write(*stream_, buffers,
                      [me = this->shared_from_this()](ErrorCode error, std::size_t) {
                        if (error) return me->Drop();
                        if (me->keep_alive_) return me->NextRequest();
                        me->Linger();
                      });
  }

  // `out_` holds the head. What is said at once leaves with it.
  void BeginStream() {
    body_stream_ = std::move(response_.stream);
    answering_ = this->shared_from_this();
    writing_ = true;
    Expect(Phase::kStreaming, loop_.options().write_timeout_ms);
    body_stream_->OnOpen(*this);
    if (ended_) return Drop();
    StreamNext();
    if (buffer_.size() == 0) Read();
  }

  void StreamNext() {
    if (body_stream_ == nullptr) return;  // Dropped.
    text_.clear();
    const bool goes_on = body_stream_->TakeText(text_);
    AppendChunk(text_);
    if (!goes_on && chunked_) out_ += "0\r\n\r\n";
    if (out_.empty() && goes_on) {
      writing_ = false;
      return Expect(Phase::kStreaming, loop_.options().ping_interval_ms);
    }
    writing_ = true;
    Expect(Phase::kStreaming, loop_.options().write_timeout_ms);
    asio::async_write(*stream_, asio::buffer(out_),
                      [me = this->shared_from_this(), goes_on](ErrorCode error, std::size_t) {
                        me->out_.clear();
                        if (error || !me->Lowest().is_open()) return me->Drop();
                        if (goes_on) return me->StreamNext();
                        me->EndStream();
                      });
  }

  void AppendChunk(std::string_view text) {
    if (text.empty()) return;
    if (!chunked_) {
      out_ += text;
      return;
    }
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, text.size(), 16).ptr);
    out_ += "\r\n";
    out_ += text;
    out_ += "\r\n";
  }

  void EndStream() {
    const auto self = std::move(answering_);
    writing_ = false;
    watch_ = nullptr;
    if (const auto body = std::move(body_stream_)) body->OnClosed();
    phase_ = Phase::kWriting;
    if (keep_alive_ && !draining_) return NextRequest();
    Linger();
  }

  void CheckStream() {
    if (writing_) return Drop();  // Nothing got through for so long: it never reads.
    // A comment: keeps the connection open, and tells whether there still is one.
    AppendChunk(":\n\n");
    StreamNext();
  }

  // Closing with unread bytes would reset the connection and lose the answer on its way.
  void Linger() {
    Expect(Phase::kClosing, 2'000);
    ErrorCode ignored;
    Lowest().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    Discard();
  }
  void Discard() {
    if (std::exchange(reading_, true)) return;  // Its end comes here again.
    buffer_.consume(buffer_.size());
    Lowest().async_read_some(buffer_.prepare(kReadBytes),
                             [self = this->shared_from_this()](ErrorCode error, std::size_t) {
                               self->reading_ = false;
                               if (error) return self->Drop();
                               self->Discard();
                             });
  }

  void Accept(std::shared_ptr<SocketHandler> handler) {
    const auto self = std::move(answering_);
    if (!Lowest().is_open()) return;
    handler_ = std::move(handler);
    socket_.emplace(std::move(*stream_));
    stream_.reset();
    socket_->read_message_max(loop_.options().message_bytes_max);
    socket_->auto_fragment(false);
    socket_->control_callback(
        [this](beast::websocket::frame_type, beast::string_view) { ping_waits_ = false; });
    socket_->set_option(beast::websocket::stream_base::timeout{
        std::chrono::seconds(10), beast::websocket::stream_base::none(), false});
    Expect(Phase::kSocket, loop_.options().ping_interval_ms);
    writing_ = true;
    socket_->async_accept(
        parser_->get(), [me = this->shared_from_this()](ErrorCode error) { me->Accepted(error); });
  }

  void Accepted(ErrorCode error) {
    parser_.reset();
    buffer_ = beast::flat_buffer();
    out_ = std::string();
    response_ = HttpResponse();
    writing_ = false;
    if (error) {
      handler_.reset();
      return Drop();
    }
    opened_ = true;
    loop_.CountSocket(1);
    handler_->OnOpen(*this);
    ReadMessage();
    Wake();
  }

  void ReadMessage() {
    socket_->async_read(buffer_, [self = this->shared_from_this()](ErrorCode error, std::size_t) {
      if (error) return self->Ended();
      self->ping_waits_ = false;
      if (self->handler_ != nullptr && !self->closing_) {
        if (self->socket_->got_text()) {
          const auto data = self->buffer_.data();
          self->handler_->OnMessage({static_cast<const char*>(data.data()), data.size()});
        } else {
          self->Close(1003, "Text frames only");
        }
      }
      self->buffer_.consume(self->buffer_.size());
      // A large message leaves no large buffer behind.
      if (self->buffer_.capacity() > kReadBytes) self->buffer_ = beast::flat_buffer();
      self->ReadMessage();
    });
  }

  void WriteNext() {
    message_ = handler_ == nullptr ? nullptr : handler_->NextMessage();
    if (message_ == nullptr) return;
    writing_ = true;
    if (!pinging_) write_since_ms_ = loop_.now_ms();
    socket_->text(true);
    socket_->async_write(asio::buffer(*message_),
                         [self = this->shared_from_this()](ErrorCode error, std::size_t) {
                           self->writing_ = false;
                           self->message_.reset();
                           if (error) return self->Drop();
                           if (self->closing_) return self->SendClose();
                           self->WriteNext();
                         });
  }

  void SendClose() {
    if (std::exchange(close_sent_, true)) return;
    socket_->async_close(close_reason_,
                         [self = this->shared_from_this()](ErrorCode) { self->Drop(); });
  }

  void CheckSocket(std::int64_t now_ms) {
    if (closing_ || ping_waits_) return Drop();
    if (writing_) {
      // Nothing got through for so long: it never reads.
      if (now_ms - write_since_ms_ > loop_.options().write_timeout_ms) return Drop();
      deadline_ms_ = now_ms + loop_.options().ping_interval_ms;
      return;
    }
    deadline_ms_ = now_ms + loop_.options().ping_interval_ms;
    ping_waits_ = pinging_ = true;
    socket_->async_ping({}, [self = this->shared_from_this()](ErrorCode error) {
      self->pinging_ = false;
      if (error) return self->Drop();
      if (self->closing_ && !self->writing_) self->SendClose();
    });
  }

  void Ended() {
    if (handler_ != nullptr) {
      auto handler = std::move(handler_);
      if (opened_) {
        loop_.CountSocket(-1);
        handler->OnClosed();
      }
    }
    closing_ = true;
    Drop();
  }

  static constexpr std::size_t kReadBytes = 4096;

  IoLoop& loop_;
  std::optional<Stream> stream_;  // Until it is a WebSocket.
  std::optional<WebSocketOf<Stream>> socket_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::string peer_, out_, text_;
  HttpResponse response_;
  std::shared_ptr<Connection> answering_;  // Itself, while nothing else keeps it.
  std::shared_ptr<ClientWatch> watch_;     // Of the request that is answered.
  std::shared_ptr<StreamHandler> body_stream_;
  std::shared_ptr<SocketHandler> handler_;
  std::shared_ptr<const std::string> message_;
  beast::websocket::close_reason close_reason_;
  std::int64_t deadline_ms_ = 0, write_since_ms_ = 0;
  int hosts_ = 0;
  Phase phase_ = Phase::kIdle;
  bool keep_alive_ = true, head_ = false, continued_ = false, draining_ = false, opened_ = false;
  bool reading_ = false, ended_ = false, chunked_ = true;
  bool writing_ = false, closing_ = false, close_sent_ = false, pinging_ = false,
       ping_waits_ = false;
};

}  // namespace nexus::internal
