# The examples, each on real input.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
examples=$NEXUS_ROOT/examples
report=(run "$examples/repo-report.ts" --cap ext:code.read --cap ext:code.list --limit wall=100s --limit cpu=100s)

run "repo-report on this tree" 0 "${report[@]}" --workspace "$NEXUS_ROOT:ro"
says "repo-report counts C++" out "C++"
mkdir -p repo/src
echo 'import { used } from "./lib.js"; export const main = () => used();' >repo/src/main.js
echo 'export const used = () => 1; export const forgotten = () => 2;' >repo/src/lib.ts
run "repo-report on a small tree" 0 "${report[@]}" --workspace repo:ro --args '{"json": true}' --json
holds "repo-report finds the dead export" 'it.returnValue.deadExports.length === 1 && it.returnValue.deadExports[0].name === "forgotten" && it.returnValue.modules === 2'
run "repo-report without the right" 3 run "$examples/repo-report.ts" --workspace repo:ro
says "and says what to add" err "--cap ext:code.list"
time_start=${EPOCHREALTIME/./}
run "repo-report a second time" 0 "${report[@]}" --workspace repo:ro --args '{"json": true}'
echo "# second start: $(((${EPOCHREALTIME/./} - time_start) / 1000)) ms"

run "markdown" 0 run "$examples/markdown.ts" --args '{"text": "# Hi *there*\n\n<script>x</script>\n\n- a\n- b"}'
says "markdown renders headings" out '<h1 id="hi-there">Hi <em>there</em></h1>'
says "markdown shows foreign markup" out '&lt;script&gt;'
run "markdown of a file" 0 run "$examples/markdown.ts" --workspace "$NEXUS_ROOT:ro" --cap 'ext:code.read?path=README.md' --args '{"path": "README.md"}'
says "markdown of the readme" out '<h1'
run "markdown outside its grant" 3 run "$examples/markdown.ts" --workspace "$NEXUS_ROOT:ro" --cap 'ext:code.read?path=docs/' --args '{"path": "README.md"}'

# A local server: the operator names its address, and only then may it be reached.
server=$(dirname "$NEXUS")/nexus_test_server
if [ -x "$server" ]; then
  coproc SERVER { exec "$server"; }
  read -r port <&"${SERVER[0]}"
  base=http://127.0.0.1:$port
  urls='{"urls": ["'$base/page/1'", "'$base/page/2'", "'$base/page/3'", "'$base/nothing'", "'$base/redirect?http://169.254.169.254/'"]}'
  run "fetch-many" 0 run "$examples/fetch-many.ts" --cap ext:http.get --allow-host "127.0.0.1:$port" --args "$urls" --json
  holds "fetch-many has every answer" 'it.returnValue.reached === 4 && it.returnValue.answers[1].title === "Page 2" && it.returnValue.answers[3].status === 404'
  holds "fetch-many refuses the redirect" 'it.returnValue.answers[4].error.includes("169.254.169.254")'
  holds "fetch-many suspends" 'it.metrics.suspensions >= 1'
  run "fetch-many without --allow-host" 0 run "$examples/fetch-many.ts" --cap ext:http.get --args "$urls" --json
  holds "nothing is reached then" 'it.returnValue.reached === 0 && it.returnValue.answers[0].error.includes("--allow-host")'
  exec {SERVER[1]}>&-
else
  bad "fetch-many" "$server is missing"
fi

for text in "buy milk" "call Ada"; do
  run "notes: add" 0 run "$examples/notes.ts" --kv notes.db --cap ext:kv --args "{\"add\": \"$text\"}"
done
run "notes: find" 0 run "$examples/notes.ts" --kv notes.db --cap ext:kv --args '{"find": "Ada"}' --state '{}' --save-state stats.json --json
holds "notes are kept between processes" 'it.returnValue.length === 1 && it.returnValue[0].text === "call Ada" && it.returnValue[0].id === "000002"'
says "figures are kept in the state" stats.json '"notes": 2'

run "denied" 3 run "$examples/denied.ts" --json
holds "denied says what it lacks" 'it.error.capability === "state:read:secret" && it.logs[0].message.includes("PermissionDenied")'
run "denied, allowed" 0 run "$examples/denied.ts" --state '{"secret": 42}'
for how in loop builtin; do
  run "runaway: $how" 4 run "$examples/runaway.ts" --args "{\"how\": \"$how\"}" --limit wall=200ms --json
  holds "runaway: $how is timed out" 'it.error.code === "TIMEOUT" && it.metrics.durationUs < 5000000'
done
run "runaway: memory" 4 run "$examples/runaway.ts" --args '{"how": "memory"}' --json
holds "runaway: memory is named" 'it.error.code === "MEMORY_LIMIT"'
run "runaway: recursion" 4 run "$examples/runaway.ts" --args '{"how": "recursion"}' --json
holds "runaway: recursion is named" 'it.error.code === "STACK_OVERFLOW"'
finish
