// The few names of the web platform that npm libraries take for granted and that carry no
// authority: TextEncoder, TextDecoder, structuredClone, atob, btoa, URL, URLSearchParams.
//
// They are library code for the program's own use: a program that breaks the built-ins breaks only
// its own copy.
(function (native) {
  'use strict';

  const { defineProperty } = Object;
  const global = globalThis;
  const publish = (name, value) => defineProperty(global, name,
    { value, writable: true, enumerable: false, configurable: true });

  // --- text -----------------------------------------------------------------------------------

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text = '') { return native.utf8Encode(`${text}`); }
    encodeInto(text, target) {
      const source = `${text}`;
      let read = 0, written = 0;
      for (const character of source) {
        const bytes = native.utf8Encode(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #fatal; #ignoreBOM; #rest = new Uint8Array(0); #started = false;
    constructor(label = 'utf-8', options = {}) {
      if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) {
        throw new RangeError(`TextDecoder: only utf-8 is supported, not '${label}'`);
      }
      this.#fatal = !!options.fatal;
      this.#ignoreBOM = !!options.ignoreBOM;
    }
    get encoding() { return 'utf-8'; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input = new Uint8Array(0), options = {}) {
      let bytes = ArrayBuffer.isView(input)
        ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
      if (this.#rest.length) {
        const joined = new Uint8Array(this.#rest.length + bytes.length);
        joined.set(this.#rest);
        joined.set(bytes, this.#rest.length);
        bytes = joined;
      }
      const keep = options.stream ? unfinished(bytes) : 0;
      this.#rest = bytes.slice(bytes.length - keep);
      let text = native.utf8Decode(bytes.subarray(0, bytes.length - keep), this.#fatal);
      if (!this.#started && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.#started = !!options.stream;
      return text;
    }
  }
  // Bytes at the end that begin a character without finishing it.
  const unfinished = (bytes) => {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const b = bytes[bytes.length - back];
      if (b < 0x80) return 0;
      if (b >= 0xc0) return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2) > back ? back : 0;
    }
    return 0;
  };

  // --- base64 ---------------------------------------------------------------------------------

  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const invalid = (message) => Object.assign(new Error(message), { name: 'InvalidCharacterError' });
  const btoa = (data) => {
    const text = `${data}`;
    let out = '';
    for (let i = 0; i < text.length; i += 3) {
      const left = text.length - i;
      const a = text.charCodeAt(i), b = left > 1 ? text.charCodeAt(i + 1) : 0;
      const c = left > 2 ? text.charCodeAt(i + 2) : 0;
      if (a > 255 || b > 255 || c > 255) throw invalid('btoa: a character is above U+00FF');
      const word = a << 16 | b << 8 | c;
      out += digits[word >> 18] + digits[word >> 12 & 63] +
        (left > 1 ? digits[word >> 6 & 63] : '=') + (left > 2 ? digits[word & 63] : '=');
    }
    return out;
  };
  const atob = (data) => {
    let text = `${data}`.replace(/[\t\n\f\r ]/g, '');
    if (text.length % 4 === 0) text = text.replace(/==?$/, '');
    if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) throw invalid('atob: not base64');
    let out = '', bits = 0, word = 0;
    for (let i = 0; i < text.length; i++) {
      word = (word << 6 | digits.indexOf(text[i])) & 0xffffff;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        out += String.fromCharCode(word >> bits & 255);
      }
    }
    return out;
  };

  // --- structuredClone ------------------------------------------------------------------------

  const cannotClone = (what) =>
    Object.assign(new Error(`structuredClone: ${what} cannot be cloned`), { name: 'DataCloneError' });
  const cloneInto = (value, seen) => {
    if (typeof value === 'function' || typeof value === 'symbol') throw cannotClone(`a ${typeof value}`);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => { seen.set(value, copy); return copy; };
    if (Array.isArray(value)) {
      const copy = keep(new Array(value.length));
      for (const key of Object.keys(value)) copy[key] = cloneInto(value[key], seen);
      return copy;
    }
    switch (Object.prototype.toString.call(value)) {
      case '[object Date]': return keep(new Date(value.getTime()));
      case '[object RegExp]': return keep(new RegExp(value.source, value.flags));
      case '[object Boolean]': case '[object Number]': case '[object String]': case '[object BigInt]':
        return keep(Object(value.valueOf()));
      case '[object ArrayBuffer]': return keep(value.slice(0));
      case '[object Map]': {
        const copy = keep(new Map());
        for (const [k, v] of [...value]) copy.set(cloneInto(k, seen), cloneInto(v, seen));
        return copy;
      }
      case '[object Set]': {
        const copy = keep(new Set());
        for (const v of [...value]) copy.add(cloneInto(v, seen));
        return copy;
      }
      case '[object Error]': {
        const copy = keep(new (errorClasses[value.name] || Error)(value.message));
        copy.stack = value.stack;
        if ('cause' in value) copy.cause = cloneInto(value.cause, seen);
        return copy;
      }
      case '[object Promise]': case '[object WeakMap]': case '[object WeakSet]':
      case '[object WeakRef]': case '[object Generator]':
        throw cannotClone(`a ${Object.prototype.toString.call(value).slice(8, -1)}`);
    }
    if (ArrayBuffer.isView(value)) {
      const buffer = cloneInto(value.buffer, seen);
      const length = value instanceof DataView ? value.byteLength : value.length;
      return keep(new value.constructor(buffer, value.byteOffset, length));
    }
    const copy = keep({});
    for (const key of Object.keys(value)) {
      defineProperty(copy, key, { value: cloneInto(value[key], seen), writable: true,
        enumerable: true, configurable: true });
    }
    return copy;
  };
  const errorClasses = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const structuredClone = (value) => cloneInto(value, new Map());

  // --- URL ------------------------------------------------------------------------------------

  const ports = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21' };
  const isSpecial = (protocol) => protocol in ports || protocol === 'file:';
  const percent = (text, keep) => text.replace(keep, (part) => {
    let out = '';
    for (const b of native.utf8Encode(part)) out += `%${(b < 16 ? '0' : '') + b.toString(16).toUpperCase()}`;
    return out;
  });
  const unpercent = (text) => {
    if (!text.includes('%')) return text;
    const bytes = native.utf8Encode(text);
    const out = [];
    for (let i = 0; i < bytes.length; i++) {
      const hex = bytes[i] === 37 ? String.fromCharCode(bytes[i + 1], bytes[i + 2]) : '';
      if (/^[0-9a-fA-F]{2}$/.test(hex)) {
        out.push(parseInt(hex, 16));
        i += 2;
      } else {
        out.push(bytes[i]);
      }
    }
    return native.utf8Decode(new Uint8Array(out), false);
  };
  const kPath = /[^!$&'()*+,\-./0-9:;=@A-Z\[\]_a-z~%|\\^]+/g;
  const kQuery = /[^!$%&()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]+/g;
  const kFragment = /[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\\\]^_a-z{|}~]+/g;
  const kUser = /[^!$&'()*+,\-.0-9A-Z_a-z~%]+/g;
  const kForm = /[^*\-.0-9A-Z_a-z ]+/g;

  class URLSearchParams {
    #list = []; #changed;
    constructor(init = '', changed = undefined) {
      this.#changed = changed;
      if (typeof init === 'object' && init !== null) {
        const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
        for (const [name, value] of pairs) this.#list.push([`${name}`, `${value}`]);
        return;
      }
      for (const part of `${init}`.replace(/^\?/, '').split('&')) {
        if (!part) continue;
        const at = part.indexOf('=');
        const read = (text) => unpercent(text.replace(/\+/g, ' '));
        this.#list.push(at < 0 ? [read(part), ''] : [read(part.slice(0, at)), read(part.slice(at + 1))]);
      }
    }
    #done() { if (this.#changed) this.#changed(this.toString()); }
    append(name, value) { this.#list.push([`${name}`, `${value}`]); this.#done(); }
    delete(name, value) {
      this.#list = this.#list.filter(([n, v]) => n !== `${name}` || (value !== undefined && v !== `${value}`));
      this.#done();
    }
    get(name) { const found = this.#list.find(([n]) => n === `${name}`); return found ? found[1] : null; }
    getAll(name) { return this.#list.filter(([n]) => n === `${name}`).map(([, v]) => v); }
    has(name, value) {
      return this.#list.some(([n, v]) => n === `${name}` && (value === undefined || v === `${value}`));
    }
    set(name, value) {
      const at = this.#list.findIndex(([n]) => n === `${name}`);
      if (at < 0) return this.append(name, value);
      this.#list = this.#list.filter(([n], i) => i <= at || n !== `${name}`);
      this.#list[at] = [`${name}`, `${value}`];
      this.#done();
    }
    sort() { this.#list.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); this.#done(); }
    forEach(f, self) { for (const [name, value] of this.#list) f.call(self, value, name, this); }
    get size() { return this.#list.length; }
    keys() { return this.#list.map(([n]) => n)[Symbol.iterator](); }
    values() { return this.#list.map(([, v]) => v)[Symbol.iterator](); }
    entries() { return this.#list.map(([n, v]) => [n, v])[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
    toString() {
      const write = (text) => percent(text, kForm).replace(/ /g, '+');
      return this.#list.map(([n, v]) => `${write(n)}=${write(v)}`).join('&');
    }
  }

  const invalidUrl = (text) => Object.assign(new TypeError(`Invalid URL: ${text}`), { code: 'ERR_INVALID_URL' });
  const dotSegments = (path) => {
    const out = [];
    const parts = path.split('/').slice(1);
    parts.forEach((part, i) => {
      const plain = part.replace(/%2e/gi, '.');
      if (plain === '..') out.pop();
      else if (plain !== '.') out.push(part);
      if ((plain === '..' || plain === '.') && i === parts.length - 1) out.push('');
    });
    return `/${out.join('/')}`;
  };
  const ipv4 = (host) => {
    const parts = host.replace(/\.$/, '').split('.');
    if (!/^(\d+|0x[0-9a-f]*)$/i.test(parts[parts.length - 1])) return host;
    const numbers = parts.map((p) => (/^0x/i.test(p) ? parseInt(p.slice(2) || '0', 16)
      : /^0[0-7]+$/.test(p) ? parseInt(p, 8) : /^\d+$/.test(p) ? +p : NaN));
    const last = numbers.pop();
    if (numbers.length > 3 || numbers.some((n) => !(n <= 255)) || !(last < 256 ** (4 - numbers.length))) return null;
    const value = numbers.reduce((sum, n, i) => sum + n * 256 ** (3 - i), last);
    return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
  };
  const parseHost = (text, special) => {
    if (/^\[[0-9a-f:.]+\]$/i.test(text)) return text.toLowerCase();
    if (!special) return /[\s#/<>?@\\^|\[\]]/.test(text) ? null : percent(text, /[^\x21-\x7e]+/g);
    const host = unpercent(text).toLowerCase();
    if (!host || /[\x00-\x20"#%/:<>?@\[\\\]^`{|}\x7f]/.test(host)) return null;
    if (/[^\x00-\x7f]/.test(host)) return null;
    return ipv4(host);
  };
  const kUrl = /^([A-Za-z][A-Za-z0-9+.\-]*:)?(?:(\/\/)([^/?#]*))?([^?#]*)(\?[^#]*)?(#[\s\S]*)?$/;

  // The parts of `text`, which may be relative to the parts `base`; null when it is no URL.
  const parseUrl = (text, base) => {
    let input = text.replace(/^[\x00-\x20]+|[\x00-\x20]+$|[\t\n\r]/g, '');
    const scheme = /^([A-Za-z][A-Za-z0-9+.\-]*:)/.exec(input);
    const protocol = scheme ? scheme[1].toLowerCase() : base ? base.protocol : '';
    const special = isSpecial(protocol);
    if (special) {
      input = input.replace(/^[^?#]*/, (part) => part.replace(/\\/g, '/'));
      if (scheme && protocol !== 'file:' && !(base && base.protocol === protocol && !/^[^:]*:\//.test(input))) {
        input = input.replace(/^([^:]*:)\/*/, '$1//');
      }
    }
    const m = kUrl.exec(input);
    if (!m || !protocol) return null;
    const own = { protocol, username: '', password: '', host: null, port: '', path: m[4],
      query: m[5] || '', hash: m[6] || '', opaque: false };
    const relative = (!scheme || (base && special && base.protocol === protocol && !m[2])) && base && !m[2];
    if (relative) {
      if (base.opaque && !/^#/.test(input)) return null;
      Object.assign(own, { username: base.username, password: base.password, host: base.host, port: base.port,
        opaque: base.opaque });
      if (!own.path) {
        own.path = base.path;
        if (!m[5]) own.query = base.query;
      } else if (own.path[0] !== '/') {
        own.path = base.path.slice(0, base.path.lastIndexOf('/') + 1) + own.path;
      }
    } else if (m[2]) {
      const at = m[3].lastIndexOf('@');
      const user = at < 0 ? '' : m[3].slice(0, at);
      const place = /^(.*?)(?::(\d*))?$/.exec(m[3].slice(at + 1));
      const colon = user.indexOf(':');
      own.username = percent(colon < 0 ? user : user.slice(0, colon), kUser);
      own.password = colon < 0 ? '' : percent(user.slice(colon + 1), kUser);
      own.host = place[1] === '' && protocol === 'file:' ? '' : parseHost(place[1], special);
      if (own.host === null || (own.host === '' && special && protocol !== 'file:') || +place[2] > 65535) return null;
      own.port = place[2] ? `${+place[2]}` : '';
      if (own.port === ports[protocol]) own.port = '';
    } else if (special && protocol !== 'file:') {
      return null;
    } else if (protocol === 'file:') {
      own.host = '';
    } else if (own.path[0] !== '/') {
      own.opaque = true;
    }
    if (!own.opaque) {
      if (own.path || own.host !== null) own.path = dotSegments(own.path[0] === '/' ? own.path : `/${own.path}`);
      own.path = percent(own.path, kPath);
    }
    own.query = own.query.length > 1 ? percent(own.query, kQuery) : '';
    own.hash = own.hash.length > 1 ? percent(own.hash, kFragment) : '';
    return own;
  };
  const hrefOf = (u) => {
    const user = u.username || u.password ? `${u.username}${u.password ? `:${u.password}` : ''}@` : '';
    const place = u.host === null ? '' : `//${user}${u.host}${u.port ? `:${u.port}` : ''}`;
    return u.protocol + place + u.path + u.query + u.hash;
  };

  class URL {
    #parts; #params;
    constructor(url, base = undefined) {
      const from = base === undefined ? null : parseUrl(`${base}`, null);
      if (base !== undefined && !from) throw invalidUrl(base);
      this.#parts = parseUrl(`${url}`, from);
      if (!this.#parts) throw invalidUrl(url);
      this.#readParams();
    }
    #readParams() {
      this.#params = new URLSearchParams(this.#parts.query, (text) => {
        this.#parts.query = text ? `?${text}` : '';
      });
    }
    #with(change) {
      const next = parseUrl(hrefOf({ ...this.#parts, ...change }), null);
      if (next) this.#parts = next;
    }
    static canParse(url, base) { try { new URL(url, base); return true; } catch { return false; } }
    static parse(url, base) { try { return new URL(url, base); } catch { return null; } }
    get href() { return hrefOf(this.#parts); }
    set href(value) {
      const next = parseUrl(`${value}`, null);
      if (!next) throw invalidUrl(value);
      this.#parts = next;
      this.#readParams();
    }
    get origin() {
      return this.#parts.protocol in ports ? `${this.#parts.protocol}//${this.host}` : 'null';
    }
    get protocol() { return this.#parts.protocol; }
    set protocol(value) {
      const next = `${`${value}`.split(':')[0].toLowerCase()}:`;
      if (isSpecial(next) === isSpecial(this.#parts.protocol)) this.#with({ protocol: next });
    }
    get username() { return this.#parts.username; }
    set username(value) { if (this.#parts.host) this.#parts.username = percent(`${value}`, kUser); }
    get password() { return this.#parts.password; }
    set password(value) { if (this.#parts.host) this.#parts.password = percent(`${value}`, kUser); }
    get host() { return (this.#parts.host || '') + (this.#parts.port ? `:${this.#parts.port}` : ''); }
    set host(value) {
      const m = /^([^/?#]*?)(?::(\d+))?$/.exec(`${value}`);
      if (m && m[1] && !this.#parts.opaque) this.#with({ host: m[1], port: m[2] || this.#parts.port });
    }
    get hostname() { return this.#parts.host || ''; }
    set hostname(value) {
      if (!this.#parts.opaque && /^[^/?#:]+$/.test(value)) this.#with({ host: `${value}` });
    }
    get port() { return this.#parts.port; }
    set port(value) {
      const text = `${value}`;
      if (this.#parts.host && /^\d*$/.test(text)) this.#with({ port: text });
    }
    get pathname() { return this.#parts.path; }
    set pathname(value) {
      if (this.#parts.opaque) return;
      const path = `${value}`.replace(/[?#]/g, (c) => (c === '?' ? '%3F' : '%23'));
      this.#with({ path: path[0] === '/' ? path : `/${path}` });
    }
    get search() { return this.#parts.query; }
    set search(value) {
      const text = `${value}`.replace(/^\?/, '').replace(/#/g, '%23');
      this.#with({ query: text ? `?${text}` : '' });
      this.#readParams();
    }
    get searchParams() { return this.#params; }
    get hash() { return this.#parts.hash; }
    set hash(value) {
      const text = `${value}`.replace(/^#/, '');
      this.#with({ hash: text ? `#${text}` : '' });
    }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }

  for (const Class of [TextEncoder, TextDecoder, URL, URLSearchParams]) {
    publish(Class.name, Class);
    defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
  }
  publish('structuredClone', structuredClone);
  publish('atob', atob);
  publish('btoa', btoa);
  // One thread, nothing to share.
  delete global.SharedArrayBuffer;
})
