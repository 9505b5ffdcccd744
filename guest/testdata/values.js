// Every type of docs/format/value.md survives a round trip through structured results of the guest's own codec.
//=> {"n":[0,-1,2147483647,-2147483648,2147483648,1.5],"s":["","a","é€𝄞"],"o":{"1":1,"b":{"c":[[],{}]}},"t":[true,false,null],"json":{"x":1},"box":[1,"s",true],"cls":{"a":1}}
class Point { constructor() { this.a = 1; } method() {} }
return {
  n: [0, -1, 2147483647, -2147483648, 2147483648, 1.5],
  s: ['', 'a', 'é€𝄞'],
  o: { 1: 1, b: { c: [[], {}] } },
  t: [true, false, null],
  f() {}, [Symbol('x')]: 1,
  json: { toJSON: () => ({ x: 1 }) },
  box: [new Number(1), new String('s'), new Boolean(true)],
  cls: new Point(),
};
