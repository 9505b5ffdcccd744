// Reading panels. What is read is made here, once, so that its size can be chosen; the typical
// panel is one of the examples.
#include <fmt/format.h>

#include "base/file.h"
#include "bench/internal/measure.h"
#include "bench/internal/panel_measures.h"
#include "bench/internal/places.h"
#include "panel/nxml/nxml.h"

namespace nexus::bench {
namespace {

constexpr std::size_t kTextBytes = std::size_t{512} << 10;

std::string Structure() {
  constexpr int kStates = 200;
  std::string states, view;
  for (int i = 0; i < kStates; ++i) {
    states += fmt::format("    <State name=\"item{0}\" type=\"{1}\" default=\"{2}\"/>\n", i,
                          i % 2 == 0 ? "string" : "number", i % 2 == 0 ? "some text" : "12");
  }
  for (int i = 0; states.size() + view.size() < kTextBytes; ++i) {
    view += fmt::format(
        "      <Layout strategy=\"stack\" gap=\"md\">\n"
        "        <Text variant=\"h2\">Entry number {0} of the list</Text>\n"
        "        <Text>The value is {{$state.item{1}}}, as it was read &amp; stored</Text>\n"
        "        <Input bind=\"$state.item{1}\" label=\"Entry {0}\" placeholder=\"Type here\"/>\n"
        "      </Layout>\n",
        i, i % kStates);
  }
  return "<NexusPanel id=\"big\" title=\"Structure\">\n  <Data>\n" + states +
         "  </Data>\n  <View>\n    <Layout>\n" + view + "    </Layout>\n  </View>\n</NexusPanel>\n";
}

std::string WithCode() {
  std::string tools;
  for (int i = 0; tools.size() < kTextBytes; ++i) {
    tools += fmt::format(
        R"(    <Tool name="tool{0}" description="Changes an entry and says so">
      <Arg name="id" type="number" description="Which one"/>
      <Arg name="title" type="string" required="false" default="none"/>
      <Handler>
        const entries = $state.entries;
        const found = entries.find((entry) => entry.id === $args.id);
        if (!found) throw new Error(`there is no entry ${{$args.id}}`);
        for (let i = 0; i < entries.length; i++) {{
          if (entries[i].id !== $args.id && entries[i].title === $args.title) {{
            $log.warn('two entries of one title', entries[i].id);
          }}
        }}
        found.title = $args.title.trim();
        found.changed = $time.now();
        $state.entries = entries;
        $emit('changed', {{ id: found.id, by: 'tool{0}' }});
        return {{ ok: true, count: entries.length }};
      </Handler>
    </Tool>
)",
        i);
  }
  return "<NexusPanel id=\"code\" title=\"Code\">\n  <Data><State name=\"entries\" type=\"list\"/>"
         "</Data>\n  <Logic>\n" +
         tools + "  </Logic>\n</NexusPanel>\n";
}

// Microseconds to read `text`, which must be a panel without errors.
Result<Samples> Read(const std::string& text, int times) {
  Samples samples;
  for (int i = 0; i < times; ++i) {
    const std::int64_t start = NowNs();
    const NxmlReport report = ReadNxml(text, {.file = "bench.nxml", .limits = {}});
    samples.Add(static_cast<double>(NowNs() - start) / 1e3);
    if (!report.panel) {
      return Fail(Code::kInternal, fmt::format("a panel of the benchmark has an error: {}:{}: {}",
                                               report.errors.front().position.line,
                                               report.errors.front().position.column,
                                               report.errors.front().message));
    }
  }
  return samples;
}

Status Throughput(const Bench& bench, std::string_view figure, const std::string& text, int times) {
  if (!bench.wanted(figure)) return {};
  NEXUS_TRY(const Samples us, Read(text, times));
  ValueObject details{{"bytes", std::uint64_t{text.size()}}, {"us", us.Summary()}};
  bench.emit(figure, static_cast<double>(text.size()) / us.Median(), std::move(details));
  return {};
}

}  // namespace

Status MeasureNxml(const Bench& bench) {
  NEXUS_TRY_STATUS(Throughput(bench, "nxml_mb_per_s", Structure(), bench.Scaled(100)));
  NEXUS_TRY_STATUS(Throughput(bench, "nxml_with_code_mb_per_s", WithCode(), bench.Scaled(20)));
  if (!bench.wanted("nxml_typical_p50")) return {};
  NEXUS_TRY(const std::string typical, ReadFile(SourceDir() / "examples/panels/notes.nxml"));
  NEXUS_TRY(const Samples us, Read(typical, bench.Scaled(2'000)));
  ValueObject details = us.Summary();
  details.Append("bytes", std::uint64_t{typical.size()});
  bench.emit("nxml_typical_p50", us.Median(), std::move(details));
  return {};
}

}  // namespace nexus::bench
