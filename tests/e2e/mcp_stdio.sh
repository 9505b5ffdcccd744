# nexus mcp: panels on stdin and stdout, for clients of both eras; nexus mcp install.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

cat >counter.nxml <<'END'
<NexusPanel id="counter" title="Counter">
  <Data><State name="count" type="number" default="0"/></Data>
  <Logic>
    <Tool name="add" description="Adds"><Arg name="by" type="number" default="1"/><Handler>$state.count += $args.by; return $state.count</Handler></Tool>
    <Prompt name="hello"><Arg name="who"/>Hello {who}</Prompt>
  </Logic>
</NexusPanel>
END

meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
init='{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}}'

# talk NAME LINE...: sends the lines and ends the input; the answers are in out.
talk() {
  local name=$1
  shift
  if printf '%s\n' "$@" | timeout -k 5 60 "$NEXUS" mcp "${mcp_options[@]}" counter.nxml >out 2>err; then ok "$name"; else
    bad "$name" "exit code $?: $(head -c 1000 err)"
  fi
}
mcp_options=()

talk "a client of 2025-11-25" "$init" '{"jsonrpc":"2.0","method":"notifications/initialized"}' \
  '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' \
  '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"counter__add","arguments":{"by":4}}}' \
  '{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"nexus://counter/meta"}}' \
  '{"jsonrpc":"2.0","id":4,"method":"prompts/get","params":{"name":"counter__hello","arguments":{"who":"Ann"}}}'
says "agrees on its revision" out '"protocolVersion":"2025-11-25"'
says "sees the tool" out '"name":"counter__add"'
says "calls it" out '"id":2,"result":{"_meta":{"nexus/runId":'
says "and gets its result" out '"text":"4"'
says "reads a resource" out 'nexus://counter/meta'
says "gets a prompt" out 'Hello Ann'

talk "a client of 2026-07-28" '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{'"$meta"'}}' \
  '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"counter__add","arguments":{"by":2},'"$meta"'}}'
says "discovers" out '"supportedVersions":["2026-07-28"]'
says "calls" out '"text":"2"'
says "gets complete results" out '"resultType":"complete"'

talk "bad lines" '{' '[]' '{"jsonrpc":"2.0","id":9,"method":"tools/list"}' "$init"
says "no JSON" out '"code":-32700'
says "no message" out '"code":-32600'
says "no handshake and no _meta" out '"code":-32602'
says "the connection goes on" out '"serverInfo"'

mcp_options=(--flat)
talk "bare names" "$init" '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
says "are listed" out '"name":"add"'
mcp_options=(--cap 'state:read:*')
talk "a client with few rights" "$init" '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' \
  '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"counter__add"}}'
says "sees no tool" out '"tools":[]'
says "and can call none" out 'there is no tool'
mcp_options=(--data kept)
talk "with --data" "$init" '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"counter__add"}}'
talk "and again" "$init" '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"counter__add"}}'
says "the state is kept" out '"text":"2"'

# Many calls at once are all answered, whatever their order.
mcp_options=()
lines=("$init")
for i in $(seq 1 200); do
  lines+=('{"jsonrpc":"2.0","id":'"$i"',"method":"tools/call","params":{"name":"counter__add"}}')
done
talk "two hundred calls" "${lines[@]}"
answers=$(grep -c '"result":{"_meta":{"nexus/runId"' out)
if [ "$answers" = 200 ]; then ok "are answered"; else bad "are answered" "$answers"; fi

run "no panel" 2 mcp
says "says what is missing" err 'FILE is missing'
run "no such file" 5 mcp none.nxml
printf '<NexusPanel id="x"><Dta/></NexusPanel>' >broken.nxml
run "a broken panel" 1 mcp broken.nxml
says "with its place" err 'broken.nxml:1:'
says_not "and nothing on stdout" out 'e'

run "a snippet" 0 mcp install --client claude-code counter.nxml
says "names the program" out '"command"'
says "and the panel" out 'counter.nxml"'
holds "is JSON" 'it.mcpServers.nexus.args[0] === "mcp"'
run "for a running server" 0 mcp install --client cursor --url http://localhost:3000/mcp
holds "has its address" 'it.mcpServers.nexus.url === "http://localhost:3000/mcp"'
run "an unknown client" 2 mcp install --client curser counter.nxml
says "is guessed" err "did you mean 'cursor'"
finish
