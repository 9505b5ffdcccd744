#!/usr/bin/env bash
# nexus check, fmt, new and tool, as a panel's author uses them.
# shellcheck source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
panels=$NEXUS_ROOT/examples/panels

run "the example panels are fine" 0 check "$panels"
says "each is named" out "tasks.nxml: fine"
cat >bad.nxml <<'END'
<NexusPanel id="bad">
  <Data><State name="n" type="nmber"/></Data>
  <Logic>
    <Tool name="t"><Handler>
      fetch("http://x");
    </Handler></Tool>
  </Logic>
</NexusPanel>
END
run "errors end with 1" 1 check bad.nxml
says "a type is named at its place" out "bad.nxml:2:31: error INVALID_TYPE"
says "and what was meant" out "did you mean 'number'?"
says "code is checked at its place" out "bad.nxml:5:7: error FORBIDDEN_GLOBAL"
run "json" 1 check bad.nxml "$panels/tasks.nxml" --json
holds "json is as the contract says" 'it.length === 2 && it[0].ok === false && it[0].errors.length === 2 &&
  it[0].errors[1].line === 5 && it[0].errors[1].column === 7 && it[0].errors[1].path === "logic/tools/t/handler" &&
  it[1].ok && it[1].panel.id === "tasks" && it[1].panel.tools[0].name === "addTask" &&
  it[1].panel.tools[0].args[0].required && it[1].panel.tools[0].inferred &&
  it[1].panel.tools[0].capabilities.includes("state:write:tasks")'
run "sarif" 1 check bad.nxml --sarif
holds "sarif has the results" 'it.version === "2.1.0" && it.runs[0].results[0].ruleId === "INVALID_TYPE"'
run "a missing file" 5 check nowhere.nxml
run "an empty folder" 5 check "$(mktemp -d -p .)"

run "a new panel" 0 new panel shopping
run "a new panel is fine" 0 check shopping.nxml
run "it is not overwritten" 2 new panel shopping
run "a bad name" 2 new panel "a b"
run "it is formatted" 0 fmt shopping.nxml
run "formatting again changes nothing" 0 fmt --check shopping.nxml
printf '<NexusPanel id="p"><!-- kept? --><Data/></NexusPanel>' >comment.nxml
run "comments are not lost" 1 fmt comment.nxml
says "it says why" err "this comment would be lost"

run "one tool" 0 tool shopping.nxml add --args '{"text": "milk"}'
says "its result is on stdout" out 1
run "several tools on one panel" 0 tool shopping.nxml add --args '{"text": "milk"}' add --args '{"text": "tea"}' \
  remove --args '{"index": 0}' --json
holds "results, state and computed" 'it.results.length === 3 && it.results[1].returnValue === 2 &&
  it.state.items.length === 1 && it.state.items[0].text === "tea" && it.computed.count === 1'
run "initial state" 0 tool shopping.nxml remove --args '{"index": 0}' --state '{"items": [{"text": "x"}]}' --json
holds "it was used" 'it.results[0].returnValue === true && it.state.items.length === 0'
run "a stub answers" 0 tool "$panels/server-monitor.nxml" --stub 'http.get={"status": 503}' \
  watch --args '{"url": "http://example.com/"}' checkAll --json
holds "the tool saw it" 'it.results[1].returnValue[0].ok === false && it.state.targets[0].status === "down"'
run "a wrong argument" 1 tool shopping.nxml add --args '{"txt": "milk"}'
says "what was meant" err "did you mean 'text'?"
run "an unknown tool" 5 tool shopping.nxml ad
says "the tool meant" err "did you mean 'add'?"
run "an error in a handler" 1 tool shopping.nxml add --args '{"text": " "}'
says "its place in the panel file" err "shopping.nxml:13:45"
run "a broken panel" 1 tool bad.nxml t
says "its errors" err "INVALID_TYPE"

# Each example does what it is for.
run "tasks" 0 tool "$panels/tasks.nxml" addTask --args '{"title": "a", "due": "2020-01-01"}' sweepOverdue \
  toggle --args '{"id": 1}' clearDone summarise --json
holds "tasks: triggers' tools work" 'it.results[0].returnValue.overdue === true && it.results[3].returnValue === 1 && it.state.summaries.length === 1'
run "kanban" 0 tool "$panels/kanban.nxml" addCard --args '{"title": "a"}' advance --args '{"id": 1}' --json
holds "kanban: a card moves" 'it.results.every(r => r.status === "success") && it.results[0].returnValue === 1'
run "notes" 0 tool "$panels/notes.nxml" addNote --args '{"title": "Milk", "text": "buy #shop milk"}' \
  addNote --args '{"title": "Tea"}' search --args '{"words": "milk"}' --json
holds "notes: search finds the best" 'it.results[2].returnValue.length === 1 && it.results[2].returnValue[0].title === "Milk"'
run "csv" 0 tool "$panels/csv-explorer.nxml" load --args '{"text": "city,n\nA,1\nB,2\nA,3\n"}' \
  group --args '{"by": "city", "measure": "n"}' describe --json
holds "csv: groups and describes" 'it.results.every(r => r.status === "success") && JSON.stringify(it.computed).includes("A")'
run "flags" 0 tool "$panels/feature-flags.nxml" define --args '{"name": "beta"}' \
  set --args '{"name": "beta", "enabled": true, "percent": 0, "users": ["ann"]}' \
  evaluate --args '{"name": "beta", "user": "ann"}' evaluate --args '{"name": "beta", "user": "bob"}' --json
holds "flags: for named users" 'it.results[2].returnValue !== it.results[3].returnValue'
run "incidents" 0 tool "$panels/incident-log.nxml" openIncident --args '{"title": "down"}' \
  acknowledge --args '{"number": 1, "who": "me"}' resolve --args '{"number": 1}' --json
holds "incidents: opened and resolved" 'it.results.every(r => r.status === "success")'
run "chat" 0 tool "$panels/chat.nxml" --stub 'llm.complete={"text": "hello", "usage": {"inputTokens": 1, "outputTokens": 1}}' \
  say --args '{"text": "hi"}' clear --json
holds "chat: the model answers" 'it.results[0].status === "success"'
finish
