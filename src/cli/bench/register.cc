// Puts the suites of src/bench behind `nexus bench`.
#include "bench/bench.h"
#include "cli/bench_registry.h"

namespace nexus {

void RegisterBenchmarks(BenchRegistry& registry) {
  for (const bench::Suite& suite : bench::Suites()) {
    registry.Add({.name = suite.name,
                  .summary = suite.summary,
                  .run = [run = suite.run](const BenchOptions& given, const BenchSink& sink) {
                    bench::Options options;
                    options.quick = given.quick;
                    options.setup = given.setup;
                    options.only = given.only;
                    options.cache_dir = given.cache_dir;
                    return run(options, [&sink](const bench::Figure& figure) {
                      sink({.name = figure.name,
                            .value = figure.value,
                            .unit = figure.unit,
                            .op = figure.op,
                            .bar = figure.bar,
                            .what = figure.what,
                            .details = Value(figure.details)});
                    });
                  }});
  }
}

}  // namespace nexus
