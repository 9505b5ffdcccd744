// Expressions of a view, evaluated without eval: a panel's text is not trusted with the page, and the
// page's policy forbids code from strings. A small interpreter of the part of JavaScript that bindings
// use. It never reaches a prototype's constructor, and it ends: every step is counted.

export type Scope = Record<string, unknown>;
type Node = (scope: Scope) => unknown;

const STEPS_MAX = 100_000;
let steps = 0;
const step = () => {
  if (++steps > STEPS_MAX) throw new Error('the expression takes too long');
};

const FORBIDDEN = new Set(['constructor', '__proto__', 'prototype', '__defineGetter__', '__defineSetter__',
  '__lookupGetter__', '__lookupSetter__', 'call', 'apply', 'bind']);
const METHODS = new Set(('at concat includes indexOf lastIndexOf join slice map filter find findIndex some every reduce ' +
  'flat flatMap reverse sort toReversed toSorted keys values entries charAt charCodeAt codePointAt endsWith startsWith ' +
  'padEnd padStart repeat replace replaceAll split substring substr toLowerCase toUpperCase toString trim trimEnd trimStart ' +
  'toFixed toPrecision localeCompare getTime getFullYear getMonth getDate getDay getHours getMinutes getSeconds toISOString ' +
  'toLocaleString toLocaleDateString toLocaleTimeString abs ceil floor round max min pow sqrt trunc sign hypot log log10 ' +
  'log2 exp isArray isInteger isFinite isNaN parseFloat parseInt parse stringify fromEntries now of').split(' '));
const GLOBALS: Scope = { Math, Number, String, Boolean, Array, Object: { keys: Object.keys, values: Object.values,
  entries: Object.entries, fromEntries: Object.fromEntries }, JSON: { parse: JSON.parse, stringify: JSON.stringify },
  Date, undefined: undefined, NaN: NaN, Infinity: Infinity, isNaN, isFinite, parseInt, parseFloat };
const GROWING = new Set<unknown>([String.prototype.repeat, String.prototype.padStart, String.prototype.padEnd]);
const CALLABLE = new Set<unknown>([Number, String, Boolean, isNaN, isFinite, parseInt, parseFloat]);

type Token = { kind: 'num' | 'str' | 'name' | 'op' | 'template' | 'end'; text: string; value?: unknown; parts?: [string[], string[]] };
const OPERATORS = ['===', '!==', '...', '**', '=>', '==', '!=', '<=', '>=', '&&', '||', '??', '?.', '+', '-', '*', '/', '%',
  '<', '>', '!', '?', ':', ',', '.', '(', ')', '[', ']', '{', '}', '~'];
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', 0: '\0' };

// Past the `}` that closes what began before `at`.
export function closingBrace(text: string, at: number): number {
  for (let depth = 1; at < text.length; at++) {
    const c = text[at];
    if (c === '"' || c === "'" || c === '`') {
      at = closingQuote(text, at);
    } else if (c === '{') {
      depth++;
    } else if (c === '}' && --depth === 0) {
      return at;
    }
  }
  throw new Error("a '{' is not closed");
}

function closingQuote(text: string, at: number): number {
  const quote = text[at];
  for (at++; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
    else if (quote === '`' && text[at] === '$' && text[at + 1] === '{') at = closingBrace(text, at + 2);
  }
  throw new Error('a string is not closed');
}

function unescape(text: string): string {
  return text.replace(/\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\s\S])/g, (_, e: string) =>
    e.length > 1 ? String.fromCodePoint(parseInt(e.replace(/[ux{}]/g, ''), 16)) : ESCAPES[e] ?? e);
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const c = text[at];
    const rest = text.slice(at);
    let match: RegExpMatchArray | null;
    if (/\s/.test(c)) {
      at++;
    } else if ((match = rest.match(/^(0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)/))) {
      tokens.push({ kind: 'num', text: match[0], value: Number(match[0]) });
      at += match[0].length;
    } else if ((match = rest.match(/^[\p{L}_$][\p{L}\p{N}_$]*/u))) {
      tokens.push({ kind: 'name', text: match[0] });
      at += match[0].length;
    } else if (c === '"' || c === "'") {
      const end = closingQuote(text, at);
      tokens.push({ kind: 'str', text: c, value: unescape(text.slice(at + 1, end)) });
      at = end + 1;
    } else if (c === '`') {
      const end = closingQuote(text, at);
      tokens.push({ kind: 'template', text: c, parts: templateParts(text.slice(at + 1, end)) });
      at = end + 1;
    } else {
      const op = OPERATORS.find((o) => rest.startsWith(o));
      if (!op) throw new Error(`'${c}' is not understood`);
      tokens.push({ kind: 'op', text: op });
      at += op.length;
    }
  }
  tokens.push({ kind: 'end', text: 'the end' });
  return tokens;
}

function templateParts(text: string): [string[], string[]] {
  const texts: string[] = [];
  const codes: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') {
      at++;
    } else if (text[at] === '$' && text[at + 1] === '{') {
      texts.push(unescape(text.slice(from, at)));
      const end = closingBrace(text, at + 2);
      codes.push(text.slice(at + 2, end));
      at = end;
      from = end + 1;
    }
  }
  texts.push(unescape(text.slice(from)));
  return [texts, codes];
}

function member(object: unknown, key: unknown): unknown {
  step();
  const name = String(key);
  if (FORBIDDEN.has(name)) throw new Error(`'${name}' cannot be reached from a view`);
  if (object === null || object === undefined) throw new Error(`there is no '${name}' of ${object}`);
  const value = (object as Scope)[name];
  if (typeof value === 'function' && !METHODS.has(name)) throw new Error(`'${name}' is no method of a view`);
  return value;
}

function invoke(target: unknown, self: unknown, args: unknown[]): unknown {
  step();
  if (typeof target !== 'function') throw new Error('this is no function');
  if (GROWING.has(target) && Number(args[0]) > 10_000) throw new Error('the text would be too long');
  return target.apply(self, args);
}

const BINARY: Record<string, [number, (a: any, b: any) => unknown]> = {
  '==': [6, (a, b) => a == b], '!=': [6, (a, b) => a != b], '===': [6, (a, b) => a === b], '!==': [6, (a, b) => a !== b],
  '<': [7, (a, b) => a < b], '>': [7, (a, b) => a > b], '<=': [7, (a, b) => a <= b], '>=': [7, (a, b) => a >= b],
  in: [7, (a, b) => a in b], '+': [9, (a, b) => a + b], '-': [9, (a, b) => a - b], '*': [10, (a, b) => a * b],
  '/': [10, (a, b) => a / b], '%': [10, (a, b) => a % b],
};

class Parser {
  private at = 0;
  constructor(private tokens: Token[]) {}

  whole(): Node {
    const node = this.expression();
    if (this.peek().kind !== 'end') throw new Error(`'${this.peek().text}' is not expected here`);
    return node;
  }
  private peek(ahead = 0) { return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]; }
  private is(text: string) { const t = this.peek(); return t.text === text && (t.kind === 'op' || t.kind === 'name'); }
  private take(text: string): boolean { if (!this.is(text)) return false; this.at++; return true; }
  private need(text: string) { if (!this.take(text)) throw new Error(`'${text}' is missing before '${this.peek().text}'`); }

  private expression(): Node {
    const arrow = this.arrow();
    if (arrow) return arrow;
    const test = this.logical(0);
    if (!this.take('?')) return test;
    const yes = this.expression();
    this.need(':');
    const no = this.expression();
    return (s) => (test(s) ? yes(s) : no(s));
  }

  private arrow(): Node | null {
    const start = this.at;
    const names: string[] = [];
    if (this.peek().kind === 'name' && this.peek(1).text === '=>') {
      names.push(this.peek().text);
      this.at += 1;
    } else if (this.take('(')) {
      while (this.peek().kind === 'name') {
        names.push(this.peek().text);
        this.at++;
        if (!this.take(',')) break;
      }
      if (!this.take(')') || !this.is('=>')) { this.at = start; return null; }
    } else {
      return null;
    }
    this.need('=>');
    if (this.is('{')) throw new Error('a function here is one expression, without braces');
    const body = this.expression();
    return (scope) => (...args: unknown[]) => {
      step();
      const inner: Scope = Object.create(scope);
      names.forEach((name, i) => { inner[name] = args[i]; });
      return body(inner);
    };
  }

  private logical(level: number): Node {
    const ops = [['??', '||'], ['&&']];
    if (level === ops.length) return this.binary(6);
    let left = this.logical(level + 1);
    for (;;) {
      const op = ops[level].find((o) => this.take(o));
      if (!op) return left;
      const a = left;
      const b = this.logical(level + 1);
      left = op === '&&' ? (s) => a(s) && b(s) : op === '||' ? (s) => a(s) || b(s) : (s) => a(s) ?? b(s);
    }
  }

  private binary(min: number): Node {
    let left = this.unary();
    for (;;) {
      const entry = Object.hasOwn(BINARY, this.peek().text) && this.peek().kind !== 'str' ? BINARY[this.peek().text] : null;
      if (!entry || entry[0] < min) return left;
      this.at++;
      const a = left;
      const b = this.binary(entry[0] + 1);
      left = (s) => { step(); return entry[1](a(s), b(s)); };
    }
  }

  private unary(): Node {
    if (this.take('!')) { const a = this.unary(); return (s) => !a(s); }
    if (this.take('-')) { const a = this.unary(); return (s) => -(a(s) as number); }
    if (this.take('+')) { const a = this.unary(); return (s) => +(a(s) as number); }
    if (this.take('typeof')) { const a = this.unary(); return (s) => typeof a(s); }
    const base = this.postfix();
    if (!this.take('**')) return base;
    const power = this.unary();
    return (s) => (base(s) as number) ** (power(s) as number);
  }

  private postfix(): Node {
    // `self` is what a method is called on; `short` ends a chain at `?.` of nothing.
    let self: Node = () => undefined;
    let node = this.primary();
    for (;;) {
      const optional = this.take('?.');
      if (this.take('.') || (optional && this.peek().kind === 'name')) {
        const name = this.peek();
        if (name.kind !== 'name') throw new Error(`a name is missing after '.'`);
        this.at++;
        [self, node] = this.access(node, () => name.text, optional);
      } else if (this.is('[')) {
        this.at++;
        const key = this.expression();
        this.need(']');
        [self, node] = this.access(node, key, optional);
      } else if (this.is('(')) {
        const args = this.list('(', ')');
        const target = node;
        const on = self;
        node = (s) => {
          const f = target(s);
          if (optional && (f === undefined || f === null)) return undefined;
          const object = on(s);
          if (object === undefined && !CALLABLE.has(f) && Object.values(GLOBALS).includes(f)) {
            throw new Error('this cannot be called in a view');
          }
          return invoke(f, object, this.spread(args, s));
        };
        self = () => undefined;
      } else {
        return node;
      }
    }
  }

  private access(node: Node, key: Node, optional: boolean): [Node, Node] {
    return [node, (s) => {
      const object = node(s);
      if (optional && (object === undefined || object === null)) return undefined;
      return member(object, key(s));
    }];
  }

  private list(open: string, close: string): { node: Node; spread: boolean }[] {
    const items: { node: Node; spread: boolean }[] = [];
    this.need(open);
    while (!this.take(close)) {
      const spread = this.take('...');
      items.push({ node: this.expression(), spread });
      if (!this.take(',')) { this.need(close); break; }
    }
    return items;
  }
  private spread(items: { node: Node; spread: boolean }[], scope: Scope): unknown[] {
    return items.flatMap((i) => (i.spread ? [...(i.node(scope) as unknown[])] : [i.node(scope)]));
  }

  private primary(): Node {
    const token = this.peek();
    if (token.kind === 'num' || token.kind === 'str') { this.at++; return () => token.value; }
    if (token.kind === 'template') {
      this.at++;
      const [texts, codes] = token.parts!;
      const nodes = codes.map((code) => new Parser(tokenize(code)).whole());
      return (s) => texts.reduce((text, part, i) => text + part + (i < nodes.length ? String(nodes[i](s)) : ''), '');
    }
    if (this.take('new')) {
      this.need('Date');
      const args = this.is('(') ? this.list('(', ')') : [];
      return (s) => new Date(...(this.spread(args, s) as [number]));
    }
    if (token.kind === 'name') {
      this.at++;
      const fixed: Scope = { true: true, false: false, null: null };
      if (Object.hasOwn(fixed, token.text)) return () => fixed[token.text];
      return (s) => {
        step();
        for (let at: Scope | null = s; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
          if (Object.hasOwn(at, token.text)) return at[token.text];
        }
        if (Object.hasOwn(GLOBALS, token.text)) return GLOBALS[token.text];
        throw new Error(`'${token.text}' is not known here`);
      };
    }
    if (this.take('(')) {
      const node = this.expression();
      this.need(')');
      return node;
    }
    if (this.is('[')) {
      const items = this.list('[', ']');
      return (s) => this.spread(items, s);
    }
    if (this.is('{')) return this.object();
    throw new Error(`'${token.text}' is not expected here`);
  }

  private object(): Node {
    const entries: [Node, Node][] = [];
    this.need('{');
    while (!this.take('}')) {
      if (this.take('...')) {
        entries.push([() => null, this.expression()]);
      } else {
        const key = this.peek();
        this.at++;
        if (key.kind === 'op') throw new Error(`'${key.text}' is no name of a member`);
        const name = key.kind === 'name' ? key.text : String(key.value);
        const value = this.take(':') ? this.expression() : new Parser([key, { kind: 'end', text: '' }]).whole();
        entries.push([() => name, value]);
      }
      if (!this.take(',')) { this.need('}'); break; }
    }
    return (s) => {
      const object: Scope = {};
      for (const [key, value] of entries) {
        const name = key(s);
        if (name === null) Object.assign(object, value(s));
        else if (name !== '__proto__') object[name as string] = value(s);
      }
      return object;
    };
  }
}

const parsed = new Map<string, Node>();

/** The value of `text` with the names in `scope`. Throws an Error that says what is wrong. */
export function evaluate(text: string, scope: Scope): unknown {
  let node = parsed.get(text);
  if (!node) {
    node = new Parser(tokenize(text)).whole();
    parsed.set(text, node);
  }
  steps = 0;
  return node(scope);
}
