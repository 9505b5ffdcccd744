#!/usr/bin/env bash
# The page: its interpreter of view expressions, and that the server gives it out, small and whole.
# shellcheck source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

esbuild=$(sed -n 's/^nexus_default(NEXUS_ESBUILD "\(.*\)")$/\1/p' "$NEXUS_ROOT/build/setup.cmake")
"$esbuild" "$NEXUS_ROOT/web/src/expression.ts" --bundle --format=esm --outfile="$PWD/expression.mjs" --log-level=warning
if EXPRESSION=$PWD/expression.mjs node "$NEXUS_ROOT/web/src/expression.test.mjs" >log 2>&1; then
  ok "view expressions"
else
  bad "view expressions" "$(head -c 1500 log)"
fi

cat >filter-test.nxml <<'END'
<NexusPanel id="filter-test" title="Filter">
  <Data><State name="lines" type="list" default='["Alpha", "Beta", "Gamma"]'/></Data>
  <Logic><Tool name="filter"><Arg name="to"/><Handler>$view.setFilter("lines", $args.to)</Handler></Tool></Logic>
  <View><LogStream id="lines" data="{$state.lines}"/></View>
</NexusPanel>
END
"$NEXUS" serve "$NEXUS_ROOT/examples/panels" filter-test.nxml --port 0 --memory --json >serve.json 2>serve.log &
server=$!
for _ in $(seq 200); do
  [ -s serve.json ] && break
  sleep 0.05
done
url=$(node -e 'const it = JSON.parse(require("fs").readFileSync("serve.json", "utf8").split("\n")[0]); console.log(it.url ?? it.address)')
total=0
for path in / /assets/app.js /assets/app.css; do
  status=$(curl -s -o body -w '%{http_code}' -H 'Accept-Encoding: gzip' "$url$path")
  [ "$status" = 200 ] && ok "$path is there" || bad "$path is there" "status $status"
  total=$((total + $(stat -c %s body)))
done
[ "$total" -lt 61440 ] && ok "the page is below 60 KB" || bad "the page is below 60 KB" "$total bytes"
curl -s "$url/assets/app.js" >plain.js
says "it comes without gzip too" plain.js 'SUBSCRIBE'
curl -s -D head -o /dev/null -H 'Accept-Encoding: gzip' "$url/"
says "no inline scripts" head "script-src 'self'"

# A real browser: what it shows of a panel after a tool was called. dom PANEL: the page's document.
dom() {
  timeout -k 5 90 chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --user-data-dir="$PWD/browser" --virtual-time-budget=8000 --dump-dom "$url/#$1" >dom 2>browser.log
}
curl -s -d '{"title": "Write <b>notes</b>"}' -H 'Content-Type: application/json' "$url/panels/tasks/trigger/addTask" >/dev/null
dom tasks
says "the browser shows the panel's view" dom 'What is to be done?'
says "a task that was added" dom 'Write &lt;b&gt;notes&lt;/b&gt;'
says "a computed value" dom 'aria-label="Open"'
says "the connection is live" dom '>live</span>'
says "the list of panels" dom 'Server monitor'
says_not "no expression failed" dom 'class="problem"'
curl -s -d '{"text": "city,n\nA,1\nB,2\n"}' -H 'Content-Type: application/json' "$url/panels/csv-explorer/trigger/load" >/dev/null
curl -s -d '{"by": "city", "measure": "n"}' -H 'Content-Type: application/json' "$url/panels/csv-explorer/trigger/group" >/dev/null
dom csv-explorer
says "a chart is drawn" dom 'role="img"'
says_not "and nothing failed in it" dom 'class="problem"'

# The keyboard, a screen reader's view, contrast, view commands and approvals.
if node "$NEXUS_ROOT/tests/e2e/browser.mjs" "$url" >browser.out 2>&1; then
  cat browser.out
else
  cat browser.out
  bad "the page with a keyboard and a screen reader" "$(tail -n 1 browser.out)"
fi
kill "$server"
wait "$server" 2>/dev/null
finish
