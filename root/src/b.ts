const x = 1;
export function Foo() {}
