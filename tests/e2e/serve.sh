# nexus serve: panels over HTTP and WebSocket, through a kill and a restart; nexus config.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

cat >counter.nxml <<'END'
<NexusPanel id="counter" title="Counter">
  <Data><State name="count" type="number" default="0"/><Computed name="double" value="$state.count * 2"/></Data>
  <Logic>
    <Tool name="add"><Arg name="by" type="number" default="1"/><Handler>$state.count += $args.by; return $state.count</Handler></Tool>
    <Tool name="fail"><Handler>throw new Error("no")</Handler></Tool>
  </Logic>
</NexusPanel>
END

# start ARGUMENT...: serves, sets $url and $server.
start() {
  "$NEXUS" serve --json --port 0 "$@" >served 2>served.err &
  server=$!
  for _ in $(seq 300); do
    url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' served)
    [ -n "$url" ] && return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  bad "serve starts" "$(head -c 2000 served.err)"
  finish
  exit 1
}

# ask NAME STATUS CURL_ARGUMENT...: the body is in out afterwards.
ask() {
  local name=$1 wanted=$2 status
  shift 2
  status=$(curl -s -m 30 -o out -w '%{http_code}' "$@")
  if [ "$status" = "$wanted" ]; then ok "$name"; else bad "$name" "status $status, not $wanted: $(head -c 600 out)"; fi
}

start counter.nxml --data data
ask "ready" 200 "$url/readyz"
ask "panels" 200 "$url/panels"
says "the panel is listed" out '"id":"counter"'
ask "a call" 200 -d '{"by": 5}' "$url/panels/counter/trigger/add"
says "its result" out '"returnValue":5'
says "its mutation" out '"key":"count"'
ask "a call that fails" 200 -d '{}' "$url/panels/counter/trigger/fail"
says "says so" out '"status":"error"'
ask "wrong arguments" 200 -d '{"bye": 5}' "$url/panels/counter/trigger/add"
says "are named" out 'INVALID_ARGUMENT'
ask "unknown tool" 404 -d '{}' "$url/panels/counter/trigger/nope"
ask "state" 200 "$url/panels/counter/state"
says "computed values too" out '"computed":{"double":10}'
ask "once" 200 -H 'Idempotency-Key: k' -d '{}' "$url/panels/counter/trigger/add"
ask "and the same again" 200 -H 'Idempotency-Key: k' -d '{}' "$url/panels/counter/trigger/add"
says "is the first result" out '"returnValue":6'
ask "foreign host" 421 -H 'Host: evil.example' "$url/panels"
ask "bad panel" 400 -d '{"nxmlSource": "<NexusPanel><Dta/></NexusPanel>"}' "$url/panels"
says "with its place" out '"line":1'
ask "runs" 200 "$url/panels/counter/runs?limit=2"
says "are kept" out '"handler":"add"'
ask "metrics" 200 "$url/metrics"
says "count" out 'nexus_panel_executions_total{panel_id="counter"}'
ask "page" 200 --compressed "$url/"

# A client without any library: the handshake, then frames of the server, one a line.
cat >watch.mjs <<'END'
import net from 'node:net';
const { hostname, port } = new URL(process.argv[2]);
const until = process.argv[3];
let bytes = Buffer.alloc(0), open = false;
const socket = net.connect(port, hostname, () => socket.write(
  `GET /panels/counter/ws HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'));
setTimeout(() => process.exit(1), 20000);
socket.on('data', (more) => {
  bytes = Buffer.concat([bytes, more]);
  if (!open) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    open = true;
    bytes = bytes.subarray(end + 4);
  }
  while (bytes.length >= 2) {
    const short = bytes[1] & 127, head = short === 126 ? 4 : 2;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < head + length) return;
    const text = bytes.subarray(head, head + length).toString();
    bytes = bytes.subarray(head + length);
    console.log(text);
    if (text.includes(until)) process.exit(0);
  }
});
END
node watch.mjs "$url" '"type":"PATCH"' >watched &
watcher=$!
for _ in $(seq 100); do grep -q CONNECTED watched && break; sleep 0.1; done
ask "a call that is watched" 200 -d '{}' "$url/panels/counter/trigger/add"
wait "$watcher" || bad "watching" "no patch came"
says "the state at first" watched '"type":"CONNECTED"'
says "the patch" watched '"operation":"set","key":"count","value":7'
says "the computed value" watched '"computed":{"double":14}'

kill -9 "$server"
wait "$server" 2>/dev/null
start counter.nxml --data data
ask "state after kill -9" 200 "$url/panels/counter/state"
says "is what was acknowledged" out '"count":7'
kill -TERM "$server"
if wait "$server"; then ok "SIGTERM ends it well"; else bad "SIGTERM ends it well" "$(head -c 1000 served.err)"; fi

# The example panels: every one is mounted and answers.
start "$NEXUS_ROOT/examples/panels" --memory --ext kv --ext timer
ask "the example panels" 200 "$url/panels"
node -e 'const it = JSON.parse(require("fs").readFileSync("out", "utf8")); for (const p of it.panels) console.log(p.id, p.tools.length)' >ids
[ "$(wc -l <ids)" = "$(find "$NEXUS_ROOT/examples/panels" -name '*.nxml' | wc -l)" ] && ok "all of them" || bad "all of them" "$(cat ids)"
while read -r id tools; do
  ask "$id" 200 "$url/panels/$id"
  says "$id has its schemas" out '"inputSchema"'
  [ "$tools" -gt 0 ] || bad "$id has tools" "none"
  ask "the state of $id" 200 "$url/panels/$id/state"
done <ids
ask "a tool of one" 200 -d '{"name": "beta"}' "$url/panels/feature-flags/trigger/define"
says "changes it" out '"status":"success"'
# A client that goes takes its run with it, unless the tool says otherwise.
cat >waits.nxml <<'END'
<NexusPanel id="waits">
  <Logic>
    <Extension name="timer"/>
    <Tool name="leave"><Handler>await $ext.timer.sleep(60000)</Handler></Tool>
    <Tool name="stay" onDisconnect="continue"><Handler>await $ext.timer.sleep(60000)</Handler></Tool>
  </Logic>
</NexusPanel>
END
node -e 'console.log(JSON.stringify({nxmlSource: require("fs").readFileSync("waits.nxml", "utf8")}))' >waits.json
ask "a panel that waits" 201 -d @waits.json "$url/panels"
for tool in leave stay; do curl -s -m 0.5 -d '{}' "$url/panels/waits/trigger/$tool" >/dev/null; done
for _ in $(seq 100); do
  curl -s "$url/panels/waits/runs" >out
  grep -q '"status":"cancelled"' out && break
  sleep 0.1
done
holds "a run ends with its client" 'it.runs.find((r) => r.handler === "leave").result.status === "cancelled"'
holds "or goes on" 'it.runs.find((r) => r.handler === "stay").result.status === "suspended"'
kill -TERM "$server"
wait "$server" || bad "the examples end well" "$(head -c 1000 served.err)"

run "config print" 0 config print
cp out nexus.toml
run "config check of what was printed" 0 config check nexus.toml
printf '[server]\nprt = 1\n' >bad.toml
run "config check" 1 config check bad.toml
says "names the place" err "bad.toml:2:1: there is no setting 'server.prt' (did you mean 'server.port'?)"
run "an open address without keys" 2 serve --address 0.0.0.0 --memory
says "is refused with the remedy" err "nexus config key"
finish
