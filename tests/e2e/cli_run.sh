# nexus run: arguments, results, exit codes, grants, limits.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

echo 'return $args.a + $args.b' >add.js
echo 'export default ({args}: {args: {a: number}}): number => args.a * 2' >twice.ts
echo 'throw new TypeError("broken")' >throw.js
echo 'for (;;) {}' >loop.js
echo 'const kept = []; for (;;) kept.push("x".repeat(100000) + kept.length)' >memory.js
echo 'const f = (n) => 1 + f(n + 1); return f(0)' >deep.js
echo '$state.count = ($state.count ?? 0) + 1; $emit("counted", {n: $state.count}); return $state.count' >count.js
echo '$log("to", "the log"); console.warn("careful"); return "text"' >log.js
echo 'return await $ext.test.echo({deep: [1, 2]})' >echo.js

run "arguments and result" 0 run add.js --args '{"a": 1, "b": 2}'
says "the result is on stdout" out 3
run "typescript module" 0 run twice.ts --args '{"a": 21}'
says "typescript result" out 42
echo '{"a": 40, "b": 2}' >args.json
run "args from a file" 0 run add.js --args @args.json
says "args from a file are read" out 42
"$NEXUS" run add.js --args - <args.json >out 2>err && ok "args from stdin" || bad "args from stdin" "$(cat err)"
says "args from stdin are read" out 42
echo 'return 6 * 7' | "$NEXUS" run - >out 2>err && ok "program from stdin" || bad "program from stdin" "$(cat err)"
says "program from stdin ran" out 42

run "json" 0 run add.js --args '{"a": 1, "b": 2}' --json
holds "json has the whole schema" 'it.status === "success" && it.returnValue === 3 && /^[0-9A-Z]{26}$/.test(it.runId) &&
  ["stateMutations","events","viewCommands","suspensions"].every(k => Array.isArray(it[k])) && it.error === undefined &&
  it.metrics.durationUs >= 0 && it.metrics.memoryPeakBytes > 0 && typeof it.metrics.hostCalls === "object"'

run "thrown error" 1 run throw.js
says "thrown error has its place" err "throw.js:1:"
says "thrown error has its message" err "broken"
run "thrown error as json" 1 run throw.js --json
holds "error in json" 'it.status === "error" && it.error.code === "EXECUTION_ERROR" && it.error.location.line === 1'

run "wall limit" 4 run loop.js --limit wall=100ms --json
holds "wall limit is named" 'it.error.code === "TIMEOUT" && it.error.limit === "wall"'
run "cpu limit" 4 run loop.js --limit cpu=100ms --json
holds "cpu limit is named" 'it.error.code === "CPU_LIMIT" && it.error.limit === "cpu"'
run "memory limit" 4 run memory.js --json
holds "memory limit is named" 'it.error.code === "MEMORY_LIMIT"'
run "stack limit" 4 run deep.js --json
holds "stack limit is named" 'it.error.code === "STACK_OVERFLOW"'
run "several limits after one option" 4 run count.js --state '{}' --cap events:emit:* --limit wall=2s events=5 mutations=1 hostCalls=1 --json
holds "a host call limit is named" 'it.error.code === "RESOURCE_LIMIT" && it.error.limit === "hostCalls"'

run "state needs a grant" 3 run count.js --json
holds "denial names the token" 'it.error.code === "PERMISSION_DENIED" && it.error.capability === "state:read:count" && it.error.hint === "--cap state:read:count"'
run "denial for people" 3 run count.js
says "denial says what to add" err "--cap state:read:count"
run "the hint works" 3 run count.js --cap state:read:count --json
holds "and leads to the next" 'it.error.capability === "state:write:count"'
run "given state is granted" 3 run count.js --state '{"count": 4}' --json
holds "what happened before a denial is reported" 'it.error.capability === "events:emit:counted" && it.stateMutations.length === 1 && it.stateMutations[0].value === 5'
run "everything granted" 0 run count.js --state '{"count": 4}' --cap events:emit:counted --save-state after.json --json
holds "effects" 'it.events[0].name === "counted" && it.events[0].payload.n === 5 && it.stateMutations[0].key === "count"'
says "state is saved" after.json '"count": 5'
run "state from a file" 0 run count.js --state @after.json --cap 'events:emit:*'
says "state from the file is used" out 6
run "a condition on a grant" 3 run count.js --cap 'state:read:*?calls=1' --cap 'state:write:*' --cap 'events:emit:*'

run "logs" 0 run log.js
says "logs are on stderr" err "to the log"
says "a string is printed as it is" out text
says_not "logs are not on stdout" out careful
run "extension" 0 run echo.js --ext test --cap ext:test.echo --json
holds "extension answers" 'it.returnValue.deep[1] === 2 && it.metrics.suspensions <= 1'
run "extension denied" 3 run echo.js --ext test --json
holds "extension denial names the method" 'it.error.capability === "ext:test.echo"'
run "unknown extension at run time" 5 run echo.js --cap ext:test --json
holds "extension not found" 'it.error.code === "EXTENSION_NOT_FOUND"'
echo 'return [Math.random(), Math.random()]' >random.js
run "a seed" 0 run random.js --seed 7
cp out first
run "the same seed" 0 run random.js --seed 7
cmp -s out first && ok "a seed repeats" || bad "a seed repeats" "$(cat out first)"
run "no colour in a pipe" 1 run throw.js
says_not "no escape codes" err $'\e['
echo 'throw new Error("\x1b[31mred\x1b]0;title\x07")' >escape.js
run "escape codes of a program" 1 run escape.js
says_not "are not passed on" err $'\e['
finish
