// Runs one peer for `nexus bench`: node serve.mjs NAME, with NEXUS_BENCH_PEERS naming the folder in
// which the packages are installed. Prints "ready"; then answers each line with a number of runs by
// the times they took, in microseconds, as a JSON list.
//
// A run is what a user of the package would do for code that must not see another run's leftovers:
// make an instance or isolate, load the handler, give it JSON, take JSON, throw everything away.
import { createInterface } from "node:readline";
import { packages } from "./packages.mjs";

const adapters = {
  "quickjs-wasi": "./quickjs_wasi.mjs",
  "quickjs-emscripten": "./quickjs_emscripten.mjs",
  "javy-plugin": "./javy_plugin.mjs",
  "isolated-vm": "./isolated_vm.mjs",
};

export const limits = { memoryBytes: 32 << 20, stackBytes: 1 << 20, timeoutMs: 5000 };
const handler = "globalThis.handler = (args) => args.a + args.b;";

function fail(why) {
  console.log(String(why).split("\n")[0]);
  process.exit(1);
}

const name = process.argv[2];
if (!adapters[name]) fail(`no such peer: ${name}`);
let peer;
try {
  const { open } = await import(adapters[name]);
  peer = await open(packages(), limits);
} catch (error) {
  fail(error.message);
}

async function timedRun(i) {
  const start = process.hrtime.bigint();
  const answer = await peer(handler, JSON.stringify({ a: i, b: 2 }));
  const end = process.hrtime.bigint();
  if (answer !== String(i + 2)) throw new Error(`wrong answer: ${answer}`);
  return Number(end - start) / 1e3;
}

try {
  for (let i = 0; i < 30; i++) await timedRun(i);
} catch (error) {
  fail(error.message);
}
console.log("ready");

for await (const line of createInterface({ input: process.stdin })) {
  const times = [];
  try {
    for (let i = 0; i < Number(line); i++) times.push(await timedRun(i));
  } catch (error) {
    fail(error.message);
  }
  console.log(JSON.stringify(times));
}
process.exit(0);
