// What a handler sees and what it does not.
//: args {"list":[1,{"a":2}],"name":"n"}
//=> []
const failed = [];
const check = (name, f) => { try { if (f() !== true) failed.push(name); } catch (e) { failed.push(`${name}: ${e}`); } };
const throws = (f) => { try { f(); } catch { return true; } return false; };

for (const name of ['window', 'document', 'self', 'frames', 'parent', 'top', 'fetch', 'XMLHttpRequest', 'WebSocket', 'Worker',
  'SharedWorker', 'ServiceWorker', 'importScripts', 'localStorage', 'sessionStorage', 'indexedDB', 'caches', 'cookieStore',
  'navigator', 'location', 'history', 'alert', 'confirm', 'prompt', 'open', 'close', 'print', 'postMessage', 'addEventListener',
  'removeEventListener', 'dispatchEvent', 'setTimeout', 'setInterval', 'requestAnimationFrame', 'cancelAnimationFrame',
  'queueMicrotask', 'crypto', 'performance', 'process', 'require', 'module', 'Buffer', 'global', 'std', 'os', 'SharedArrayBuffer']) {
  check(`absent ${name}`, () => !(name in globalThis));
}
for (const [name, f] of [['eval', () => eval('1')], ['indirect eval', () => (0, eval)('1')], ['Function', () => Function('return 1')],
  ['new Function', () => new Function('return 1')], ['AsyncFunction', () => (async () => {}).constructor('1')],
  ['GeneratorFunction', () => (function* () {}).constructor('1')], ['AsyncGeneratorFunction', () => (async function* () {}).constructor('1')],
  ['log.constructor', () => $log.constructor('return 1')()], ['ext.constructor', () => $ext.a.b.constructor('1')],
  ['Reflect', () => Reflect.construct(Function, ['1'])]]) {
  check(`no code from text: ${name}`, () => throws(f));
}
check('args', () => $args.list[1].a === 2 && $args.name === 'n');
check('args frozen', () => throws(() => { $args.x = 1; }) && throws(() => { $args.list.push(3); }) && throws(() => { $args.list[1].a = 9; }) && throws(() => { $args.list.length = 0; }) && Object.isFrozen($args.list));
check('args iterate', () => $args.list.map((x) => x).length === 2 && JSON.stringify($args) === '{"list":[1,{"a":2}],"name":"n"}' && [...$args.list].length === 2);
for (const name of ['$state', '$args', '$scope', '$view', '$emit', '$ext', '$tools', '$log', '$time']) {
  check(`${name} fixed`, () => throws(() => { globalThis[name] = 1; }) && throws(() => { delete globalThis[name]; }) && throws(() => Object.defineProperty(globalThis, name, { value: 1 })));
}
check('members fixed', () => throws(() => { $log.info = 1; }) && throws(() => { $emit.toast = 1; }) && throws(() => { $view.focus = 1; }) && throws(() => { $time.now = 1; }) && throws(() => { $ext.list = 1; }) && throws(() => { $tools.x = 1; }));
check('clock', () => typeof $time.now() === 'number' && Date.now() > 1e12 && new Date().getFullYear() > 2000);
check('extension calls are promises', () => { const p = $ext.nowhere.method(); p.catch(() => {}); return p instanceof Promise; });
check('no thenables', () => $ext.then === undefined && $ext.a.then === undefined && $tools.then === undefined && $state.then === undefined);
check('web names', () => [TextEncoder, TextDecoder, URL, URLSearchParams, structuredClone, atob, btoa].every((f) => typeof f === 'function'));
check('hostile prototypes', () => {
  const call = Function.prototype.call, iterator = Array.prototype[Symbol.iterator], get = WeakMap.prototype.get, push = Array.prototype.push;
  Function.prototype.call = null; Array.prototype[Symbol.iterator] = null; WeakMap.prototype.get = null; Array.prototype.push = null;
  Object.defineProperty(Object.prototype, 'value', { value: 5, configurable: true, writable: true });
  try { $log('still', ['works'], { a: 1 }); return typeof $time.now() === 'number'; } finally {
    Function.prototype.call = call; Array.prototype[Symbol.iterator] = iterator; WeakMap.prototype.get = get; Array.prototype.push = push;
    delete Object.prototype.value;
  }
});
return failed;
