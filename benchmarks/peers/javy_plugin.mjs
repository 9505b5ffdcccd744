// QuickJS as Javy builds it, already initialised, run by V8's WebAssembly engine: an instance a run,
// the handler's bytecode cached. The nearest thing on npm to what this project does.
import { readFileSync } from "node:fs";
import { caller } from "./packages.mjs";

const noFile = 8; // WASI: bad file descriptor.

/** The imports of one instance; `io.input` is its one argument, `io.output` what it printed. */
function wasiOf(io, memory) {
  const view = () => new DataView(memory().buffer);
  const setU32 = (...pairs) => {
    for (let i = 0; i < pairs.length; i += 2) view().setUint32(pairs[i], pairs[i + 1], true);
    return 0;
  };
  return {
    args_sizes_get: (count, bytes) => setU32(count, 1, bytes, io.input.length + 1),
    args_get: (list, at) => {
      const target = new Uint8Array(memory().buffer, at, io.input.length + 1);
      target.set(io.input);
      target[io.input.length] = 0;
      return setU32(list, at);
    },
    environ_sizes_get: (count, bytes) => setU32(count, 0, bytes, 0),
    environ_get: () => 0,
    clock_time_get: (_id, _precision, at) => {
      view().setBigUint64(at, BigInt(Date.now()) * 1000000n, true);
      return 0;
    },
    random_get: (at, length) => {
      crypto.getRandomValues(new Uint8Array(memory().buffer, at, length));
      return 0;
    },
    fd_write: (_fd, vectors, count, written) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const at = view().getUint32(vectors + 8 * i, true);
        const length = view().getUint32(vectors + 8 * i + 4, true);
        io.output += Buffer.from(memory().buffer, at, length).toString();
        total += length;
      }
      return setU32(written, total);
    },
    fd_read: (_fd, _vectors, _count, read) => setU32(read, 0),
    fd_fdstat_get: (_fd, at) => {
      new Uint8Array(memory().buffer, at, 24).fill(0).set([2]);
      return 0;
    },
    fd_close: () => 0,
    fd_seek: () => noFile,
    fd_prestat_get: () => noFile,
    fd_prestat_dir_name: () => noFile,
    poll_oneoff: () => 0,
    proc_exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
}

export async function open(packages) {
  const file = packages.path("@chainlink", "cre-sdk-javy-plugin", "dist", "javy-chainlink-sdk.plugin.wasm");
  const module = new WebAssembly.Module(readFileSync(file));
  const others = WebAssembly.Module.imports(module).filter((entry) => entry.module === "env");

  const instantiate = (io) => {
    let memory;
    const env = Object.fromEntries(others.map(({ name }) => [name, () => (name === "now" ? Date.now() : 0)]));
    const instance = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasiOf(io, () => memory) });
    memory = instance.exports.memory;
    return instance.exports;
  };
  const put = (exports, bytes) => {
    const at = exports.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
    return at;
  };
  const compile = (text) => {
    const exports = instantiate({ input: Buffer.alloc(0), output: "" });
    const source = Buffer.from(text);
    const result = exports["compile-src"](put(exports, source), source.length);
    const [failed, at, length] = new Uint32Array(exports.memory.buffer.slice(result, result + 12));
    if (failed) throw new Error("the plugin could not compile the handler");
    return Buffer.from(exports.memory.buffer.slice(at, at + length));
  };

  const compiled = new Map();
  return (handler, json) => {
    let bytecode = compiled.get(handler);
    if (!bytecode) {
      bytecode = compile(`${handler}${caller}console.log(callHandler(JSON.parse(getWasiArgs())[0]));`);
      compiled.set(handler, bytecode);
    }
    const io = { input: Buffer.from(json), output: "" };
    const exports = instantiate(io);
    exports.invoke(put(exports, bytecode), bytecode.length, 0, 0, 0);
    return io.output.trimEnd();
  };
}
