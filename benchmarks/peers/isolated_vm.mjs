// isolated-vm: a V8 isolate a run.
import { caller } from "./packages.mjs";

export async function open(packages, limits) {
  const ivm = packages.require("isolated-vm");
  return (handler, json) => {
    const isolate = new ivm.Isolate({ memoryLimit: limits.memoryBytes >> 20 });
    try {
      const context = isolate.createContextSync();
      context.evalSync(handler + caller, { timeout: limits.timeoutMs });
      const call = context.global.getSync("callHandler", { reference: true });
      return call.applySync(undefined, [json], { timeout: limits.timeoutMs, result: { copy: true } });
    } finally {
      isolate.dispose();
    }
  };
}
