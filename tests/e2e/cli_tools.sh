# compile, inspect, replay, caps, version, completion, bench --list, --help.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
echo 'return [$args.n, Math.random(), Date.now(), $state.x]' >sample.js
cat >asks.ts <<'END'
export default async ({ args, state, ext }: any) => {
  state.total = (state.total ?? 0) + 1;
  const key: string = args.key;
  return [await ext.http.get('https://example.com/'), state[key]];
};
END

run "run to replay" 0 run sample.js --args '{"n": 1}' --state '{"x": 5}' --json
cp out recorded
run "replay" 0 replay last --json
holds "replay is the same" "it.replay.same === true && JSON.stringify(it.returnValue) === JSON.stringify($(cat recorded).returnValue)"
id=$(sed 's/.*"runId":"\([^"]*\)".*/\1/' recorded)
run "replay by the beginning of the id" 0 replay "${id:0:20}"
run "replay of a file" 0 replay "state-home/nexus/runs/$id.nxr"
run "replay --list" 0 replay --list
says "the run is listed" out "$id"
run "unknown run" 5 replay 00000000000000000000000000
printf 'NXRUN1\nnonsense' >bad.nxr
run "damaged run file" 1 replay bad.nxr
run "replay without a run" 2 replay
echo 'throw new Error("again")' >fails.js
run "a failing run" 1 run fails.js
run "its replay fails alike" 1 replay last
says "its replay has the place" err "fails.js:1:"

run "compile" 0 compile sample.js asks.ts --json
holds "compile reports" 'it.length === 2 && it.every(r => r.ok && r.bytecodeBytes > 0)'
run "compile again" 0 compile sample.js --json
holds "compile hits the cache" 'it[0].cacheHit === true'
echo 'return (' >broken.js
run "compile with one broken" 1 compile sample.js broken.js --json
holds "compile reports both" 'it.length === 2 && it[0].ok && !it[1].ok && it[1].error.code === "COMPILATION_ERROR"'

run "inspect" 0 inspect asks.ts --json
holds "inspect infers" 'JSON.stringify(it.capabilities.map(c => c.token)) === JSON.stringify(["ext:http.get","state:read:total","state:write:total"]) &&
  it.capabilities[0].firstUse.line === 4 && it.dynamicUses.length === 1 && it.form === "module" && it.estimate.memoryBytes > 0'
run "inspect for people" 0 inspect asks.ts
says "inspect prints the command" out "--cap ext:http.get"

run "caps" 0 caps
says "caps lists methods" out ext:code.read
run "version" 0 version --json
holds "version names the engine" 'it.engine.startsWith("WasmEdge") && it.guestHash.length > 10'
run "--version" 0 --version
run "bench --list" 0 bench --list
run "unknown suite" 2 bench sandbxo
for command in run compile inspect replay bench caps version completion; do
  run "$command --help" 0 "$command" --help
done
run "completion for bash" 0 completion bash
bash -n out && ok "the bash script parses" || bad "the bash script parses" "$(head -c 300 out)"
words=$(bash -c 'source ./out; COMP_WORDS=(nexus re); COMP_CWORD=1; _nexus; echo "${COMPREPLY[*]}"' 2>/dev/null)
[ "$words" = replay ] && ok "bash completes a command" || bad "bash completes a command" "$words"
words=$(bash -c 'source ./out; COMP_WORDS=(nexus run --sa); COMP_CWORD=2; _nexus 2>/dev/null; echo "${COMPREPLY[*]}"' 2>/dev/null)
[ "$words" = --save-state ] && ok "bash completes an option" || bad "bash completes an option" "$words"
run "completion for zsh" 0 completion zsh
! command -v zsh >/dev/null || { zsh -n out && ok "the zsh script parses" || bad "the zsh script parses" ""; }
run "completion for another shell" 2 completion fish
finish
