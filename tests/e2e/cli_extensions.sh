# Extensions: nexus ext, every example of docs/EXTENSIONS.md, [extension.*] of nexus.toml, and the panels
# that use http and llm, all against a server of our own.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

coproc SERVER { "$(dirname "$NEXUS")/nexus_test_server"; }
read -r port <&"${SERVER[0]}"
url=http://127.0.0.1:$port
key=test-key-0123456789
export TEST_LLM_KEY=$key TEST_TOKEN=t0ken-of-the-host

# nexus ext
run "ext lists" 0 ext
says "each extension" out "files"
run "ext list --json" 0 ext list --json
holds "names all" 'it.extensions.map(e => e.name).join() === "http,code,files,kv,timer,crypto,llm,test"'
holds "every method has a schema" 'it.extensions.every(e => e.methods.every(m => m.result !== undefined && (m.parameters || m.name === "uuid")))'
run "ext show" 0 ext show http
says "signatures" out 'get(url: string, options?: {headers?: object'
says "idempotency" out 'made again after a crash'
says "settings" out '{{secret:NAME}}'
run "ext show --json" 0 ext show llm --json
holds "one extension" 'it.name === "llm" && it.methods.some(m => m.name === "complete" && m.idempotent && m.capability === "ext:llm.complete")'
run "ext show of none" 5 ext show htp
says "says what was meant" err "did you mean 'http'"
run "ext --help" 0 ext --help
says "teaches" out "nexus ext show http"

# example NAME OPTION...: runs the example under the heading NAME.
example() {
  local name=$1
  shift
  awk -v name="## $name" '$0 == name { here = 1; next } /^## / { here = 0 }
    here && /^```js$/ { code = 1; next } /^```$/ { if (code) exit } code' "$NEXUS_ROOT/docs/EXTENSIONS.md" >"$name.js"
  [ -s "$name.js" ] || bad "example $name" "docs/EXTENSIONS.md has none"
  run "example $name" 0 run "$name.js" --json --no-record --cap "ext:$name" --args "{\"url\": \"$url\"}" "$@"
}
providers="[{\"name\": \"down\", \"url\": \"$url/fail/503\", \"model\": \"m\"},
  {\"name\": \"main\", \"format\": \"anthropic\", \"url\": \"$url\", \"key\": {\"env\": \"TEST_LLM_KEY\"}, \"model\": \"m\"}]"

example http --ext "http={\"allow\": [\"127.0.0.1:$port\"], \"secrets\": {\"TOKEN\": {\"env\": \"TEST_TOKEN\", \"hosts\": [\"127.0.0.1\"]}}}"
holds "http" 'it.returnValue.status === 200 && it.returnValue.title === "<title>Page 7</title>" && it.returnValue.words === 5'
holds "its secret came back as a name" 'it.returnValue.token === "Bearer {{secret:TOKEN}}"'
says_not "its secret is nowhere" out "$TEST_TOKEN"
mkdir -p work inbox outbox
echo "dear program" >inbox/letter.txt
example code --workspace work
holds "code" 'it.returnValue.join() === "notes/a.txt:2: two words"'
example files --ext 'files={"roots": {"in": "inbox", "out": {"path": "outbox", "readOnly": false}}}'
holds "files" 'it.returnValue.names.join() === "in/letter.txt" && it.returnValue.letter === "dear program\n" && it.returnValue.size === 3'
holds "files refuses" 'it.returnValue.refused === "PERMISSION_DENIED"'
run "a path grant narrows files" 3 run files.js --no-record --cap 'ext:files.list' --cap 'ext:files.read?path=out/' --ext 'files={"roots": {"in": "inbox"}}'
example kv
holds "kv" 'it.returnValue.visits === 2 && it.returnValue.keys.join() === "user:1"'
example timer
holds "timer" 'it.returnValue === true'
example crypto --ext 'crypto={"secrets": {"HOOK": {"value": "hook-secret"}}}'
holds "crypto" 'it.returnValue.mac.length === 64 && it.returnValue.hash.length === 64 && it.returnValue.bytes === 8'
example llm --ext "llm={\"providers\": $providers}"
holds "llm" 'it.returnValue.tool === "weather" && it.returnValue.told === "You said: sunny" && it.returnValue.text === "You said: hello there"'
holds "llm streams the same" 'it.returnValue.same && it.returnValue.usage.inputTokens === 11 && it.returnValue.usage.outputTokens === 7'
says_not "its key is nowhere" out "$key"
example test --ext test
holds "test" 'it.returnValue.join() === "a,b"'

# llm: budgets, cassettes, settings
echo 'return (await $ext.llm.complete({messages: [{role: "user", content: "hi"}], maxTokens: $args.max})).text' >ask.js
run "a budget holds" 4 run ask.js --json --no-record --cap ext:llm --args '{"max": 500}' --ext "llm={\"providers\": $providers, \"runTokens\": 300}"
holds "as QUOTA_EXCEEDED" 'it.error.code === "QUOTA_EXCEEDED" && it.error.message.includes("runTokens")'
run "record" 0 run ask.js --no-record --cap ext:llm --args '{"max": 50}' --ext "llm={\"providers\": $providers, \"cassette\": \"tape.jsonl\", \"cassetteMode\": \"record\"}"
says_not "the tape has no key" tape.jsonl "$key"
run "replay without any provider" 0 run ask.js --no-record --cap ext:llm --args '{"max": 50}' --ext 'llm={"cassette": "tape.jsonl"}'
says "gives the same" out "You said: hi"
run "replay of what was not recorded" 1 run ask.js --no-record --cap ext:llm --args '{"max": 51}' --ext 'llm={"cassette": "tape.jsonl"}'
says "says how to record it" err 'cassetteMode "record"'
run "wrong settings" 2 run ask.js --no-record --ext 'llm={"providers": [{"modle": "m"}]}'
says "name the place" err "'providers[0].modle' (did you mean 'model'?)"

# nexus.toml
cat >nexus.toml <<END
[extension.http]
allow = ["127.0.0.1:$port"]

[extension.llm]
panelDayTokens = 10000
[[extension.llm.providers]]
name = "main"
url = "$url/v1"
key = { env = "TEST_LLM_KEY" }
model = "m"
END
run "config check" 0 config check nexus.toml
sed 's/^model/modle/' nexus.toml >bad.toml
run "config check of a wrong extension" 1 config check bad.toml
says "names line and column" err "bad.toml:10:1: unknown setting 'providers[0].modle'"
printf '[extension.lm]\n' >bad.toml
run "config check of an unknown extension" 1 config check bad.toml
says "names it" err "did you mean 'llm'"

# The panels, served.
"$NEXUS" serve --json --port 0 --memory "$NEXUS_ROOT/examples/panels/chat.nxml" \
  "$NEXUS_ROOT/examples/panels/server-monitor.nxml" >served 2>served.err &
server=$!
for _ in $(seq 300); do
  base=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' served)
  [ -n "$base" ] && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
[ -n "$base" ] || bad "serve starts" "$(head -c 2000 served.err)"
ask() {
  local name=$1
  shift
  if curl -s -m 30 -o out -H 'Content-Type: application/json' "$@"; then ok "$name"; else bad "$name" "curl $*"; fi
}
ask "chat says" -d '{"text": "good morning"}' "$base/panels/chat/trigger/say"
says "the model's answer" out '"returnValue":"You said: good morning"'
ask "chat state" "$base/panels/chat/state"
says "the tokens are counted" out '"tokens":{"input":11,"output":7}'
says "the model is named" out '"model":"m-2030"'
ask "monitor watches" -d "{\"url\": \"$url/page/1\"}" "$base/panels/server-monitor/trigger/watch"
ask "monitor watches another" -d '{"url": "http://not-allowed.example/"}' "$base/panels/server-monitor/trigger/watch"
ask "monitor checks" -d '{}' "$base/panels/server-monitor/trigger/checkAll"
says "what is up" out '"message":"HTTP 200"'
says "what is not allowed" out '--allow-host not-allowed.example'
ask "monitor state" "$base/panels/server-monitor/state"
says "one is down" out '"down":["http://not-allowed.example/"]'
kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
says_not "no key in the logs" served.err "$key"

eval "exec ${SERVER[1]}>&-"
finish
