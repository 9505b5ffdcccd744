#!/usr/bin/env bash
# A run asks for a right it does not have: it waits through a kill and a restart, and only who holds the right
# can grant it; by the API and by nexus approval.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

digest() { printf '%s' "$1" | sha256sum | cut -c1-64; }
cat >nexus.toml <<END
[[auth.keys]]
name = "ann"
sha256 = "$(digest ann-key)"
permissions = ["panel:read", "panel:execute", "panel:approve"]
capabilities = ["tools:call:*", "state:read:*"]
[[auth.keys]]
name = "boss"
sha256 = "$(digest boss-key)"
permissions = ["panel:read", "panel:approve"]
capabilities = ["state:read:*", "state:write:live"]
END

start() {
  "$NEXUS" serve --json --port 0 --config nexus.toml --data data "$NEXUS_ROOT/examples/panels/releases.nxml" >served 2>served.err &
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
as() {
  local key=$1
  shift
  curl -s -m 30 -H "X-API-Key: $key-key" -H 'Content-Type: application/json' "$@"
}
# one_waits: sets $id to the only request that waits.
one_waits() {
  for _ in $(seq 100); do
    as ann "$url/approvals" >out
    id=$(sed -n 's/.*"id":"\([0-9A-Z]*\)".*/\1/p' out)
    [ -n "$id" ] && return 0
    sleep 0.1
  done
  bad "a request waits" "$(head -c 600 out) $(head -c 600 served.err)"
}

start
as ann -d '{"version": "1.4.0"}' "$url/panels/releases/trigger/propose" >out
says "a release is proposed" out '"status":"success"'
as ann -d '{"version": "1.4.0", "reason": "Tuesday"}' "$url/panels/releases/trigger/ship?wait=false" >out
says "shipping begins" out '"runId"'
one_waits
says "the request says what it is for" out 'Ship 1.4.0, which replaces none: Tuesday'
says "and which right it wants" out '"capabilities":["state:write:live"]'
says "ann may not grant what she does not hold" out '"mayApprove":false'
status=$(as ann -o out -w '%{http_code}' -d '{}' "$url/approvals/$id/approve")
[ "$status" = 403 ] && ok "and is refused" || bad "and is refused" "status $status: $(head -c 300 out)"
says "with the rule" out 'must hold the right itself'

# The run is on disk a second after it began to wait.
sleep 2
kill -9 "$server"
wait "$server" 2>/dev/null
start
first=$id
one_waits
[ "$id" = "$first" ] && ok "it still waits after kill -9" || bad "it still waits after kill -9" "$id, not $first"

export NEXUS_URL=$url NEXUS_API_KEY=boss-key
run "approval list" 0 approval list
says "shows it" out 'state:write:live'
run "approval approve" 0 approval approve "$id" --for 5000 --json
holds "answers with what was granted" 'it.status === "approved" && it.decidedBy === "boss" && it.forMs === 5000'
for _ in $(seq 100); do
  as ann "$url/panels/releases/state" >out
  grep -q '"by":"boss"' out && break
  sleep 0.1
done
says "the run goes on and may write" out '"live":{"version":"1.4.0"'
run "approving again" 2 approval approve "$id"
says "says that it is decided" err 'approved already'

as ann -d '{"version": "1.5.0"}' "$url/panels/releases/trigger/propose" >/dev/null
as ann -d '{"version": "1.5.0"}' "$url/panels/releases/trigger/ship?wait=false" >/dev/null
one_waits
run "approval deny" 0 approval deny "$id" --reason 'Not on a Friday'
for _ in $(seq 100); do
  as ann "$url/panels/releases/runs?limit=1" >out
  grep -q 'Friday' out && break
  sleep 0.1
done
says "the program gets the exception" out '"code":"PERMISSION_DENIED"'
says "with the reason" out 'Not on a Friday'
run "nothing waits" 0 approval list
says "says so" out 'Nothing waits'
run "the history" 0 approval list --all --json
holds "has both decisions" 'it.approvals.length === 2 && it.approvals[0].status === "denied" && it.approvals[1].status === "approved"'
NEXUS_API_KEY=ann-key run "who may not" 0 approval list
run "an unknown request" 5 approval approve 01JD3ZK5T8R8N6W9A2C4E6G8J0
as boss "$url/metrics" >out
says "decisions are counted" out 'nexus_approvals_total{decision="approved"} 1'
kill -TERM "$server"
wait "$server" && ok "it ends well" || bad "it ends well" "$(head -c 1000 served.err)"
finish
