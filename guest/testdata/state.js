// $state: properties and methods, nested writes, array methods, identity, references held over writes.
//: needs state
//=> []
const failed = [];
const check = (name, f) => { try { if (f() !== true) failed.push(name); } catch (e) { failed.push(`${name}: ${e}`); } };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

check('missing', () => $state.nothing === undefined && !('nothing' in $state) && !$state.has('nothing'));
check('set get', () => { $state.n = 1; $state.set('m', 2); return $state.get('n') + $state.m === 3 && 'n' in $state; });
check('increment', () => { $state.n++; $state.n += 5; return $state.n === 7; });
check('update', () => $state.update('n', (n) => n * 2) === 14 && $state.n === 14);
check('delete', () => { $state.gone = 1; const a = delete $state.gone; $state.gone = 2; $state.delete('gone'); return a && $state.gone === undefined && !('gone' in $state); });
check('keys', () => same($state.keys().sort(), ['m', 'n']) && same(Object.keys($state).sort(), ['m', 'n']) && same(Object.entries({ ...$state }).sort(), [['m', 2], ['n', 14]]));
check('nested', () => { $state.user = { name: 'a', tags: [], deep: { x: 1 } }; $state.user.deep.x++; $state.user.deep.y = { z: [1] }; $state.user.deep.y.z[0] = 5; delete $state.user.name; return same($state.user, { tags: [], deep: { x: 2, y: { z: [5] } } }); });
check('identity', () => $state.user === $state.user && $state.user.deep === $state.user.deep && $state.user.deep !== $state.user.tags);
check('value semantics', () => { const o = { a: 1 }; $state.copy = o; o.a = 2; return $state.copy.a === 1; });
check('nested value semantics', () => { const o = { a: 1 }; $state.user.o = o; o.a = 2; return $state.user.o.a === 1; });
check('push', () => { $state.list = [1]; const n = $state.list.push(2, { v: 3 }); return n === 3 && same($state.list, [1, 2, { v: 3 }]); });
check('pop shift unshift', () => { const a = $state.list; const p = a.pop(), s = a.shift(), n = a.unshift(8, 9); return p.v === 3 && s === 1 && n === 3 && same($state.list, [8, 9, 2]); });
check('splice sort reverse', () => { const a = $state.list; const r = a.splice(1, 1, 'x', 'y'); a.sort(); a.reverse(); return same(r, [9]) && same(a, ['y', 'x', 8, 2]); });
check('sort returns itself', () => $state.list.sort() === $state.list);
check('fill copyWithin length', () => { const a = $state.list; a.fill(0, 2); a.copyWithin(0, 2); a.length = 3; a[4] = 'e'; return same(a, [0, 0, 0, null, 'e']); });
check('array reads', () => { $state.list = [1, 2, 3]; const a = $state.list; return Array.isArray(a) && a.map((x) => x * 2).join() === '2,4,6' && [...a].length === 3 && a.includes(2) && a.at(-1) === 3 && a.concat([4]).length === 4 && a.slice(1).length === 2; });
check('find and write', () => { $state.items = [{ id: 1 }, { id: 2 }]; $state.items.find((i) => i.id === 2).done = true; return same($state.items, [{ id: 1 }, { id: 2, done: true }]); });
check('held item moves', () => { const it = $state.items[1]; $state.items.shift(); it.moved = 1; return same($state.items, [{ id: 2, done: true, moved: 1 }]); });
check('removed item is local', () => { const it = $state.items.pop(); it.local = 1; return it.local === 1 && same($state.items, []); });
check('replaced root is local', () => { const old = $state.user; $state.user = { fresh: true }; old.x = 1; return same($state.user, { fresh: true }); });
check('filter and assign back', () => { $state.list = $state.list.filter((x) => x > 1); return same($state.list, [2, 3]); });
check('json types', () => { $state.j = { d: new Date(0), u: undefined, n: NaN, b: 10n, m: new Map([[1, 2]]), s: new Set([1]), y: new Uint8Array([1, 2]), a: [undefined] }; return same($state.j, { d: '1970-01-01T00:00:00.000Z', n: null, b: '10', m: [[1, 2]], s: [1], y: 'AQI=', a: [null] }); });
check('cycle refused', () => { const o = {}; o.o = o; try { $state.cycle = o; } catch (e) { return /cyclic/.test(e.message) && $state.cycle === undefined; } return false; });
check('node as value', () => { $state.p = { q: { r: 1 } }; $state.q = $state.p.q; $state.q.r = 2; return $state.p.q.r === 1 && $state.q.r === 2; });
check('define', () => { Object.defineProperty($state.p, 'd', { value: 4 }); return $state.p.d === 4; });
check('no accessors', () => { try { Object.defineProperty($state.p, 'e', { get() { return 1; } }); } catch { return true; } return false; });
check('not frozen', () => { try { Object.freeze($state.p); } catch { return true; } return false; });
check('method names kept', () => { try { $state.get = 1; } catch { return true; } return false; });
check('in loops', () => { const seen = []; for (const k in $state.p) seen.push(k); return same(seen, ['q', 'd']); });
return failed;
