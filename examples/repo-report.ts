// Reads a repository, parses its JavaScript and TypeScript with @babel/parser, and reports sizes, the
// longest functions and the exports nobody imports.
//
//   nexus run examples/repo-report.ts --workspace .:ro --cap ext:code.read --cap ext:code.list --limit wall=30s --limit cpu=30s
//   options: --args '{"path": "src", "json": true}'

import { analyse, type ModuleFacts } from './lib/analyse.ts';
import { resolveImport } from './lib/resolve.ts';

interface Args {
  path?: string;
  json?: boolean;
  maxFiles?: number;
}

const languages: Record<string, string> = {
  ts: 'TypeScript', mts: 'TypeScript', tsx: 'TypeScript', js: 'JavaScript', mjs: 'JavaScript', jsx: 'JavaScript',
  cc: 'C++', h: 'C/C++ header', c: 'C', py: 'Python', rs: 'Rust', go: 'Go', java: 'Java', sh: 'Shell',
  md: 'Markdown', cmake: 'CMake', json: 'JSON', html: 'HTML', css: 'CSS',
};
const parsed = new Set(['TypeScript', 'JavaScript']);
// Output of tools and copies of other people's code say nothing about this repository.
const exclude = ['.git', 'node_modules', 'build', 'dist', 'out', 'target', 'vendor', '.cache'];

export default async function report({ args, ext, log }: Context<Args>) {
  const root = args.path ?? '.';
  const entries = await ext.code.list(root, { recursive: true, max: 50_000, exclude });
  const files = entries.filter((entry) => entry.type === 'file' && entry.size < 1_000_000);
  const totals = new Map<string, { files: number; lines: number; bytes: number }>();
  const modules: ModuleFacts[] = [];
  const broken: { path: string; why: string }[] = [];

  for (const file of files.slice(0, args.maxFiles ?? 3000)) {
    const language = languages[file.name.split('.').pop() ?? ''] ?? (file.name === 'CMakeLists.txt' ? 'CMake' : undefined);
    if (language === undefined) continue;
    const text = await ext.code.read(file.path);
    if (typeof text !== 'string') continue; // Binary, whatever its name says.
    const total = totals.get(language) ?? { files: 0, lines: 0, bytes: 0 };
    total.files += 1;
    total.lines += text.split('\n').length;
    total.bytes += file.size;
    totals.set(language, total);
    if (!parsed.has(language)) continue;
    try {
      modules.push(analyse(file.path, text));
    } catch (error) {
      broken.push({ path: file.path, why: (error as Error).message });
    }
  }
  log.info(`read ${files.length} files, parsed ${modules.length}`);

  const dead = deadExports(modules);
  const functions = modules.flatMap((module) => module.functions.map((f) => ({ ...f, path: module.path })));
  functions.sort((a, b) => b.lines - a.lines || a.path.localeCompare(b.path));
  const summary = {
    languages: Object.fromEntries([...totals].sort((a, b) => b[1].lines - a[1].lines)),
    modules: modules.length,
    functions: functions.length,
    longest: functions.slice(0, 8),
    complex: [...functions].sort((a, b) => b.branches - a.branches).slice(0, 5),
    deadExports: dead,
    unparsed: broken,
  };
  return args.json ? summary : render(summary);
}

// Exports that no other file of the repository imports. A file that nobody imports at all is an entry
// point: its exports are its interface, not dead code.
function deadExports(modules: ModuleFacts[]) {
  const paths = new Set(modules.map((module) => module.path));
  const used = new Map<string, Set<string>>();
  for (const module of modules) {
    for (const { from, names } of module.imports) {
      const target = resolveImport(module.path, from, paths);
      if (target === undefined) continue;
      const set = used.get(target) ?? new Set<string>();
      for (const name of names) set.add(name);
      used.set(target, set);
    }
  }
  const dead: { path: string; name: string; line: number }[] = [];
  for (const module of modules) {
    const names = used.get(module.path);
    if (names === undefined || names.has('*')) continue;
    for (const { name, line } of module.exports) {
      if (!names.has(name)) dead.push({ path: module.path, name, line });
    }
  }
  return dead;
}

function render(summary: any): string {
  const pad = (text: unknown, width: number) => String(text).padEnd(width);
  const left = (number: number, width: number) => String(number).padStart(width);
  const lines = ['Language           Files    Lines'];
  for (const [name, total] of Object.entries<any>(summary.languages)) {
    lines.push(`${pad(name, 16)}${left(total.files, 8)}${left(total.lines, 9)}`);
  }
  lines.push('', `${summary.modules} modules with ${summary.functions} functions parsed`);
  if (summary.longest.length > 0) lines.push('', 'Longest functions');
  for (const f of summary.longest) lines.push(`  ${left(f.lines, 4)} lines  ${f.name}  ${f.path}:${f.line}`);
  if (summary.complex.length > 0) lines.push('', 'Most branches');
  for (const f of summary.complex) lines.push(`  ${left(f.branches, 4)}        ${f.name}  ${f.path}:${f.line}`);
  lines.push('', summary.deadExports.length === 0 ? 'No dead exports' : 'Exports nobody imports');
  for (const e of summary.deadExports.slice(0, 20)) lines.push(`  ${e.name}  ${e.path}:${e.line}`);
  for (const file of summary.unparsed.slice(0, 5)) lines.push(`not parsed: ${file.path}: ${file.why}`);
  return lines.join('\n');
}
