# Everything a user can get wrong: the exit code, the place, the remedy, and one JSON document.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
echo 'return 1' >ok.js

run "no command" 2
says "no command says so" err "a command is missing"
run "unknown command" 2 rnu ok.js
says "did you mean a command" err "did you mean 'run'"
run "unknown option" 2 run ok.js --limits wall=1s
says "did you mean an option" err "did you mean '--limit'"
run "no file" 2 run
run "second file" 2 run ok.js other.js
says "the second file is named" err "other.js"
run "missing file" 5 run nothere.js --json
holds "missing file in json" 'it.status === "error" && it.error.message.includes("nothere.js")'
run "a folder" 2 run . --json
run "a file of another kind" 2 run "$NEXUS_ROOT/README.md"
says "says what is wanted" err ".ts"
run "unknown limit" 2 run ok.js --limit wal=1s
says "did you mean a limit" err "did you mean wall"
run "limit of 0" 2 run ok.js --limit wall=0
run "limit without a value" 2 run ok.js --limit wall
run "limit in a wrong form" 2 run ok.js --limit memory=lots
run "unknown capability" 2 run ok.js --cap stat:read:x
says "did you mean a capability" err "did you mean"
run "capability with a pattern" 2 run ok.js --cap 'ext:ht*'
run "capability with a bad condition" 2 run ok.js --cap 'ext:http?tmie=3'
run "unknown extension" 2 run ok.js --ext htpp
says "did you mean an extension" err "did you mean 'http'"
run "unknown setting" 2 run ok.js --ext 'http={"alow": []}'
says "did you mean a setting" err "did you mean 'allow'"
run "bad host" 2 run ok.js --allow-host http://example.com
run "missing workspace" 5 run ok.js --workspace nothere
run "kv in a missing folder" 5 run ok.js --kv no/such/folder.db
run "malformed args" 2 run ok.js --args '{"a": }' --json
holds "malformed args in json" 'it.error.code === "INVALID_ARGUMENT" && it.error.message.includes("1:7")'
run "args of a wrong type" 2 run ok.js --args '[1]'
says "args must be an object" err "must be a JSON object"
run "args from a missing file" 5 run ok.js --args @nothere.json
run "stdin twice" 2 run ok.js --args - --state -
run "bad seed" 2 run ok.js --seed many
run "usage error in json" 2 run ok.js --bogus --json
holds "usage error is one document" 'it.status === "error" && it.error.message.includes("--bogus")'

printf 'const a = 1;\nreturn a +;\n' >syntax.js
run "syntax error" 1 run syntax.js
says "syntax error has its place" err "syntax.js:2:"
printf 'export default ({args}: {args: any) => 1\n' >syntax.ts
run "syntax error in typescript" 1 run syntax.ts
says "typescript place" err "syntax.ts:1:"
printf 'export const a = 1;\n' >nodefault.mjs
run "no default export" 1 run nodefault.mjs --json
holds "invalid handler" 'it.error.code === "INVALID_HANDLER"'
printf 'import fs from "node:fs";\nexport default () => fs.readFileSync("/etc/passwd", "utf8");\n' >node.ts
run "node builtin" 1 run node.ts
says "node builtin is explained" err "do not exist in the sandbox"
says "node builtin has its place" err "node.ts:1:"
printf 'import { x } from "./missing.js";\nexport default () => x;\n' >missing.ts
run "missing import" 1 run missing.ts --json
holds "missing import has its place" 'it.error.code === "COMPILATION_ERROR" && it.error.location.line === 1 && it.error.file === "missing.ts"'
printf 'import x from "no-such-package";\nexport default () => x;\n' >package.ts
run "missing package" 1 run package.ts
says "missing package says what to do" err "npm install no-such-package"
printf '\xff\xfe' >latin.js
run "not utf-8" 1 run latin.js
printf 'export const x = null.y;\nexport default () => 1;\n' >top.mjs
run "top level error" 1 run top.mjs --json
holds "top level error is a compilation error" 'it.error.code === "COMPILATION_ERROR" && it.error.location.line === 1'
printf 'for (;;) {}\nexport default () => 1;\n' >top_loop.mjs
run "top level that never ends" 4 run top_loop.mjs --json
echo 'return eval("1+1")' >eval.js
run "eval" 1 run eval.js
echo 'return (() => {}).constructor("return 1")()' >function.js
run "the function constructor" 1 run function.js
echo 'return typeof process + typeof require + typeof fetch + typeof setTimeout' >names.js
run "node's names are absent" 0 run names.js
says "all undefined" out undefinedundefinedundefinedundefined

# A damaged cache and a read-only one harm nothing.
run "before the damage" 0 compile ok.js
find cache-home -type f -exec sh -c 'echo damaged > "$1"' _ {} \;
run "damaged cache" 0 run ok.js
says "damaged cache: the result is right" out 1
echo not a key >state-home/nexus/signing.key
run "damaged key" 1 run ok.js
rm -f state-home/nexus/signing.key

# An output that cannot be written is a failure.
"$NEXUS" run ok.js >/dev/full 2>err </dev/null && bad "a full output" "exit code 0" || ok "a full output"
says "a full output says so" err "cannot be written"

# No place to write: the run works, and says what it could not keep.
mkdir full
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
  mkdir full/state
  XDG_STATE_HOME=$PWD/full/state "$NEXUS" version >/dev/null 2>&1 # Makes the key while there is room.
  head -c 1M /dev/zero >full/filler 2>/dev/null
  XDG_STATE_HOME=$PWD/full/state XDG_CACHE_HOME=$PWD/full/cache run "a full disk" 0 run ok.js
  says "a full disk: the result is right" out 1
  says "a full disk: a warning" err "is not kept"
  umount full
else
  echo "# no tmpfs may be mounted here: the full disk is not tested"
fi
finish
