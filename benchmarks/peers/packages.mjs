// Finds packages in the folder they were installed in, which is not this one.
import { createRequire } from "node:module";
import { join } from "node:path";

export function packages(folder = process.env.NEXUS_BENCH_PEERS) {
  if (!folder) throw new Error("NEXUS_BENCH_PEERS is not set");
  const require = createRequire(join(folder, "package.json"));
  return {
    require,
    /** Where a file of a package lies; for those that only export what `import` sees. */
    path: (...parts) => join(folder, "node_modules", ...parts),
  };
}

/** What the handler's text is surrounded with where the peer has no call with JSON of its own. */
export const caller = `
globalThis.callHandler = (text) => {
  const result = handler(JSON.parse(text));
  return JSON.stringify(result === undefined ? null : result);
};
`;
