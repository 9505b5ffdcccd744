// One file's facts, from its parse tree.

import { parse } from '@babel/parser';

export interface ModuleFacts {
  path: string;
  exports: { name: string; line: number }[];
  imports: { from: string; names: string[] }[];
  functions: { name: string; line: number; lines: number; branches: number }[];
}

const branching = new Set([
  'IfStatement', 'ConditionalExpression', 'ForStatement', 'ForInStatement', 'ForOfStatement', 'WhileStatement',
  'DoWhileStatement', 'CatchClause', 'LogicalExpression',
]);
const functionTypes = new Set([
  'FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression', 'ObjectMethod', 'ClassMethod',
]);

export function analyse(path: string, text: string): ModuleFacts {
  const typescript = /\.[mc]?tsx?$/.test(path);
  const tree = parse(text, {
    sourceType: 'unambiguous',
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: true,
    plugins: typescript ? ['typescript', 'decorators-legacy'] : ['jsx'],
  });
  const facts: ModuleFacts = { path, exports: [], imports: [], functions: [] };
  for (const statement of tree.program.body) readStatement(statement, facts);
  visit(tree.program, facts, undefined);
  return facts;
}

function readStatement(statement: any, facts: ModuleFacts) {
  const line = statement.loc.start.line;
  switch (statement.type) {
    case 'ImportDeclaration':
      facts.imports.push({ from: statement.source.value, names: statement.specifiers.map(importedName) });
      break;
    case 'ExportAllDeclaration':
      facts.imports.push({ from: statement.source.value, names: ['*'] });
      break;
    case 'ExportDefaultDeclaration':
      facts.exports.push({ name: 'default', line });
      break;
    case 'ExportNamedDeclaration':
      if (statement.source) {
        facts.imports.push({ from: statement.source.value, names: statement.specifiers.map((s: any) => nameOf(s.local)) });
      }
      for (const specifier of statement.specifiers) facts.exports.push({ name: nameOf(specifier.exported), line });
      for (const name of declaredNames(statement.declaration)) facts.exports.push({ name, line });
      break;
  }
}

const nameOf = (node: any): string => node.name ?? node.value;

function importedName(specifier: any): string {
  if (specifier.type === 'ImportDefaultSpecifier') return 'default';
  if (specifier.type === 'ImportNamespaceSpecifier') return '*';
  return nameOf(specifier.imported);
}

function declaredNames(declaration: any): string[] {
  if (!declaration) return [];
  if (declaration.id) return [declaration.id.name];
  return (declaration.declarations ?? []).flatMap((d: any) => patternNames(d.id));
}

function patternNames(pattern: any): string[] {
  switch (pattern?.type) {
    case 'Identifier': return [pattern.name];
    case 'ObjectPattern': return pattern.properties.flatMap((p: any) => patternNames(p.value ?? p.argument));
    case 'ArrayPattern': return pattern.elements.flatMap(patternNames);
    case 'AssignmentPattern': return patternNames(pattern.left);
    default: return [];
  }
}

// Walks the tree; `owner` is the function a branch belongs to.
function visit(node: any, facts: ModuleFacts, owner: ModuleFacts['functions'][number] | undefined, hint = '') {
  if (functionTypes.has(node.type)) {
    const { start, end } = node.loc;
    owner = {
      name: node.id?.name ?? node.key?.name ?? (hint || '(anonymous)'),
      line: start.line,
      lines: end.line - start.line + 1,
      branches: 0,
    };
    facts.functions.push(owner);
  }
  if (owner !== undefined && branching.has(node.type)) owner.branches += 1;
  const name = node.type === 'VariableDeclarator' ? node.id?.name : node.type === 'ObjectProperty' ? node.key?.name : '';
  if (node.type === 'ImportExpression' || (node.type === 'CallExpression' && node.callee.type === 'Import')) {
    const source = node.source ?? node.arguments[0];
    if (source?.type === 'StringLiteral') facts.imports.push({ from: source.value, names: ['*'] });
  }
  for (const key of Object.keys(node)) {
    if (key === 'loc' || key.endsWith('Comments') || key === 'extra') continue;
    const child = node[key];
    if (Array.isArray(child)) {
      for (const item of child) if (item && typeof item.type === 'string') visit(item, facts, owner, name);
    } else if (child && typeof child.type === 'string') {
      visit(child, facts, owner, name);
    }
  }
}
