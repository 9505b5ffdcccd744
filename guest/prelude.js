(function (native) {
  'use strict';
  const { defineProperty, freeze } = Object;
  const call = native.call, callAsync = native.callAsync;
  let args, scope;
  const context = freeze({
    get args() { return args; },
    get scope() { return scope; },
  });
  const fixed = (name, get) =>
    defineProperty(globalThis, name, { __proto__: null, get, enumerable: false, configurable: false });
  fixed('$args', () => args);
  fixed('$scope', () => scope);
  return {
    context,
    fill(a, s) { args = a; scope = s; },
    makeError(o) { const e = new Error(o.message); e.code = o.code; return e; },
  };
})
