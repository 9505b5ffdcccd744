#!/usr/bin/env bash
# The RELAX NG schema for editors: it takes every example panel, in the author's form and in the canonical one,
# and refuses what `nexus check` refuses for its shape.
# shellcheck source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
schema=$NEXUS_ROOT/schema/nxml.rng

# cdata FILE: on stdout, with the code of its handlers in CDATA, as an XML editor wants it.
cdata() {
  node -e 'process.stdout.write(require("fs").readFileSync(process.argv[1], "utf8").replace(
    /(<Handler(?:\s+\w+="[^"]*")*\s*>)(?!\s*<!\[CDATA\[)([\s\S]*?)<\/Handler>/g, "$1<![CDATA[$2]]></Handler>"))' "$1"
}
# valid NAME / invalid NAME: it.nxml against the schema.
valid() {
  if xmllint --noout --relaxng "$schema" it.nxml 2>lint.err; then ok "$1"; else bad "$1" "$(head -c 800 lint.err)"; fi
}
invalid() {
  if xmllint --noout --relaxng "$schema" it.nxml 2>lint.err; then bad "$1" "the schema takes it"; else
    if grep -q 'parser error' lint.err; then bad "$1" "no XML: $(head -c 400 lint.err)"; else ok "$1"; fi
  fi
}

for panel in "$NEXUS_ROOT"/examples/panels/*.nxml; do
  name=$(basename "$panel")
  cdata "$panel" >it.nxml
  valid "$name"
  cp "$panel" canonical.nxml
  run "$name in the canonical form" 0 fmt canonical.nxml
  cdata canonical.nxml >it.nxml
  valid "$name, canonical"
done

# case NAME BODY: a panel that nexus check and the schema refuse alike.
case_bad() {
  printf '<NexusPanel id="p">%s</NexusPanel>' "$2" >it.nxml
  invalid "$1"
  run "$1, for nexus check" 1 check it.nxml
}
case_bad "an unknown section" '<Dta/>'
case_bad "a second section" '<Data/><Data/>'
case_bad "an unknown type" '<Data><State name="n" type="nmber"/></Data>'
case_bad "a state without a name" '<Data><State type="number"/></Data>'
case_bad "a bad name" '<Data><State name="1n"/></Data>'
case_bad "a computed value without an expression" '<Data><Computed name="c"/></Data>'
case_bad "a tool without a handler" '<Logic><Tool name="t"/></Logic>'
case_bad "a tool with two handlers" '<Logic><Tool name="t"><Handler>1</Handler><Handler>2</Handler></Tool></Logic>'
case_bad "an unknown attribute" '<Logic><Tool name="t" nme="x"><Handler>1</Handler></Tool></Logic>'
case_bad "a flag that is none" '<Logic><Tool name="t" atomic="yes"><Handler>1</Handler></Tool></Logic>'
case_bad "a limit that is none" '<Logic><Tool name="t"><Handler capabilities="x">1</Handler></Tool></Logic>'
case_bad "a lifecycle on something else" '<Logic><Lifecycle on="start"><Handler>1</Handler></Lifecycle></Logic>'
case_bad "an interval without its time" '<Logic><Tool name="t"><Handler>1</Handler></Tool><Trigger on="interval" tool="t"/></Logic>'
case_bad "a trigger on something else" '<Logic><Tool name="t"><Handler>1</Handler></Tool><Trigger on="moon" tool="t"/></Logic>'
case_bad "a capability of another kind" '<Logic><Tool name="t"><Capabilities><Capability type="disk:read" scope="x"/></Capabilities><Handler>1</Handler></Tool></Logic>'
case_bad "two roots of a view" '<View><Text>a</Text><Text>b</Text></View>'
case_bad "an iteration over nothing" '<View><Iterate as="x"/></View>'
finish
