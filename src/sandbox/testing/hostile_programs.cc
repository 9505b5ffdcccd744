#include "sandbox/testing/hostile_programs.h"

#include <initializer_list>

namespace nexus::testing {
namespace {

using enum RunErrorCode;
using List = std::vector<HostileProgram>;

std::string Repeat(std::string_view text, int count) {
  std::string all;
  all.reserve(text.size() * static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

struct Row {
  const char* name;
  const char* text;
};

void Add(List& list, std::vector<RunErrorCode> codes, std::initializer_list<Row> rows) {
  for (const Row& row : rows) list.push_back({.name = row.name, .text = row.text, .codes = codes});
}

// As Add, for what a sandbox with room to spare may as well finish.
void AddLarge(List& list, std::vector<RunErrorCode> codes, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    list.push_back({.name = row.name, .text = row.text, .codes = codes, .may_succeed = true});
  }
}

// Loops the interpreter itself runs: the soft stop is enough.
void AddLoops(List& list) {
  Add(list, {kTimeout},
      {{"endless loop", "for (;;) {}"},
       {"loop in try and finally",
        "for (;;) { try { for (;;) {} } catch (e) {} finally { for (;;) {} } }"},
       {"endless await", "for (;;) await null"},
       {"microtask storm",
        "function go() { Promise.resolve().then(go).then(go) } go(); await new Promise(() => {})"},
       {"endless generator", "function* g() { for (;;) yield 1 } for (const x of g()) {}"},
       {"endless iterator in a spread",
        "const it = { [Symbol.iterator]() { return { next() { return { done: false } } } } }; "
        "for (const x of it) {}"},
       {"regex, nested quantifiers", "/^(a+)+$/.test('a'.repeat(34) + 'b')"},
       {"regex, alternatives", "/^(a|a)*$/.test('a'.repeat(60) + 'b')"},
       {"regex, lookahead",
        "/(?=(a*)*b)c/.test('a'.repeat(40)); for (;;) /^(a+)+$/.test('a'.repeat(34) + 'b')"},
       {"sort, comparator that lies",
        "const a = []; for (let i = 0; i < 3e5; i++) a.push(i % 7); "
        "for (;;) a.sort(() => Math.random() - 0.5)"},
       {"sort, comparator that loops", "[3, 2, 1].sort(() => { for (;;) {} })"},
       {"toString that loops", "const o = { toString() { for (;;) {} } }; return o + ''"},
       {"valueOf that loops", "return 1 + { valueOf() { for (;;) {} } }"},
       {"Proxy trap that loops", "Object.keys(new Proxy({}, { ownKeys() { for (;;) {} } }))"},
       {"getter while the result is read", "return { get x() { for (;;) {} } }"},
       {"toJSON while the result is read", "for (;;) JSON.stringify({ toJSON() { for (;;) {} } })"},
       {"Proxy as the result", "return new Proxy({}, { ownKeys() { for (;;) {} } })"},
       {"getter in an argument", "await $ext.memory.echo({ get x() { for (;;) {} } })"},
       {"getter in a state write", "$state.set('k', { get x() { for (;;) {} } })"},
       {"getter in an event", "$emit('e', { get x() { for (;;) {} } })"},
       {"thenable that loops", "await { then() { for (;;) {} } }"},
       {"thrown object with a loop",
        "throw { get message() { for (;;) {} }, toString() { for (;;) {} } }"},
       {"Error.prepareStackTrace that loops",
        "Error.prepareStackTrace = () => { for (;;) {} }; new Error('x').stack; for (;;) {}"},
       {"finalizer that keeps going",
        "async function f() { try { await null } finally { for (;;) await null } } await f()"},
       {"host calls, caught", "for (;;) { try { $state.get('x') } catch (e) {} }"}});
  list.back().codes = {kTimeout, kResourceLimit};
}

// Loops inside builtins, which never look at the interrupt word: only a hard stop ends them.
void AddBuiltinLoops(List& list) {
  Add(list, {kTimeout},
      {{"indexOf, length 2**45", "Array.prototype.indexOf.call({ length: 2 ** 45 }, 1)"},
       {"indexOf, length 2**53-1", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"},
       {"lastIndexOf, length 2**53-1",
        "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)"},
       {"includes, length 2**53-1", "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)"},
       {"includes, sparse array", "Array(2 ** 32 - 1).includes(1)"},
       {"reverse, length 2**53-1", "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })"},
       {"copyWithin, length 2**53-1",
        "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 5)"},
       {"typed array fill", "const t = new Uint8Array(8e6); for (;;) t.fill(1)"},
       {"substring search",
        "const s = 'a'.repeat(5e6), t = 'a'.repeat(2000) + 'b'; for (;;) s.indexOf(t)"},
       {"JSON.stringify of much",
        "const a = []; for (let i = 0; i < 1e5; i++) a.push([i]); for (;;) JSON.stringify(a)"}});
  AddLarge(list, {kTimeout, kMemoryLimit, kExecutionError},
           {{"BigInt squared", "let x = 3n; for (let i = 0; i < 40; i++) x = x * x; return 1"},
            {"BigInt power", "return String((3n ** 400000n) ** 12n).length"},
            {"BigInt to text", "return (1n << 8000000n).toString(7).length"},
            {"BigInt doubling", "let b = 2n; for (let i = 0; i < 64; i++) b = b * b; return 1"},
            {"sort of a million strings",
             "const a = new Array(1e6).fill('x'.repeat(50)); for (let i = 0; i < 9; i++) a.sort(); "
             "return 1"},
            {"sort of a typed array",
             "const t = new Float64Array(1e6); for (let i = 0; i < 1e6; i++) t[i] = -i; t.sort(); "
             "return 1"},
            {"replace that grows", "return 'a'.repeat(3000).replace(/a/g, '$`').length"},
            {"normalize", "return '\\u0344'.repeat(1e6).normalize('NFD').length"},
            {"fill of a huge array", "return new Array(1e9).fill(0).length"},
            {"join of a huge array", "return new Array(2 ** 32 - 1).join('ab').length"},
            {"concat of array-likes",
             "const o = { length: 2 ** 31, [Symbol.isConcatSpreadable]: true }; return "
             "[].concat(o, o).length"}});
}

void AddMemoryBombs(List& list) {
  Add(list, {kMemoryLimit, kTimeout},
      {{"arrays of arrays", "const a = []; for (;;) a.push(new Array(1000).fill(1.5))"},
       {"array that grows", "const a = []; for (;;) a.push(a.length)"},
       {"objects", "const a = []; for (;;) a.push({ x: 1, y: {} })"},
       {"Map that grows", "const m = new Map(); for (let i = 0; ; i++) m.set(i, {})"},
       {"Set of strings", "const s = new Set(); for (let i = 0; ; i++) s.add('key ' + i)"},
       {"symbols", "const a = []; for (let i = 0; ; i++) a.push(Symbol('s' + i))"},
       {"property names", "const o = {}; for (let i = 0; ; i++) o['key' + i] = 1"},
       {"closures", "const a = []; for (;;) a.push(() => a)"},
       {"promises never settled", "const a = []; for (;;) a.push(new Promise(() => {}))"},
       {"promise chain", "let p = Promise.resolve(); for (;;) p = p.then(() => 1)"},
       {"out of memory, caught",
        "const a = []; for (;;) { try { for (;;) a.push({}) } catch (e) { a.push(1) } }"},
       {"listeners of thenables",
        "const a = []; for (;;) a.push(Promise.resolve({ then(f) { a.push(f) } }))"}});
  Add(list, {kMemoryLimit, kTimeout, kExecutionError},
      {{"typed arrays", "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))"},
       {"string doubling", "let s = 'x'; for (;;) s += s"},
       {"string doubling, flat",
        "let s = 'xyz1'; const a = []; for (;;) { s += s; a.push(s.charCodeAt(s.length >> 1)) }"},
       {"repeat 2**30", "return 'x'.repeat(2 ** 30 - 2)"},
       {"ArrayBuffer of 1 GB", "return new ArrayBuffer(1e9)"},
       {"padStart 2**30", "return ''.padStart(2 ** 30 - 2, 'ab')"},
       {"JSON.stringify that grows", "let s = '\\\\'.repeat(1000); for (;;) s = JSON.stringify(s)"},
       {"error messages that grow", "let e = 'x'; for (;;) e = new Error(e + e).message"},
       {"regex captures",
        "return 'a'.repeat(1e6).replace(/(a)/g, "
        "'$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1').length"}});
}

void AddRecursions(List& list) {
  Add(list, {kStackOverflow, kTimeout, kMemoryLimit, kExecutionError},
      {{"recursion", "function f(n) { return f(n + 1) + 1 } return f(0)"},
       {"recursion, big frames",
        "function f(a, b, c, d, e, g) { const x = [a, b, c]; return f(x, a, b, c, d, e) + 1 } "
        "return f()"},
       {"recursion, spread", "function f(...a) { return f(...a, 1) } return f()"},
       {"recursion, caught",
        "function f() { try { return f() } catch (e) { return f() } } return f()"},
       {"toString cycle",
        "const o = {}; o.toString = function () { return '' + o }; return '' + o"},
       {"getter recursion", "const o = { get x() { return this.x } }; return o.x"},
       {"Proxy recursion", "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); return p.x"},
       {"Reflect recursion", "function f() { return Reflect.apply(f, null, []) } return f()"},
       {"sort recursion", "function f() { [1, 2].sort(f) } f()"},
       {"replace recursion", "function f() { return 'a'.replace(/a/, f) } return f()"},
       {"reviver recursion", "function f() { return JSON.parse('[1]', f) } return f()"},
       {"toJSON recursion",
        "const o = { toJSON() { return JSON.stringify(o) } }; return JSON.stringify(o)"},
       {"generator recursion", "function* g() { yield* g() } return [...g()]"},
       {"error cause chain",
        "function f(n) { try { f(n + 1) } catch (e) { throw new Error('x', { cause: e }) } } f(0)"},
       {"host call recursion", "function f() { $log({ get x() { return f() } }); return f() } f()"},
       {"host call from a getter",
        "const o = { get x() { $state.set('k', o); return 1 } }; $state.set('k', o)"}});
  AddLarge(
      list, {kStackOverflow, kTimeout, kMemoryLimit, kExecutionError, kResourceLimit},
      {{"async recursion", "async function f() { await f() } await f()"},
       {"JSON.parse, 200,000 deep", "return JSON.parse('['.repeat(2e5) + ']'.repeat(2e5)).length"},
       {"JSON.parse, 1,000,000 deep",
        "return JSON.parse('['.repeat(1e6) + ']'.repeat(1e6)).length"},
       {"JSON.stringify, deep",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a).length"},
       {"deep result", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a"},
       {"deep argument",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return await $ext.memory.echo(a)"},
       {"cyclic result", "const a = []; a.push(a); return a"},
       {"regex groups", "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).source.length"},
       {"regex groups without capture",
        "return new RegExp('(?:'.repeat(1e6) + ')'.repeat(1e6)).source.length"},
       {"regex quantified groups",
        "return new RegExp('('.repeat(200) + 'a' + ')*'.repeat(200)).exec('a'.repeat(1e5)) !== "
        "null"},
       {"array join, deep",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return String(a).length"},
       {"array join, cyclic",
        "let a = []; a[0] = a; for (let i = 0; i < 1e5; i++) a = [a]; return String(a).length"},
       {"Proxy chain",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x"},
       {"prototype chain",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = Object.create(p); return p.zz"},
       {"bind chain",
        "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f()"},
       {"instanceof, bound chain",
        "let f = function () {}; for (let i = 0; i < 1e5; i++) f = f.bind(); return {} instanceof "
        "f"},
       {"isArray, Proxy chain",
        "let p = []; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return Array.isArray(p)"},
       {"class chain",
        "let C = Object; for (let i = 0; i < 1e4; i++) { const P = C; C = class extends P {} } new "
        "C(); return 1"},
       {"flat, deep",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a.flat(Infinity).length"},
       {"rope of strings",
        "let s = ''; for (let i = 0; i < 2e5; i++) s = 'a' + s + 'b'; return s.length + "
        "s.charCodeAt(5)"},
       {"freed list", "let a = null; for (let i = 0; i < 3e5; i++) a = { a }; a = null; return 1"},
       {"freed closures",
        "let f = () => 0; for (let i = 0; i < 1e5; i++) { const g = f; f = () => g } f = null; "
        "return 1"},
       {"freed promises",
        "let p = Promise.resolve(); for (let i = 0; i < 5e4; i++) p = p.then(() => 1); p = null; "
        "return 1"}});
}

// Text that is hard on parsers. The compiler refuses it or copes.
void AddSources(List& list) {
  const auto add = [&list](const char* name, std::string expression) {
    list.push_back({.name = name,
                    .text = "export default () => { " + std::move(expression) + "\n}",
                    .codes = {kCompilationError, kStackOverflow, kMemoryLimit, kExecutionError},
                    .may_succeed = true,
                    .whole = true});
  };
  add("source, parentheses", "return " + Repeat("(", 100'000) + "1" + Repeat(")", 100'000));
  add("source, arrays", "return " + Repeat("[", 100'000) + Repeat("]", 100'000));
  add("source, functions", Repeat("function f(){", 10'000) + Repeat("}", 10'000));
  add("source, blocks", Repeat("{", 100'000) + Repeat("}", 100'000));
  add("source, unary operators", "return " + Repeat("!", 1'000'000) + "1");
  add("source, conditionals", "return " + Repeat("1?", 100'000) + "1" + Repeat(":1", 100'000));
  add("source, templates", "return " + Repeat("`${", 10'000) + "1" + Repeat("}`", 10'000));
  add("source, arrows", "return " + Repeat("x=>", 100'000) + "1");
  add("source, destructuring", "let " + Repeat("[", 10'000) + "a" + Repeat("]", 10'000) + " = 1");
  add("source, a huge number", "return " + Repeat("9", 200'000) + "n");
  add("source, a huge regex", "return /" + Repeat("(?:a|", 20'000) + Repeat(")", 20'000) + "/");
}

// Ways out, rather than ways to break.
void AddEscapes(List& list) {
  AddLarge(
      list, {kExecutionError, kPermissionDenied, kInvalidArgument, kTimeout},
      {{"constructor chain", "return (() => {}).constructor.constructor('return this')()"},
       {"constructors of all kinds",
        "for (const f of [() => {}, async () => {}, function* () {}, async function* () {}]) "
        "{ try { f.constructor('return 1')(); throw new Error('code from text') } catch (e) "
        "{ if (e.message === 'code from text') throw e } } return 1"},
       {"prototype pollution",
        "Object.prototype.polluted = 1; Array.prototype.push = () => { throw 1 }; "
        "Promise.prototype.then = () => { throw 2 }; JSON.stringify = () => 'x'; return { a: [1, "
        "2] }"},
       {"polluted setters",
        "for (const k of ['args', 'code', 'message', 'then', 'value', 'done']) "
        "Object.defineProperty(Object.prototype, k, { set() { throw new Error(k) }, get() { return "
        "undefined }, "
        "configurable: true }); return { ok: 1 }"},
       {"frozen context", "$state.constructor.prototype.get = () => 1; return 1"},
       {"code from text, nested", "return eval('('.repeat(1e5) + '1' + ')'.repeat(1e5))"},
       {"code from text, many operators",
        "return new Function('return ' + '!'.repeat(1e6) + '1')()"},
       {"exotic keys", "return { __proto__: null, ['__proto__']: 1, constructor: 2, toString: 3 }"},
       {"species",
        "class A extends Array { static get [Symbol.species]() { return function () { return new "
        "Proxy([], {}) } } } "
        "return new A(1, 2, 3).map((x) => x).length"}});
  Add(list, {kResourceLimit, kTimeout, kMemoryLimit, kInvalidArgument, kExecutionError},
      {{"host call flood", "for (;;) $state.get('x')"},
       {"state write flood", "for (let i = 0; ; i++) $state.set('k' + i, i)"},
       {"event flood", "for (;;) $emit('e', {})"},
       {"log flood", "for (;;) $log('x'.repeat(1000))"},
       {"suspension flood", "const a = []; for (;;) a.push($ext.memory.echo(1))"},
       {"call flood, awaited", "for (;;) await $ext.memory.echo(1)"},
       {"oversized argument",
        "const a = []; for (let i = 0; i < 40; i++) a.push('x'.repeat(1e6)); await "
        "$ext.memory.echo(a); for (;;) {}"},
       {"oversized state value", "for (let i = 0; ; i++) $state.set('k', 'x'.repeat(1e6 + i))"},
       {"oversized result", "return 'x'.repeat(4e6)"},
       {"oversized key", "$state.set('k'.repeat(8e6), 1); for (;;) {}"},
       {"oversized error", "throw new Error('x'.repeat(8e6))"},
       {"oversized log", "for (;;) $log(new Array(1e5).fill('xxxxxxxxxx'))"}});
}

List Make() {
  List list;
  AddLoops(list);
  AddBuiltinLoops(list);
  AddMemoryBombs(list);
  AddRecursions(list);
  AddSources(list);
  AddEscapes(list);
  return list;
}

}  // namespace

const std::vector<HostileProgram>& HostilePrograms() {
  static const List list = Make();
  return list;
}

}  // namespace nexus::testing
