// The context a program sees: $state $args $scope $view $emit $ext $tools $log $time and console.
//
// Evaluated once, when a base image is made, with `native` from natives.c. It runs before any
// program and keeps what it needs of the built-ins in constants: whatever a program does to
// Array.prototype or Function.prototype.call, nothing here looks them up again. Own tables have no
// prototype, properties are defined, never assigned through one, and no iterator is used.
(function (native) {
  'use strict';

  const {
    defineProperty, freeze, getOwnPropertyDescriptor, keys: objectKeys, create,
    prototype: ObjectPrototype,
  } = Object;
  const {
    apply, ownKeys, deleteProperty, has: reflectHas,
    getOwnPropertyDescriptor: reflectDescriptor, construct,
  } = Reflect;
  const { isArray, prototype: ArrayPrototype } = Array;
  const { isInteger, isFinite } = Number;
  const { min, trunc } = Math;
  const ProxyClass = Proxy, ErrorClass = Error, TypeErrorClass = TypeError, StringOf = String;
  const { stringify } = JSON;
  const bind = Function.prototype.bind, callOf = Function.prototype.call;
  const uncurry = (f) => apply(bind, callOf, [f]);
  const hasOwn = uncurry(ObjectPrototype.hasOwnProperty);
  const toStringTag = uncurry(ObjectPrototype.toString);
  const slice = uncurry(ArrayPrototype.slice);
  const join = uncurry(ArrayPrototype.join);
  const stringSlice = uncurry(StringOf.prototype.slice);
  const weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
  const mapEach = uncurry(Map.prototype.forEach), setEach = uncurry(Set.prototype.forEach);

  const { call, callAsync, clone, stateGet, stateForget, op } = native;

  const isObject = (v) => typeof v === 'object' && v !== null;
  // defineProperty for own tables: never meets a setter or a read-only property of a prototype.
  const put = (object, key, value) => {
    defineProperty(object, key,
      { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  };
  const nameOf = (key) => {
    if (typeof key === 'symbol') throw new TypeErrorClass('a symbol cannot be a key here');
    return StringOf(key);
  };
  const bare = (fields) => {
    const object = create(null);
    const names = objectKeys(fields);
    for (let i = 0; i < names.length; i++) put(object, names[i], fields[names[i]]);
    return object;
  };
  const refuse = (what) => () => { throw new TypeErrorClass(what); };

  // --- errors ---------------------------------------------------------------------------------

  class PermissionDenied extends ErrorClass {}
  class ExtensionError extends ErrorClass {}
  class ResourceLimitError extends ErrorClass {}
  const errorClass = bare({
    PERMISSION_DENIED: PermissionDenied,
    RESOURCE_LIMIT: ResourceLimitError,
    EXTENSION_ERROR: ExtensionError,
    EXTENSION_NOT_FOUND: ExtensionError,
    METHOD_NOT_FOUND: ExtensionError,
  });
  const classes = { PermissionDenied, ExtensionError, ResourceLimitError };
  for (const name of objectKeys(classes)) {
    defineProperty(classes[name].prototype, 'name',
      { __proto__: null, value: name, writable: true, configurable: true });
  }
  const errorFields = ['code', 'capability', 'limit', 'details'];

  // The exception for a host's error object {code, message, ...}.
  const makeError = (object) => {
    const info = isObject(object) ? object : bare({ message: StringOf(object) });
    const Class = (typeof info.code === 'string' && errorClass[info.code]) || ErrorClass;
    const error = new Class(info.message);
    for (let i = 0; i < errorFields.length; i++) {
      const value = info[errorFields[i]];
      if (value !== undefined) put(error, errorFields[i], value);
    }
    return error;
  };

  // --- $state ---------------------------------------------------------------------------------
  // An object or array of the state is shown as a node: a proxy over a local copy, with the path
  // that leads to it. Writes go to the host by path and, once accepted, to the copy. A node lives
  // through suspensions: in a new slice (another `epoch`) its copy is refreshed at the next use.

  let epoch = 0;
  const roots = create(null);            // state key -> node
  const nodeOfTarget = new WeakMap();
  const nodeOfProxy = new WeakMap();

  const sameKind = (a, b) => isObject(a) && isObject(b) && isArray(a) === isArray(b);

  const refill = (target, fresh) => {
    if (isArray(target)) {
      target.length = 0;
      for (let i = 0; i < fresh.length; i++) put(target, i, fresh[i]);
      return;
    }
    const old = objectKeys(target);
    for (let i = 0; i < old.length; i++) deleteProperty(target, old[i]);
    const names = objectKeys(fresh);
    for (let i = 0; i < names.length; i++) put(target, names[i], fresh[names[i]]);
  };

  const makeNode = (parent, key, target) => {
    const node = { __proto__: null, parent, key, target, epoch, detached: false, proxy: null };
    node.proxy = new ProxyClass(target, nodeHandler);
    weakSet(nodeOfTarget, target, node);
    weakSet(nodeOfProxy, node.proxy, node);
    return node;
  };

  const childOf = (node, key, value) => {
    let child = weakGet(nodeOfTarget, value);
    if (child === undefined) {
      child = makeNode(node, key, value);
      child.detached = node.detached;
    } else if (!child.detached) {
      child.parent = node;
      child.key = key;
    }
    return child.proxy;
  };

  // Called by stateGet for an object read from the host; gives what the program sees.
  const showRoot = (key, value) => {
    const known = roots[key];
    if (known !== undefined && sameKind(known.target, value)) {
      refill(known.target, value);
      known.epoch = epoch;
      return known.proxy;
    }
    if (known !== undefined) known.detached = true;
    const node = makeNode(null, key, value);
    put(roots, key, node);
    return node.proxy;
  };

  const dropRoot = (key) => {
    stateForget(key);
    const node = roots[key];
    if (node === undefined) return;
    node.detached = true;
    delete roots[key];
  };

  // Brings a node's copy up to the present slice.
  const ensure = (node) => {
    if (node.detached || node.epoch === epoch) {
      if (node.parent !== null && node.parent.detached) node.detached = true;
      return;
    }
    if (node.parent === null) {
      stateGet(node.key);                 // ends in showRoot, unless the key changed its kind
      if (node.epoch !== epoch) node.detached = true;
      return;
    }
    ensure(node.parent);
    const holder = node.parent.target;
    const value = hasOwn(holder, node.key) ? holder[node.key] : undefined;
    node.epoch = epoch;
    if (node.parent.detached || !sameKind(value, node.target)) {
      node.detached = true;
    } else if (value !== node.target) {
      refill(node.target, value);
      put(holder, node.key, node.target);
    }
  };

  // Where a node is now, the state key first; null when it is no longer part of the state.
  const pathOf = (node) => {
    const reversed = [];
    for (let n = node; ; n = n.parent) {
      if (n.detached) return null;
      if (n.parent === null) {
        if (roots[n.key] !== n) return null;
        put(reversed, reversed.length, n.key);
        break;
      }
      const holder = n.parent.target;
      if (!hasOwn(holder, n.key) || holder[n.key] !== n.target) {
        const names = objectKeys(holder);
        let found;
        for (let i = 0; i < names.length && found === undefined; i++) {
          if (holder[names[i]] === n.target) found = names[i];
        }
        if (found === undefined) {
          n.detached = true;
          return null;
        }
        n.key = found;
      }
      put(reversed, reversed.length, isArray(holder) ? +n.key : n.key);
    }
    const path = [];
    for (let i = reversed.length - 1; i >= 0; i--) put(path, path.length, reversed[i]);
    return path;
  };

  const withStep = (path, step) => {
    const longer = slice(path, 1);
    put(longer, longer.length, step);
    return longer;
  };

  // Sends the whole of `content` as the new value of `node`, then shows it.
  const replaceAll = (node, content) => {
    const path = pathOf(node);
    if (path !== null) call(op.StateSet, 0, path[0], slice(path, 1), content);
    if (content !== node.target) refill(node.target, content);
  };

  const indexOf = (key) => {
    const n = +key;
    return isInteger(n) && n >= 0 && n < 4294967295 && StringOf(n) === key ? n : -1;
  };

  const writeArray = (node, target, key, value) => {
    if (key === 'length') {
      const shorter = slice(target);
      shorter.length = value;
      replaceAll(node, clone(shorter, true));
      return;
    }
    const index = indexOf(key);
    if (index < 0) throw new TypeErrorClass(`$state: an array has no property '${key}'`);
    const copy = isObject(value) ? clone(value, true) : value === undefined ? null : value;
    if (index > target.length) {
      const longer = slice(target);
      for (let i = longer.length; i < index; i++) put(longer, i, null);
      put(longer, index, copy);
      replaceAll(node, longer);
      return;
    }
    const path = pathOf(node);
    if (path !== null) call(op.StateSet, 0, path[0], withStep(path, index), copy);
    put(target, index, isObject(copy) ? copy : clone(copy, true));
  };

  const writeProperty = (node, target, key, value) => {
    ensure(node);
    if (isArray(target)) return writeArray(node, target, key, value);
    if (value === undefined) return removeProperty(node, target, key);
    const copy = clone(value, true);
    const path = pathOf(node);
    if (path !== null) call(op.StateSet, 0, path[0], withStep(path, key), copy);
    put(target, key, copy);
  };

  const removeProperty = (node, target, key) => {
    ensure(node);
    if (!hasOwn(target, key)) return;
    if (isArray(target)) return writeArray(node, target, key, null);
    const path = pathOf(node);
    if (path !== null) call(op.StateDelete, 0, path[0], withStep(path, key));
    deleteProperty(target, key);
  };

  const arrayMethods = create(null);
  put(arrayMethods, 'push', function push(...items) {
    const node = weakGet(nodeOfProxy, this);
    if (node === undefined) return apply(ArrayPrototype.push, this, items);
    ensure(node);
    for (let i = 0; i < items.length; i++) {
      writeArray(node, node.target, StringOf(node.target.length), items[i]);
    }
    return node.target.length;
  });
  const wholeMethods = ['pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill', 'copyWithin'];
  for (let i = 0; i < wholeMethods.length; i++) {
    const name = wholeMethods[i];
    const original = ArrayPrototype[name];
    const takesValues = name === 'unshift' || name === 'splice' || name === 'fill';
    put(arrayMethods, name, { [name](...args) {
      const node = weakGet(nodeOfProxy, this);
      if (node === undefined) return apply(original, this, args);
      ensure(node);
      if (takesValues) {
        for (let k = 0; k < args.length; k++) {
          if (isObject(args[k])) put(args, k, clone(args[k], true));
        }
      }
      const work = slice(node.target);
      const result = apply(original, work, args);
      replaceAll(node, work);
      return result === work ? node.proxy : result;
    } }[name]);
  }

  const nodeHandler = bare({
    get(target, key) {
      if (typeof key === 'symbol') return target[key];
      const node = weakGet(nodeOfTarget, target);
      ensure(node);
      if (!hasOwn(target, key)) {
        if (isArray(target) && arrayMethods[key] !== undefined) return arrayMethods[key];
        return target[key];
      }
      const value = target[key];
      return isObject(value) ? childOf(node, key, value) : value;
    },
    set(target, key, value) {
      writeProperty(weakGet(nodeOfTarget, target), target, nameOf(key), value);
      return true;
    },
    deleteProperty(target, key) {
      removeProperty(weakGet(nodeOfTarget, target), target, nameOf(key));
      return true;
    },
    defineProperty(target, key, descriptor) {
      if (!hasOwn(descriptor, 'value')) throw new TypeErrorClass('$state holds plain values only');
      writeProperty(weakGet(nodeOfTarget, target), target, nameOf(key), descriptor.value);
      return true;
    },
    has(target, key) {
      ensure(weakGet(nodeOfTarget, target));
      return reflectHas(target, key);
    },
    ownKeys(target) {
      ensure(weakGet(nodeOfTarget, target));
      return ownKeys(target);
    },
    getOwnPropertyDescriptor(target, key) {
      const node = weakGet(nodeOfTarget, target);
      ensure(node);
      const descriptor = reflectDescriptor(target, key);
      if (descriptor !== undefined && isObject(descriptor.value)) {
        put(descriptor, 'value', childOf(node, key, descriptor.value));
      }
      return descriptor;
    },
    setPrototypeOf: refuse('$state: a prototype cannot be set'),
    preventExtensions: refuse('$state: cannot be frozen'),
  });

  const stateWrite = (key, value) => {
    call(op.StateSet, 0, key, [], value);
    dropRoot(key);
  };
  const stateDelete = (key) => {
    const existed = call(op.StateDelete, 0, key, []);
    dropRoot(key);
    return existed !== false;
  };
  const stateKeys = (readable) => call(op.StateKeys, readable ? 1 : 0);
  const stateMethods = bare({
    get: stateGet,  // The native function itself: one call less on the commonest path.
    set(key, value) { stateWrite(nameOf(key), value); },
    delete: (key) => stateDelete(nameOf(key)),
    has: (key) => call(op.StateHas, 0, nameOf(key)),
    keys: (options) => stateKeys(isObject(options) && options.readable === true),
    update(key, change) {
      const name = nameOf(key);
      const next = change(stateGet(name));
      stateWrite(name, next);
      return next;
    },
  });

  const stateProxyHandler = bare({
    get(target, key) {
      // An await or JSON.stringify of $state itself asks for these; they are no state keys.
      if (typeof key === 'symbol' || key === 'then' || key === 'toJSON') return undefined;
      return stateMethods[key] || stateGet(key);
    },
    set(target, key, value) {
      const name = nameOf(key);
      if (stateMethods[name]) throw new TypeErrorClass(`$state.${name} is a method`);
      stateWrite(name, value);
      return true;
    },
    deleteProperty(target, key) {
      stateDelete(nameOf(key));
      return true;
    },
    defineProperty(target, key, descriptor) {
      if (!hasOwn(descriptor, 'value')) throw new TypeErrorClass('$state holds plain values only');
      stateWrite(nameOf(key), descriptor.value);
      return true;
    },
    has: (target, key) => typeof key !== 'symbol' && call(op.StateHas, 0, key),
    ownKeys: () => stateKeys(true),
    getOwnPropertyDescriptor(target, key) {
      if (typeof key === 'symbol' || !call(op.StateHas, 0, key)) return undefined;
      return { value: stateGet(key), writable: true, enumerable: true, configurable: true };
    },
    getPrototypeOf: () => null,
    setPrototypeOf: refuse('$state: a prototype cannot be set'),
    preventExtensions: refuse('$state: cannot be frozen'),
  });
  const state = new ProxyClass(create(null), stateProxyHandler);

  // --- $ext, $tools ---------------------------------------------------------------------------

  const readOnly = (what) => ({
    set: refuse(`${what} cannot be changed`),
    defineProperty: refuse(`${what} cannot be changed`),
    deleteProperty: refuse(`${what} cannot be changed`),
    setPrototypeOf: refuse(`${what} cannot be changed`),
    preventExtensions: () => true,
    getPrototypeOf: () => null,
  });
  const named = (name, f) => defineProperty(f, 'name', { __proto__: null, value: name });
  // A read-only object whose members are made by `make(name)` at first use and listed by `list()`.
  const directory = (what, own, make, list) => {
    const made = create(null);
    const target = create(null);
    return new ProxyClass(target, bare({
      ...readOnly(what),
      get(unused, name) {
        if (typeof name === 'symbol' || name === 'then' || name === 'toJSON') return undefined;
        if (own[name] !== undefined) return own[name];
        if (made[name] === undefined) put(made, name, make(name));
        return made[name];
      },
      has: (unused, name) => typeof name !== 'symbol' && contains(list(), name),
      ownKeys: () => list(),
      getOwnPropertyDescriptor(unused, name) {
        if (typeof name === 'symbol' || !contains(list(), name)) return undefined;
        if (made[name] === undefined) put(made, name, make(name));
        return { value: made[name], writable: true, enumerable: true, configurable: true };
      },
      isExtensible: () => true,
      preventExtensions: refuse(`${what} cannot be changed`),
    }));
  };
  const contains = (list, name) => {
    for (let i = 0; i < list.length; i++) if (list[i] === name) return true;
    return false;
  };
  const extensionMethods = (alias) => call(op.ExtMethods, 0, alias);
  const ext = directory('$ext', bare({
    list: () => call(op.ExtList, 0),
    exists: (name) => contains(call(op.ExtList, 0), name),
    methods: (name) => extensionMethods(nameOf(name)),
  }), (alias) => directory(`$ext.${alias}`, bare({}), (method) => named(method,
    (...args) => callAsync(op.ExtCall, alias, method, args)), () => extensionMethods(alias)),
  () => call(op.ExtList, 0));
  const tools = directory('$tools', bare({}),
    (name) => named(name, (args) => callAsync(op.ToolCall, name, args === undefined ? {} : args)),
    () => slice(native.tools() || []));

  // --- $emit, $view, $time --------------------------------------------------------------------

  const emit = (name, payload) => { call(op.Emit, 0, nameOf(name), payload); };
  put(emit, 'toast', (message, level = 'info') => { emit('toast', { message, level }); });
  freeze(emit);

  const command = (type, id, args) => {
    call(op.View, 0, type, id === undefined ? undefined : nameOf(id), args);
  };
  const view = freeze({
    setFilter(id, value) { command('setFilter', id, { value }); },
    scrollTo(id, position) { command('scrollTo', id, { position }); },
    focus(id) { command('focus', id, {}); },
    command(id, name, params) { command('custom', id, { command: nameOf(name), params }); },
    getElementById(id) {
      const name = nameOf(id);
      return freeze({
        id: name,
        setProp(prop, value) { command('setProp', name, { prop: nameOf(prop), value }); },
        call(method, ...args) { command('call', name, { method: nameOf(method), args }); },
      });
    },
  });

  const time = freeze({ now: () => call(op.Now, 0) });

  // --- $log and console -----------------------------------------------------------------------

  const kListMax = 100, kTextMax = 10000, kInspectDepth = 4;
  const quote = (text) => stringify(text.length > kTextMax ? stringSlice(text, 0, kTextMax) : text);
  const inspectKeys = (value, seen) => {
    const names = objectKeys(value);
    const parts = [];
    for (let i = 0; i < min(names.length, kListMax); i++) {
      put(parts, i, `${names[i]}: ${inspect(value[names[i]], seen)}`);
    }
    if (names.length > kListMax) put(parts, parts.length, `... ${names.length - kListMax} more`);
    return parts;
  };
  const inspectList = (value, seen) => {
    const parts = [];
    for (let i = 0; i < min(value.length, kListMax); i++) put(parts, i, inspect(value[i], seen));
    if (value.length > kListMax) put(parts, parts.length, `... ${value.length - kListMax} more`);
    return `[${join(parts, ', ')}]`;
  };
  const inspectObject = (value, seen) => {
    if (contains(seen, value)) return '[Circular]';
    if (seen.length >= kInspectDepth) return isArray(value) ? '[Array]' : '[Object]';
    const deeper = slice(seen);
    put(deeper, deeper.length, value);
    if (isArray(value)) return inspectList(value, deeper);
    const tag = toStringTag(value);
    if (tag === '[object Error]') return `${value.stack ? `${value.name}: ${value.message}\n${value.stack}` : value}`;
    if (tag === '[object Date]' || tag === '[object RegExp]') return `${value}`;
    const parts = [];
    if (tag === '[object Map]') {
      mapEach(value, (v, k) => {
        if (parts.length < kListMax) put(parts, parts.length, `${inspect(k, deeper)} => ${inspect(v, deeper)}`);
      });
      return `Map {${join(parts, ', ')}}`;
    }
    if (tag === '[object Set]') {
      setEach(value, (v) => { if (parts.length < kListMax) put(parts, parts.length, inspect(v, deeper)); });
      return `Set {${join(parts, ', ')}}`;
    }
    return `{${join(inspectKeys(value, deeper), ', ')}}`;
  };
  const inspect = (value, seen) => {
    switch (typeof value) {
      case 'string': return quote(value);
      case 'bigint': return `${value}n`;
      case 'symbol': return StringOf(value);
      case 'function': return `[function ${value.name}]`;
      case 'object': return value === null ? 'null' : inspectObject(value, seen);
      default: return StringOf(value);
    }
  };
  const format = (args) => {
    const parts = [];
    for (let i = 0; i < args.length; i++) {
      let text;
      try {
        text = typeof args[i] === 'string' ? args[i] : inspect(args[i], []);
      } catch (error) {
        text = '[unreadable]';
      }
      put(parts, i, text);
    }
    return join(parts, ' ');
  };
  const logAt = (level) => (...args) => { call(op.Log, level, format(args)); };
  const debug = logAt(0), info = logAt(1), warn = logAt(2), error = logAt(3);
  const log = (...args) => { call(op.Log, 1, format(args)); };
  const levels = bare({ debug, info, warn, error });
  for (const name of objectKeys(levels)) put(log, name, named(name, levels[name]));
  freeze(named('$log', log));
  const quiet = () => {};
  const consoleObject = {
    log: info, info, debug, warn, error, trace: debug, dir: info, table: info, group: info,
    groupCollapsed: info, groupEnd: quiet, time: quiet, timeEnd: quiet, timeLog: quiet, count: quiet,
    countReset: quiet, clear: quiet,
    assert(condition, ...args) { if (!condition) call(op.Log, 3, `Assertion failed: ${format(args)}`); },
  };

  // --- the globals ----------------------------------------------------------------------------

  // The values of args and scope are put in by the host side at each run (TakeInput).
  const context = {
    args: undefined, state, scope: undefined, view, emit, ext, tools, log, time,
  };
  for (const name of objectKeys(context)) {
    defineProperty(globalThis, `$${name}`, { __proto__: null, value: context[name] });
  }
  freeze(context);
  const ordinary = (name, value) => defineProperty(globalThis, name,
    { __proto__: null, value, writable: true, configurable: true });
  ordinary('console', consoleObject);
  for (const name of objectKeys(classes)) ordinary(name, classes[name]);

  return {
    context,
    makeError,
    showRoot,
    nodeHandler,
    newSlice() { epoch++; },
    describe: (value) => format([value]),
  };
})
