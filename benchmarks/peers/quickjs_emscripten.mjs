// quickjs-emscripten: a WebAssembly instance a run, from a module compiled once. (Its usual form
// shares one linear memory between all runs and is no match for an instance each.)
import { readFileSync } from "node:fs";
import { importOf } from "./import.mjs";
import { caller } from "./packages.mjs";

export async function open(packages, limits) {
  const core = await importOf(packages, "quickjs-emscripten-core");
  const { default: release } = await importOf(packages, "@jitl/quickjs-wasmfile-release-sync");
  const file = packages.require.resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  const wasmModule = await WebAssembly.compile(readFileSync(file));
  const variant = core.newVariant(release, { wasmModule });

  return async (handler, json) => {
    const module = await core.newQuickJSWASMModuleFromVariant(variant);
    const runtime = module.newRuntime();
    runtime.setMemoryLimit(limits.memoryBytes);
    runtime.setMaxStackSize(limits.stackBytes);
    runtime.setInterruptHandler(core.shouldInterruptAfterDeadline(Date.now() + limits.timeoutMs));
    const context = runtime.newContext();
    try {
      context.unwrapResult(context.evalCode(handler + caller)).dispose();
      const call = context.getProp(context.global, "callHandler");
      const text = context.newString(json);
      const result = context.unwrapResult(context.callFunction(call, context.undefined, text));
      const answer = context.getString(result);
      for (const handle of [result, text, call]) handle.dispose();
      return answer;
    } finally {
      context.dispose();
      runtime.dispose();
    }
  };
}
