// Run by tests/e2e/page.sh: the interpreter of view expressions, bundled to EXPRESSION.
import assert from 'node:assert/strict';
const { evaluate } = await import(process.env.EXPRESSION);

const scope = { $state: { items: [{ n: 1 }, { n: 2 }, { n: 3 }], text: 'ab', none: null }, $scope: { item: { n: 7 }, itemIndex: 2 } };
const equal = (code, expected) => assert.deepEqual(evaluate(code, scope), expected, code);
equal('1 + 2 * 3 ** 2 - -4 % 3', 20);
equal('$state.items.length === 3 && !false', true);
equal('$state.items.filter(i => i.n > 1).map((i, at) => ({ x: at, ...i }))', [{ x: 0, n: 2 }, { x: 1, n: 3 }]);
equal('$state.items.reduce((a, b) => a + b.n, 0)', 6);
equal("$state.text === 'ab' ? `is ${$state.text.toUpperCase()}!` : \"no\"", 'is AB!');
equal('$state.none?.x ?? "nothing"', 'nothing');
equal('{ id: $scope.item.n, at: $scope.itemIndex }', { id: 7, at: 2 });
equal('[...$state.items.slice(-1), Math.max(1, 2)]', [{ n: 3 }, 2]);
equal('typeof $state.nope', 'undefined');
equal('$state.items[$scope.itemIndex].n', 3);
equal('new Date(0).toISOString()', '1970-01-01T00:00:00.000Z');
equal("Object.keys($state).join(', ')", 'items, text, none');
for (const code of ['[].constructor', '"".constructor("x")', '(x => x).constructor("return 1")()', '$state.__proto__', '({}).toString.call(1)',
  'globalThis', 'window', 'fetch("x")', 'eval("1")', 'Function("1")', '$state["const" + "ructor"]', 'Math.constructor', '[].map.constructor']) {
  assert.throws(() => evaluate(code, scope), undefined, code);
}
for (const code of ['', '1 +', '(', '{', "'x", '`${', 'a b', 'x => { return 1 }', '$state.items.map(i => $state.items.map(j => $state.items.map(k => nope)))']) {
  assert.throws(() => evaluate(code, scope), undefined, code);
}
const many = { list: Array.from({ length: 1000 }, (_, i) => i) };
assert.throws(() => evaluate('list.map(a => list.map(b => list.map(c => c)))', many), /too long/);
console.log('expressions ok');
