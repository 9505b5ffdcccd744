# nexus serve at /mcp: both eras over Streamable HTTP, with rights, changes and a client that leaves.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

cat >counter.nxml <<'END'
<NexusPanel id="counter" title="Counter">
  <Data><State name="count" type="number" default="0"/><State name="secret" type="string" default="s"/></Data>
  <Logic>
    <Tool name="add"><Arg name="by" type="number" default="1"/><Handler>$state.count += $args.by; return $state.count</Handler></Tool>
    <Tool name="reset"><Handler>$state.count = 0</Handler></Tool>
  </Logic>
</NexusPanel>
END

# start ARGUMENT...: serves, sets $url and $server.
start() {
  "$NEXUS" serve --json --port 0 --memory "$@" >served 2>served.err &
  server=$!
  url=''
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
stop() {
  kill -INT "$server" 2>/dev/null
  wait "$server" 2>/dev/null
}

# post NAME STATUS BODY CURL_ARGUMENT...: the body is in out, the headers in headers afterwards.
post() {
  local name=$1 wanted=$2 body=$3 status
  shift 3
  status=$(curl -s -m 30 -o out -D headers -w '%{http_code}' -d "$body" -H 'Content-Type: application/json' \
    -H 'Accept: application/json, text/event-stream' "$@" "$url/mcp")
  if [ "$status" = "$wanted" ]; then ok "$name"; else bad "$name" "status $status, not $wanted: $(head -c 600 out)"; fi
}
meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
# modern NAME STATUS METHOD MEMBERS [NAME_HEADER]
modern() {
  local name=$1 wanted=$2 method=$3 members=$4 headers=()
  [ $# -lt 5 ] || headers=(-H "Mcp-Name: $5")
  post "$name" "$wanted" '{"jsonrpc":"2.0","id":1,"method":"'"$method"'","params":{'"$members$meta"'}}' \
    -H 'MCP-Protocol-Version: 2026-07-28' -H "Mcp-Method: $method" "${headers[@]}"
}

start counter.nxml
modern "discover" 200 server/discover ''
says "tells the revision" out '"supportedVersions":["2026-07-28"]'
modern "tools" 200 tools/list ''
says "are listed" out '"name":"counter__add"'
modern "a call" 200 tools/call '"name":"counter__add","arguments":{"by":3},' counter__add
says "runs" out '"text":"3"'
modern "a header that lies" 400 tools/call '"name":"counter__add",' counter__reset
says "is refused" out '-32020'
modern "no such method" 404 ping ''
says "says so" out '-32601'
post "a foreign origin" 403 '{}' -H 'Origin: https://evil.example'
post "a foreign host" 421 '{}' -H 'Host: evil.example'
post "no JSON" 400 '{'
says "is told" out '-32700'

post "a handshake" 200 '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}}'
session=$(sed -n 's/^[Mm]cp-[Ss]ession-[Ii]d: \([^[:space:]]*\).*/\1/p' headers)
if [ -n "$session" ]; then ok "makes a session"; else bad "makes a session" "$(cat headers)"; fi
in_session=(-H "Mcp-Session-Id: $session" -H 'MCP-Protocol-Version: 2025-11-25')
post "a call in it" 200 '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"counter__add"}}' "${in_session[@]}"
says "runs too" out '"text":"4"'
post "a subscription" 200 '{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"nexus://counter/state/count"}}' "${in_session[@]}"

# The session's stream tells of the change, and so does a modern subscription.
curl -s -N -m 20 -o stream -H 'Accept: text/event-stream' "${in_session[@]}" "$url/mcp" &
first=$!
curl -s -N -m 20 -o listen -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: subscriptions/listen' \
  -d '{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["nexus://counter/state"]},'"$meta"'}}' \
  "$url/mcp" &
second=$!
for _ in $(seq 100); do
  grep -q acknowledged listen 2>/dev/null && grep -q retry stream 2>/dev/null && break
  sleep 0.1
done
says "listen is acknowledged" listen 'notifications/subscriptions/acknowledged'
modern "a change" 200 tools/call '"name":"counter__add",' counter__add
post "another panel" 400 '{"id":"x"}'  # The endpoint takes messages only.
curl -s -o /dev/null -H 'Content-Type: application/json' -d '{"id": "other", "nxmlSource": "<NexusPanel id=\"other\"><Logic><Tool name=\"hi\"><Handler>return 1</Handler></Tool></Logic></NexusPanel>"}' "$url/panels"
for _ in $(seq 100); do
  grep -q list_changed listen && grep -q list_changed stream && break
  sleep 0.1
done
says "the session hears of the state" stream '"uri":"nexus://counter/state/count"'
says "the subscription too" listen '"uri":"nexus://counter/state"'
says "tagged with its request" listen '"io.modelcontextprotocol/subscriptionId":5'
says "and of the new panel" listen 'notifications/tools/list_changed'
modern "whose tool" 200 tools/call '"name":"other__hi",' other__hi
says "can be called" out '"text":"1"'
kill "$first" "$second" 2>/dev/null
wait "$first" "$second" 2>/dev/null
post "the end of the session" 204 '' -X DELETE "${in_session[@]}"
post "ends it" 404 '{"jsonrpc":"2.0","id":1,"method":"ping"}' "${in_session[@]}"
stop

# With keys: who may do less sees less.
"$NEXUS" config key --json >key.json 2>/dev/null || "$NEXUS" config key >key.json
key=$(grep -oE 'nx_[A-Za-z0-9_-]{43}' key.json | head -n 1)
hash=$(printf '%s' "$key" | sha256sum | cut -d' ' -f1)
cat >nexus.toml <<END
[[auth.keys]]
name = "reader"
sha256 = "$hash"
permissions = ["panel:read", "panel:execute"]
capabilities = ["tools:call:reset", "state:read:count"]
END
start counter.nxml --config nexus.toml
modern "without a key" 401 tools/list ''
post "with one" 200 '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{'"$meta"'}}' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' -H "Authorization: Bearer $key"
says "sees what it may call" out 'counter__reset'
says_not "and nothing else" out 'counter__add'
post "reads its part of the state" 200 '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"nexus://counter/state",'"$meta"'}}' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: resources/read' -H 'Mcp-Name: nexus://counter/state' -H "Authorization: Bearer $key"
says "which is this" out '{\"count\":0}'
stop
finish
