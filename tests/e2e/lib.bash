# For the end-to-end tests: checks that say what they saw. Each test prints "ok NAME" or "FAIL NAME: why"
# and the script fails at its end when one did. NEXUS is the program, NEXUS_ROOT the tree.
# shellcheck shell=bash
set -uo pipefail

: "${NEXUS:?the program to test}" "${NEXUS_ROOT:?the tree}"
export XDG_STATE_HOME=$PWD/state-home XDG_CACHE_HOME=$PWD/cache-home NO_COLOR=1
failures=0

ok() { printf 'ok %s\n' "$1"; }
bad() {
  printf 'FAIL %s: %s\n' "$1" "$2"
  failures=$((failures + 1))
}

# run NAME EXIT_CODE ARGUMENT...: runs nexus; its output is in out and err afterwards.
run() {
  local name=$1 wanted=$2 status=0
  shift 2
  timeout -k 5 120 "$NEXUS" "$@" >out 2>err </dev/null || status=$?
  if [ "$status" = "$wanted" ]; then ok "$name"; else
    bad "$name" "exit code $status, not $wanted: nexus $*: $(head -c 600 out) $(head -c 1200 err)"
  fi
}

# says NAME FILE TEXT: FILE holds TEXT, literally.
says() {
  if grep -qF -- "$3" "$2"; then ok "$1"; else bad "$1" "'$3' is not in $2: $(head -c 1500 "$2")"; fi
}
says_not() {
  if grep -qF -- "$3" "$2"; then bad "$1" "'$3' is in $2: $(head -c 1500 "$2")"; else ok "$1"; fi
}

# holds NAME EXPRESSION: out is one JSON document, here `it`, for which EXPRESSION is true. The sandbox
# itself reads it, so the tests need no other tool.
holds() {
  local name=$1 answer
  printf '{"it": %s}' "$(cat out)" >holds.json
  answer=$(printf 'const it = $args.it; return String(%s)' "$2" | timeout 60 "$NEXUS" run - --no-record --args @holds.json 2>holds.err) || answer=$(cat holds.err)
  case $answer in
    true*) ok "$name" ;;
    *) bad "$name" "not so: $2: ${answer:0:400}: $(head -c 1500 out)" ;;
  esac
}

finish() {
  [ "$failures" = 0 ] || printf '%s checks failed\n' "$failures"
  [ "$failures" = 0 ]
}
