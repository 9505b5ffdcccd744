// Promises, async functions, async iteration and the order of jobs.
//=> []
const failed = [];
const check = async (name, f) => { try { if (await f() !== true) failed.push(name); } catch (e) { failed.push(`${name}: ${e}`); } };
await check('order', async () => {
  const log = [];
  const p = Promise.resolve().then(() => log.push(1)).then(() => log.push(3));
  (async () => { log.push(0); await null; log.push(2); })();
  await p; await null;
  return log.join() === '0,1,2,3';
});
await check('all', async () => (await Promise.all([1, Promise.resolve(2), { then: (r) => r(3) }])).join() === '1,2,3');
await check('allSettled', async () => (await Promise.allSettled([1, Promise.reject(2)])).map((r) => r.status).join() === 'fulfilled,rejected');
await check('race any', async () => await Promise.race([new Promise(() => {}), 5]) === 5 && await Promise.any([Promise.reject(1), 6]) === 6);
await check('any fails', async () => { try { await Promise.any([Promise.reject(1)]); } catch (e) { return e instanceof AggregateError; } });
await check('withResolvers', async () => { const { promise, resolve } = Promise.withResolvers(); resolve(4); return await promise === 4; });
await check('rejection', async () => { try { await (async () => { throw new TypeError('x'); })(); } catch (e) { return e instanceof TypeError; } });
await check('finally', async () => { let n = 0; const v = await Promise.resolve(1).finally(() => { n++; return 9; }); return v === 1 && n === 1; });
await check('async generator', async () => { async function* g() { yield 1; yield await Promise.resolve(2); } const out = []; for await (const v of g()) out.push(v); return out.join() === '1,2'; });
await check('for await of promises', async () => { let s = 0; for await (const v of [Promise.resolve(1), 2]) s += v; return s === 3; });
await check('await thenable', async () => await { then(resolve) { resolve('t'); } } === 't');
await check('deep await chain', async () => { const f = async (n) => (n ? await f(n - 1) : 'end'); return await f(500) === 'end'; });
await check('try finally await', async () => { let s = ''; await (async () => { try { s += 'a'; return await null; } finally { await null; s += 'b'; } })(); return s === 'ab'; });
await check('unhandled is handled later', async () => { const p = Promise.reject(new Error('late')); await null; return await p.catch(() => true); });
return failed;
