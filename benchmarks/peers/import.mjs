// `import` of a package from the folder it was installed in.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

function entryOf(exported) {
  if (typeof exported === "string") return exported;
  for (const condition of ["import", "node", "default"]) {
    if (exported?.[condition]) return entryOf(exported[condition]);
  }
  return undefined;
}

export async function importOf(packages, name) {
  const manifest = JSON.parse(readFileSync(packages.path(name, "package.json"), "utf8"));
  const entry = entryOf(manifest.exports?.["."] ?? manifest.exports) ?? manifest.module ?? manifest.main;
  return import(pathToFileURL(packages.path(name, entry)));
}
