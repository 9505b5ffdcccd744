// The web names that carry no authority.
//=> []
const failed = [];
const is = (name, f, expected) => { let got; try { got = f(); } catch (e) { got = `${e.name}`; } if (JSON.stringify(got) !== JSON.stringify(expected)) failed.push(`${name}: ${JSON.stringify(got)}`); };
is('normalise', () => new URL('../x/./y?q=1 2#f g', 'HTTPS://User:p%40ss@Example.com:443/a/b/c').href, 'https://User:p%40ss@example.com/a/x/y?q=1%202#f%20g');
is('parts', () => { const u = new URL('http://h:81/p/q?a=1#z'); return [u.protocol, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, u.origin]; }, ['http:', 'h:81', 'h', '81', '/p/q', '?a=1', '#z', 'http://h:81']);
is('ipv4', () => [new URL('http://127.1/').host, new URL('http://0x7f.0.0.1/').host, new URL('http://2130706433/').host], ['127.0.0.1', '127.0.0.1', '127.0.0.1']);
is('relative', () => ['?x', '#y', '//e/p', '/r', 's', '..'].map((r) => new URL(r, 'http://a/b/c?d#e').href), ['http://a/b/c?x', 'http://a/b/c?d#y', 'http://e/p', 'http://a/r', 'http://a/b/s', 'http://a/']);
is('backslashes', () => new URL('http:\\\\a\\b').href, 'http://a/b');
is('opaque', () => [new URL('mailto:a@b.c').pathname, new URL('data:text/plain,hi').href], ['a@b.c', 'data:text/plain,hi']);
is('file', () => new URL('file:///etc/x').href, 'file:///etc/x');
is('invalid', () => ['nope', 'http://', 'http://a b/', 'http://a:99999/'].map((u) => URL.canParse(u)), [false, false, false, false]);
is('throws', () => new URL('nope'), 'TypeError');
is('setters', () => { const u = new URL('http://a.b/?x=1'); u.searchParams.append('y', 'a b&c'); u.pathname = '/q r'; u.hash = 'z'; u.port = '81'; return `${u}`; }, 'http://a.b:81/q%20r?x=1&y=a+b%26c#z');
is('params', () => { const p = new URLSearchParams('a=1&b=%20x+y&a=2'); p.set('a', '3'); p.sort(); return [`${p}`, p.getAll('a'), p.get('b'), p.has('z'), [...p.keys()]]; }, ['a=3&b=++x+y'.replace('++x', '+x'), ['3'], ' x y', false, ['a', 'b']]);
is('base64', () => [btoa('abc'), btoa('a'), atob('YQ=='), atob(' Y Q '), btoa('\xff')], ['YWJj', 'YQ==', 'a', 'a', '/w==']);
is('btoa range', () => btoa('€'), 'InvalidCharacterError');
is('utf-8', () => [...new TextEncoder().encode('é€𝄞\ud800')], [195, 169, 226, 130, 172, 240, 157, 132, 158, 239, 191, 189]);
is('decode', () => [new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65, 0xff, 0xc3])), new TextDecoder().decode(new Uint8Array([240, 157, 132, 158]).buffer)], ['A\ufffd\ufffd', '𝄞']);
is('fatal', () => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])), 'TypeError');
is('stream', () => { const d = new TextDecoder(); return d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }) + d.decode(new Uint8Array([0xac])); }, '€');
is('encodeInto', () => new TextEncoder().encodeInto('a€', new Uint8Array(3)), { read: 1, written: 1 });
is('clone', () => { const a = { m: new Map([[1, { d: new Date(7) }]]), s: new Set([1]), r: /x/gi, u: new Float32Array([1.5]), e: new TypeError('t'), n: undefined }; a.self = a; const c = structuredClone(a); return [c.self === c, c !== a, c.m.get(1).d.getTime(), c.r.flags, c.u[0], c.e instanceof TypeError, 'n' in c]; }, [true, true, 7, 'gi', 1.5, true, true]);
is('clone refuses', () => structuredClone(() => 1), 'DataCloneError');
return failed;
