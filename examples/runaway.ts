// Never ends by itself: the host stops it, and says which limit did.
//
//   nexus run examples/runaway.ts --limit wall=200ms
//   nexus run examples/runaway.ts --args '{"how": "memory"}'
//   nexus run examples/runaway.ts --args '{"how": "builtin"}' --limit wall=200ms
//   nexus run examples/runaway.ts --args '{"how": "recursion"}'

const ways: Record<string, () => unknown> = {
  loop() {
    for (let i = 0; ; i++) Math.sqrt(i);
  },
  memory() {
    const kept: string[] = [];
    for (;;) kept.push('x'.repeat(100_000) + kept.length);
  },
  // A loop inside the engine's own code, where no interrupt of the interpreter is seen.
  builtin() {
    return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 'never');
  },
  recursion() {
    const deeper = (n: number): number => 1 + deeper(n + 1);
    return deeper(0);
  },
};

export default function runaway({ args }: Context<{ how?: string }>) {
  const way = ways[args.how ?? 'loop'];
  if (way === undefined) throw new Error(`how: one of ${Object.keys(ways).join(', ')}`);
  return way();
}
