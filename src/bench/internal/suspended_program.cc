#include "bench/internal/suspended_program.h"

#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {

const char* const kSuspendedProgram = R"(export default async ({ args, ext }) => {
  const n = args.n;
  const a0 = n, a1 = n + 1, a2 = n + 2, a3 = n + 3, a4 = n + 4, a5 = n + 5, a6 = n + 6, a7 = n + 7;
  const b0 = "b" + n, b1 = b0 + 1, b2 = b0 + 2, b3 = b0 + 3, b4 = b0 + 4, b5 = b0 + 5,
    b6 = b0 + 6, b7 = b0 + 7;
  const c0 = { n }, c1 = [n], c2 = { n: { n } }, c3 = [a1, a2], c4 = { s: b1 }, c5 = [b2, b3],
    c6 = { a: a4 }, c7 = [a5];
  const d0 = n / 3, d1 = d0 * 2, d2 = d0 * 3, d3 = d0 * 4, d4 = d0 * 5, d5 = d0 * 6,
    d6 = d0 * 7, d7 = d0 * 8;
  const seen = new Map();
  for (let i = 0; i < 20; i++) seen.set("key" + i, { i, text: "item " + (i + n) });
  const add = (x) => a0 + x, twice = (x) => add(add(x)), look = (k) => seen.get(k);
  const steps = [add, twice], label = () => b0 + b7, count = () => seen.size,
    last = () => look("key19").text;
  const answer = await ext.memory.echo({ question: "go on?", n });
  const numbers = [a0, a1, a2, a3, a4, a5, a6, a7].reduce((x, y) => x + y, 0);
  const texts = [b0, b1, b2, b3, b4, b5, b6, b7].join("").length;
  const objects = c0.n + c1[0] + c2.n.n + c3[0] + c4.s.length + c5.length + c6.a + c7[0];
  const fractions = Math.round([d0, d1, d2, d3, d4, d5, d6, d7].reduce((x, y) => x + y, 0));
  return [answer, numbers, texts > 0, objects > 0, fractions >= 0, steps[1](1),
    label().length > 0, count(), last()];
})";

ExecutionContext SuspendedContext(const std::shared_ptr<Extension>& extension, int n) {
  static const CapabilitySet granted = *CapabilitySet::Parse({"ext:memory"});
  ExecutionContext context;
  context.args = Value::Object({{"n", n}});
  context.capabilities = granted;
  context.extensions = {{"memory", extension}};
  return context;
}

Result<SuspendedRun> Suspend(Sandbox& sandbox, const ProgramPtr& program,
                             const std::shared_ptr<Extension>& extension, int n) {
  SuspendedRun suspended{.run = sandbox.NewRun(program, SuspendedContext(extension, n)),
                         .suspension_id = {}};
  const RunResult result = suspended.run->Start();
  if (result.status != RunStatus::kSuspended || result.suspensions.size() != 1) {
    return Fail(Code::kInternal, "the program did not suspend: " +
                                     (result.error ? result.error->message : "it ended"));
  }
  suspended.suspension_id = result.suspensions.front().suspension_id;
  return suspended;
}

Status FinishSuspended(Run& run, int n) {
  if (run.suspensions().size() != 1) return Fail(Code::kInternal, "the run waits for nothing");
  NEXUS_TRY(const RunResult result,
            run.Resume(run.suspensions().front().suspension_id, Answer::Ok(Value("yes"))));
  const ValueArray expected = {
      "yes", 8 * n + 28, true, true, true, 2 * n + 1, true, 20, "item " + std::to_string(19 + n)};
  return ExpectResult(result, Value(expected));
}

}  // namespace nexus::bench
