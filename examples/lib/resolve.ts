// Where a relative import leads among the files of a repository.

const endings = ['', '.ts', '.mts', '.tsx', '.js', '.mjs', '/index.ts', '/index.js'];

export function resolveImport(importer: string, specifier: string, paths: Set<string>): string | undefined {
  if (!specifier.startsWith('.')) return undefined; // A package: not of this repository.
  const parts = importer.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  const base = parts.join('/');
  for (const ending of endings) {
    if (paths.has(base + ending)) return base + ending;
  }
  // TypeScript writes the name of the output: './a.js' for a.ts.
  const source = base.replace(/\.(m?)js$/, '.$1ts');
  return paths.has(source) ? source : undefined;
}
