// Many WebSockets on one panel: how long a patch takes to reach all, and what idle ones cost.
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "bench/internal/load_generator.h"
#include "bench/internal/measure.h"
#include "bench/internal/panel_measures.h"
#include "bench/internal/sandbox_measures.h"
#include "bench/internal/served_panels.h"
#include "panel/nxml/nxml.h"
#include "server/api.h"
#include "server/listener.h"

namespace nexus::bench {
namespace {

// As many files as the machine lets us have: both ends of every connection are ours or a child's.
Status RaiseFileLimit(rlim_t wanted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(wanted, limit.rlim_max));
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return {};
  return Fail(Code::kUnavailable, fmt::format("{} open files are allowed, {} are needed: raise the "
                                              "limit (ulimit -Hn) and try again",
                                              limit.rlim_cur, wanted));
}

/// The server in this process, because when a commit has happened is seen only from inside.
struct LocalServer {
  TemporaryDir folder;
  std::unique_ptr<Sandbox> sandbox;
  std::unique_ptr<Authenticator> auth;
  std::unique_ptr<PanelHost> host;
  std::shared_ptr<Panel> panel;
  std::unique_ptr<Api> api;
  std::unique_ptr<Listener> listener;

  ~LocalServer() {
    listener.reset();
    if (api != nullptr) api->Stop();
    panel.reset();
    host.reset();
  }
};

Result<std::unique_ptr<LocalServer>> StartLocalServer() {
  NEXUS_TRY(TemporaryDir folder, TemporaryDir::Make());
  auto server = std::unique_ptr<LocalServer>(new LocalServer{.folder = std::move(folder)});
  NEXUS_TRY(server->sandbox, MakeBenchSandbox());
  NEXUS_TRY(server->auth, Authenticator::Create({}));
  PanelHostOptions options;
  options.sandbox = server->sandbox.get();
  options.data_dir = server->folder.path() / "data";
  NEXUS_TRY(server->host, PanelHost::Create(std::move(options)));
  const std::string text = CounterPanel("p0");
  NEXUS_TRY(server->panel, server->host->Mount(*ReadNxml(text).panel, text, "bench"));
  server->api = Api::Create({}, *server->host, *server->auth);
  Api& api = *server->api;
  NEXUS_TRY(server->listener,
            Listener::Start({}, api, [&api](Listener& listener) { api.Attach(listener); }));
  return server;
}

// One patch to every subscriber: the time from its commit to the last byte read.
Result<double> OnePatchMs(LocalServer& server, const std::vector<Client>& clients, int poll_fd,
                          const std::atomic<std::int64_t>& committed_ns) {
  server.panel->CallTool({.tool = "add", .args = Value::Object({{"by", 1}})},
                         [](const RunResult&) {});
  std::array<epoll_event, 256> events;
  std::array<char, 4096> chunk;
  std::size_t left = clients.size();
  while (left > 0) {
    const int ready = epoll_wait(poll_fd, events.data(), events.size(), 10'000);
    if (ready <= 0) return Fail(Code::kUnavailable, "a subscriber got no patch in ten seconds");
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const ssize_t n = read(fd, chunk.data(), chunk.size());
      // A patch is one frame, far smaller than what one read takes.
      if (n <= 0 || std::string_view(chunk.data(), static_cast<std::size_t>(n)).find("PATCH") ==
                        std::string_view::npos) {
        return Fail(Code::kInternal, "a subscriber got something else than a patch");
      }
      --left;
    }
  }
  return static_cast<double>(NowNs() - committed_ns) / 1e6;
}

}  // namespace

Status MeasureFanOut(const Bench& bench) {
  constexpr int kSubscribers = 1'000;
  NEXUS_TRY_STATUS(RaiseFileLimit(3 * kSubscribers));
  NEXUS_TRY(const std::unique_ptr<LocalServer> server, StartLocalServer());
  // Told first, because it subscribed first: right after the sync.
  std::atomic<std::int64_t> committed_ns{0};
  NEXUS_TRY(const std::uint64_t subscription,
            server->panel->Subscribe(std::nullopt,
                                     [&committed_ns](const auto&) { committed_ns = NowNs(); }));
  const int poll_fd = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> clients;
  for (int i = 0; i < kSubscribers; ++i) {
    NEXUS_TRY(Client client,
              OpenWebSocket(server->listener->port(), "/panels/p0/ws", "\"CONNECTED\""));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = client.fd();
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, client.fd(), &event);
    clients.push_back(std::move(client));
  }
  Samples ms;
  const int patches = bench.Scaled(300);
  for (int i = 0; i < patches + 10; ++i) {
    NEXUS_TRY(const double one, OnePatchMs(*server, clients, poll_fd, committed_ns));
    if (i >= 10) ms.Add(one);
    usleep(5'000);
  }
  close(poll_fd);
  server->panel->Unsubscribe(subscription);
  bench.emit("patch_fanout_1000_p99", ms.Quantile(0.99), ms.Summary());
  return {};
}

Status MeasureIdleSockets(const Bench& bench) {
  constexpr int kSockets = 10'000;
  NEXUS_TRY_STATUS(RaiseFileLimit(kSockets + 1'000));
  NEXUS_TRY(const ServedPanels server, ServedPanels::Start(1, false));
  std::vector<Client> clients;
  double before_kb = 0;
  // The first few warm up what is made once.
  for (int i = 0; i < kSockets + 10; ++i) {
    if (i == 10) {
      NEXUS_TRY(before_kb, server.ResidentKb());
    }
    NEXUS_TRY(Client client, OpenWebSocket(server.port(), "/panels/p0/ws", "\"CONNECTED\""));
    clients.push_back(std::move(client));
  }
  NEXUS_TRY(const double after_kb, server.ResidentKb());
  bench.emit("idle_ws_10k_mb", (after_kb - before_kb) / 1024,
             {{"sockets", kSockets}, {"server_mb", after_kb / 1024}});
  return {};
}

}  // namespace nexus::bench
