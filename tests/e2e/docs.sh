#!/usr/bin/env bash
# docs/COMPATIBILITY.md: every proof it names exists.
# shellcheck source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"

grep -rhoE 'TEST(_F|_P)?\([A-Za-z0-9]+, *[A-Za-z0-9_]+\)' "$NEXUS_ROOT/src" "$NEXUS_ROOT/tests" --include='*_test.cc' |
  sed -E 's/TEST(_F|_P)?\(//; s/, */./; s/\)//' | sort -u >tests
count=0
while IFS= read -r proof; do
  count=$((count + 1))
  rest=${proof#*: }
  case $proof in
    *.golden:*)
      file=$(find "$NEXUS_ROOT/src" -name "${proof%%:*}" | head -n 1)
      grep -qxF -- "=== $rest" "${file:-/dev/null}" || bad "$proof" "there is no such case"
      ;;
    e2e/*:*) grep -qF -- "$rest" "$NEXUS_ROOT/tests/${proof%%:*}" 2>/dev/null || bad "$proof" "there are no such words" ;;
    guest/*) [ -f "$NEXUS_ROOT/$proof" ] || bad "$proof" "there is no such program" ;;
    *) grep -qxF -- "$proof" tests || bad "$proof" "there is no such test" ;;
  esac
done < <(sed -n 's/^|.*| *\(`.*`\) *|$/\1/p' "$NEXUS_ROOT/docs/COMPATIBILITY.md" | grep -oE '`[^`]+`' | tr -d '`')
if [ "$count" -gt 100 ]; then ok "$count proofs are looked up"; else bad "proofs are looked up" "only $count: has the table changed its form?"; fi
# Every construct has one.
sed -n '/^|/p' "$NEXUS_ROOT/docs/COMPATIBILITY.md" | grep -vE '^\| *(construct|-)|^\|-' >rows
grep -vE '`[^`]+` *\|$' rows >unproven
if [ -s unproven ]; then bad "every row has a proof" "$(head -n 3 unproven)"; else ok "every row has a proof"; fi
finish
