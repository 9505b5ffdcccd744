#include <boost/asio/ssl/context.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "server/internal/connection.h"

namespace nexus::internal {
namespace {

using TlsStream = asio::ssl::stream<TcpSocket>;

class TlsContextImpl final : public TlsContext {
 public:
  TlsContextImpl() : context_(asio::ssl::context::tls_server) {}

  Status Load(const std::string& certificate_file, const std::string& key_file) {
    ErrorCode error;
    SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context_.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    context_.use_certificate_chain_file(certificate_file, error);
    if (error) return Bad("tls.certificate", certificate_file, error);
    context_.use_private_key_file(key_file, asio::ssl::context::pem, error);
    if (error) return Bad("tls.key", key_file, error);
    return {};
  }

  void StartConnection(IoLoop& loop, void* io_context, int descriptor, bool v6,
                       std::string peer) override {
    TcpSocket socket(*static_cast<asio::io_context*>(io_context));
    ErrorCode error;
    socket.assign(v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), descriptor, error);
    if (error) return;
    std::make_shared<Connection<TlsStream>>(loop, TlsStream(std::move(socket), context_),
                                            std::move(peer))
        ->Start();
  }

 private:
  static Status Bad(const char* setting, const std::string& file, const ErrorCode& error) {
    return Fail(Code::kInvalidArgument, std::string(setting) + " = \"" + file +
                                            "\": " + error.message() +
                                            ": give a PEM file that this process may read");
  }
  asio::ssl::context context_;
};

}  // namespace

Result<std::unique_ptr<TlsContext>> MakeTlsContext(const std::string& certificate_file,
                                                   const std::string& key_file) {
  auto context = std::make_unique<TlsContextImpl>();
  NEXUS_TRY_STATUS(context->Load(certificate_file, key_file));
  return context;
}

}  // namespace nexus::internal
