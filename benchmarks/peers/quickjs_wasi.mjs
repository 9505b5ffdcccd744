// quickjs-wasi: a WebAssembly instance a run, from a module compiled once.
import { readFileSync } from "node:fs";
import { importOf } from "./import.mjs";
import { caller } from "./packages.mjs";

export async function open(packages, limits) {
  const { QuickJS } = await importOf(packages, "quickjs-wasi");
  const wasm = await WebAssembly.compile(readFileSync(packages.path("quickjs-wasi", "quickjs.wasm")));
  return async (handler, json) => {
    const end = Date.now() + limits.timeoutMs;
    const vm = await QuickJS.create({
      wasm,
      memoryLimit: limits.memoryBytes,
      interruptHandler: () => Date.now() > end,
    });
    try {
      vm.evalCode(handler + caller).dispose();
      const call = vm.global.getProp("callHandler");
      return vm.callFunction(call, vm.undefined, vm.newString(json)).toString();
    } finally {
      vm.dispose();
    }
  };
}
