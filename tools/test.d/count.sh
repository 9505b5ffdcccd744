# What ./test has counted so far, and how it reports.
# shellcheck shell=bash

passed=0
failed=0
skipped=0
failures=()

# wanted NAME: whether the names on the command line select it. Without names everything is.
wanted() {
  local name
  [ "${#filters[@]}" != 0 ] || return 0
  for name in "${filters[@]}"; do
    case $1 in *"$name"*) return 0 ;; esac
  done
  return 1
}

pass() { passed=$((passed + 1)); }

skip() {
  skipped=$((skipped + 1))
  printf '  skipped: %s%s\n' "$1" "${2:+ ($2)}"
}

# fail NAME [LOG]: counts a failure and shows the end of its log.
fail() {
  failed=$((failed + 1))
  failures+=("$1")
  printf '  %sFAILED%s: %s\n' "$ui_red" "$ui_plain" "$1"
  if [ -n "${2:-}" ] && [ -s "$2" ]; then
    tail -n 40 "$2" | sed 's/^/    | /'
  fi
}

# stage_line LABEL START PASSED_BEFORE FAILED_BEFORE
stage_line() {
  local more=''
  [ $((failed - $4)) = 0 ] || more=", $((failed - $4)) failed"
  printf '  %s: %d passed%s, %s\n' "$1" $((passed - $3)) "$more" "$(seconds_since "$2")"
}

closing_line() {
  local name
  if [ "$failed" != 0 ]; then
    echo "failed:"
    for name in "${failures[@]}"; do printf '  %s\n' "$name"; done
  elif [ $((passed + skipped)) = 0 ]; then
    die "no test has a name that contains ${filters[*]}" "ctest --preset release -N lists the unit tests"
  fi
  printf '%d passed, %d failed' "$passed" "$failed"
  [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
  printf '\n'
  [ "$failed" = 0 ]
}
