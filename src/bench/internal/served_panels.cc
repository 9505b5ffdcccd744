#include "bench/internal/served_panels.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/panel_measures.h"
#include "store/sqlite.h"

namespace nexus::bench {

std::string CounterPanel(const std::string& id) {
  return fmt::format(R"(<NexusPanel id="{}" title="Counter">
  <Data><State name="n" type="number" default="0"/></Data>
  <Logic>
    <Tool name="add">
      <Arg name="by" type="number"/>
      <Handler>$state.n += $args.by; return $state.n</Handler>
    </Tool>
  </Logic>
</NexusPanel>
)",
                     id);
}

Result<ServedPanels> ServedPanels::Start(int panels, bool journaled) {
  NEXUS_TRY(const std::filesystem::path state, StateDir());
  NEXUS_TRY_STATUS(MakeDirs(state));
  NEXUS_TRY(TemporaryDir folder, TemporaryDir::Make(state));
  std::vector<std::string> arguments = {"/proc/self/exe", "serve", "--port", "0", "--json"};
  for (int i = 0; i < panels; ++i) {
    const std::string id = fmt::format("p{}", i);
    const std::filesystem::path file = folder.path() / (id + ".nxml");
    NEXUS_TRY_STATUS(WriteFileAtomic(file, CounterPanel(id)));
    arguments.push_back(file.string());
  }
  if (journaled) {
    arguments.insert(arguments.end(), {"--data", (folder.path() / "data").string()});
  } else {
    arguments.emplace_back("--memory");
  }
  NEXUS_TRY(Process process, Process::Start(arguments, {"NEXUS_LOG_LEVEL=warn"}, folder.path()));
  NEXUS_TRY(const std::string line, process.ReadLine());
  NEXUS_TRY(const Value announced, ParseJson(line));
  const auto port = static_cast<std::uint16_t>(announced.NumberOr("port", 0));
  if (port == 0) return Fail(Code::kInternal, "nexus serve did not tell its port: " + line);
  return ServedPanels(std::move(folder), std::move(process), port);
}

Result<double> ServedPanels::CpuUs() const {
  std::ifstream file(fmt::format("/proc/{}/stat", process_.pid()));
  std::string text;
  std::getline(file, text);
  // Behind the name, which may hold anything: state is field 3, utime and stime 14 and 15.
  const std::size_t name = text.rfind(')');
  if (name == std::string::npos) return Fail(Code::kUnavailable, "the server has ended");
  std::istringstream fields(text.substr(name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Result<double> ServedPanels::ResidentKb() const {
  NEXUS_TRY(const std::int64_t kb, MemoryKb("Rss", process_.pid()));
  return static_cast<double>(kb);
}

Result<double> RawCommitsPerS(const Bench& bench) {
  NEXUS_TRY(const std::filesystem::path state, StateDir());
  NEXUS_TRY_STATUS(MakeDirs(state));
  NEXUS_TRY(const TemporaryDir folder, TemporaryDir::Make(state));
  NEXUS_TRY(SqliteFile file, SqliteFile::Open((folder.path() / "raw.db").string()));
  NEXUS_TRY_STATUS(
      file.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "CREATE TABLE t (n INTEGER PRIMARY KEY, body BLOB) STRICT"));
  NEXUS_TRY(SqliteStatement insert, file.Prepare("INSERT INTO t (body) VALUES (?)"));
  const std::string body(200, 'x');
  const int commits = bench.Scaled(500);
  const std::int64_t start = NowNs();
  for (int i = 0; i < commits; ++i) {
    NEXUS_TRY(const bool row, insert.Reset().BindBlob(1, body).Step(file));
    if (row) return Fail(Code::kInternal, "an insert gave a row");
  }
  insert.Reset();
  return commits * 1e9 / static_cast<double>(NowNs() - start);
}

}  // namespace nexus::bench
