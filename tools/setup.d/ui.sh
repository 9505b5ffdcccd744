# What tools/setup says: one line for each step, with its time; the end of the log when a step fails.
# shellcheck shell=bash

log_dir=$root/build/logs
ui_start=${EPOCHREALTIME/./}
ui_open=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  ui_bold=$'\e[1m' ui_red=$'\e[31m' ui_plain=$'\e[0m' ui_live=1
else
  ui_bold='' ui_red='' ui_plain='' ui_live=0
fi

# seconds_since MICROSECONDS: prints "12.3 s".
seconds_since() {
  local tenths=$(((${EPOCHREALTIME/./} - $1) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

ui_begin() {
  mkdir -p "$log_dir"
  printf '%s%s%s\n' "$ui_bold" "$1" "$ui_plain"
  ui_open=1
}

ui_end() { printf '%s%s%s (%s)\n' "$ui_bold" "$1" "$ui_plain" "$(seconds_since "$ui_start")"; }

say() { printf '  %s\n' "$*"; }

# die WHAT [WHAT_TO_DO]
die() {
  printf '%serror:%s %s\n' "$ui_red" "$ui_plain" "$1" >&2
  [ -z "${2:-}" ] || printf '  what to do: %s\n' "$2" >&2
  exit 1
}

# step LABEL LOG HINT COMMAND...: runs COMMAND with its output in build/logs/LOG.log and shows that it is
# alive. A failure prints the end of the log and HINT, and ends the script. When the log says that there
# was nothing to do ($step_nothing), the step says nothing either.
step_nothing=''
step() {
  local label=$1 log=$log_dir/$2.log hint=$3 start=${EPOCHREALTIME/./} status=0
  shift 3
  mkdir -p "$log_dir"
  set -m  # A process group of its own, so that an interrupt reaches all of it.
  "$@" >"$log" 2>&1 </dev/null &
  step_pid=$!
  set +m
  trap 'kill -- -"$step_pid" 2>/dev/null; exit 130' INT TERM
  step_wait "$label" "$log" "$start"
  wait "$step_pid" || status=$?
  trap - INT TERM
  [ "$ui_live" = 0 ] || printf '\r\e[K'
  if [ "$status" = 0 ]; then
    if [ -z "$step_nothing" ] || ! grep -q "$step_nothing" "$log"; then
      printf '  %s: done, %s\n' "$label" "$(seconds_since "$start")"
      sed -n 's/^note: /    note: /p' "$log"
    fi
    return 0
  fi
  printf '  %s: failed after %s; the end of %s:\n' "$label" "$(seconds_since "$start")" "$log" >&2
  tail -n 40 "$log" | sed 's/^/    | /' >&2
  die "$label: failed (exit code $status)" "$hint"
}

# step_wait LABEL LOG START: until the command of the step has ended. On a terminal one line is kept up to
# date; elsewhere a line every twenty seconds shows that it goes on.
step_wait() {
  local ticks=0 every=5 progress
  [ "$ui_live" = 1 ] || every=200
  while kill -0 "$step_pid" 2>/dev/null; do
    sleep 0.1
    ticks=$((ticks + 1))
    [ $((ticks % every)) = 0 ] || continue
    progress=$(tail -c 400 "$2" | grep -o '^\[[0-9]*/[0-9]*\]' | tail -n 1 || true)
    if [ "$ui_live" = 1 ]; then
      printf '\r  %s ... %s %s\e[K' "$1" "$(seconds_since "$3")" "$progress"
    else
      printf '  %s ... %s %s\n' "$1" "$(seconds_since "$3")" "$progress"
    fi
  done
}
