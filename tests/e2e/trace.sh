#!/usr/bin/env bash
# Traces: a request with a traceparent, the run below it, the call of an extension and of a tool below that, at a
# collector that speaks OTLP over HTTP; and the log line of the request.
# shellcheck source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

cat >collector.mjs <<'END'
import http from 'node:http';
import { appendFileSync } from 'node:fs';
http.createServer((request, response) => {
  let body = '';
  request.on('data', (more) => { body += more; });
  request.on('end', () => {
    if (request.headers['x-collector-key'] !== 'secret-of-collector') { response.statusCode = 401; return response.end(); }
    for (const resource of JSON.parse(body).resourceSpans) for (const scope of resource.scopeSpans) for (const span of scope.spans) appendFileSync('spans', JSON.stringify(span) + '\n');
    response.end('{}');
  });
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
END
: >spans
node collector.mjs >port &
collector=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done

cat >traced.nxml <<'END'
<NexusPanel id="traced">
  <Logic>
    <Extension name="test"/>
    <Tool name="inner"><Handler>return 1</Handler></Tool>
    <Tool name="outer"><Handler>await $ext.test.echo("hidden-argument"); return await $tools.inner()</Handler></Tool>
    <Tool name="fail"><Handler>throw new Error("hidden-message")</Handler></Tool>
  </Logic>
</NexusPanel>
END
echo "X-Collector-Key: secret-of-collector" >headers
cat >nexus.toml <<END
[log]
form = "json"
[trace]
endpoint = "http://127.0.0.1:$(cat port)"
headers_file = "headers"
[extensions]
offer = ["test"]
END
"$NEXUS" serve --json --port 0 --memory --config nexus.toml traced.nxml >served 2>served.err &
server=$!
for _ in $(seq 300); do
  url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' served)
  [ -n "$url" ] && break
  sleep 0.1
done
trace=0af7651916cd43dd8448eb211c80319c
curl -s -m 20 -H "Traceparent: 00-$trace-b7ad6b7169203331-01" -d '{}' "$url/panels/traced/trigger/outer" >out
says "the call succeeds" out '"status":"success"'
curl -s -m 20 -H "Traceparent: 00-$trace-b7ad6b7169203331-00" -d '{}' "$url/panels/traced/trigger/inner" >out
curl -s -m 20 -d '{}' "$url/panels/traced/trigger/fail" >out
for _ in $(seq 100); do
  [ "$(wc -l <spans)" -ge 7 ] && break
  sleep 0.1
done
cat >tree.mjs <<'END'
import { readFileSync } from 'node:fs';
const spans = readFileSync('spans', 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const children = (id, trace) => spans.filter((s) => (s.parentSpanId ?? '') === id && s.traceId === trace).map((s) => ({ name: s.name, kind: s.kind, failed: s.status?.message, below: children(s.spanId, trace) }));
const own = spans.find((s) => s.name === 'run fail').traceId;
console.log(JSON.stringify({ given: children('b7ad6b7169203331', process.argv[2]), own: children('', own), count: spans.length, order: spans.every((s) => BigInt(s.endTimeUnixNano) >= BigInt(s.startTimeUnixNano)) }));
END
node tree.mjs "$trace" >out 2>err || cat err
holds "the spans form one tree below the caller's" '((top) => it.given.length === 1 && top.name === "POST /panels/{id}/trigger/{tool}" && top.kind === 2 &&
  top.below.length === 1 && top.below[0].name === "run outer" &&
  top.below[0].below.map((c) => c.name).sort().join() === "$tools.inner,test.echo" &&
  top.below[0].below.every((c) => c.kind === 3) &&
  top.below[0].below.find((c) => c.name === "test.echo").below.length === 0 &&
  top.below[0].below.find((c) => c.name === "$tools.inner").below[0].name === "run inner")(it.given[0])'
holds "who asks says what is kept" 'it.given.length === 1'
holds "a failure is told by its code" 'it.own[0].below[0].failed === "EXECUTION_ERROR" && it.order'
says_not "no arguments in spans" spans hidden
curl -s "$url/metrics" >out
says "spans are counted" out 'nexus_trace_spans_exported_total'
says "and none was dropped" out 'nexus_trace_spans_dropped_total 0'
grep '"event":"request"' served.err | head -n 1 >out
holds "a request is a line of JSON" 'it.method === "POST" && it.path === "/panels/traced/trigger/outer" && it.status === 200 && it.traceId === "0af7651916cd43dd8448eb211c80319c" && it.durationMs >= 0'
says_not "no secrets in the log" served.err secret-of-collector
kill -TERM "$server"
wait "$server" && ok "it ends well" || bad "it ends well" "$(head -c 1000 served.err)"
kill "$collector"
wait "$collector" 2>/dev/null
finish
