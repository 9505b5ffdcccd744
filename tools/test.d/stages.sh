# The stages of ./test. Each runs what the filters select and counts it.
# shellcheck shell=bash

# test_units PRESET: the GoogleTest cases of every module, each in a process of its own, two at a time.
test_units() {
  local preset=$1 folder=build/$1 start=${EPOCHREALTIME/./} before=$passed failed_before=$failed
  local log=$log_dir/ctest-$preset.log report=$folder/ctest.xml select=() name
  mkdir -p "$log_dir"
  [ "$preset" = release ] || tools/build "$preset"
  if [ "${#filters[@]}" != 0 ]; then
    select=(-R "$(IFS='|'; echo "${filters[*]}")")
  fi
  rm -f "$report"
  nice -n 5 ctest --preset "$preset" -j 2 --output-junit "$root/$report" "${select[@]}" >"$log" 2>&1 || true
  if [ ! -s "$report" ]; then
    fail "$preset unit tests: ctest wrote no report" "$log"
    return 0
  fi
  count_report "$report"
  while read -r name; do
    failures+=("$preset: $name")
  done < <(failed_cases "$report")
  if [ "$failed" != "$failed_before" ]; then
    show_failed_output "$log"
  fi
  stage_line "unit tests ($preset)" "$start" "$before" "$failed_before"
}

# count_report FILE: adds what CTest's JUnit report counts.
count_report() {
  local counts tests bad quiet
  counts=$(grep -m1 -A8 '<testsuite ' "$1" | tr '\n' ' ')
  tests=$(attribute "$counts" tests)
  bad=$(attribute "$counts" failures)
  quiet=$(($(attribute "$counts" skipped) + $(attribute "$counts" disabled)))
  passed=$((passed + tests - bad - quiet))
  failed=$((failed + bad))
  skipped=$((skipped + quiet))
}

attribute() { sed -n "s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" <<<"$1" | grep . || echo 0; }

failed_cases() { sed -n 's/.*<testcase name="\([^"]*\)".*status="fail".*/\1/p' "$1"; }

# show_failed_output LOG: what the failed cases printed, without those that passed.
show_failed_output() {
  awk '/ Test +#[0-9]+: / { show = /Failed|\*\*\*|Timeout|Not Run/ } show' "$1" | head -n 200 | sed 's/^/    | /'
}

# test_headers: every header compiles alone.
test_headers() {
  local log=$log_dir/headers.log
  wanted "headers stand alone" || return 0
  if ! ninja -C build/release -t query headers >/dev/null 2>&1; then
    return 0
  fi
  if nice -n 5 ninja -C build/release -k 0 headers >"$log" 2>&1; then
    pass
  else
    fail "headers stand alone" "$log"
  fi
}

# test_tree: the rules of the tree itself; tests/tidy prints "ok NAME" or "not ok NAME" for each.
test_tree() {
  local start=${EPOCHREALTIME/./} before=$passed failed_before=$failed line log=$log_dir/tidy.log
  : >"$log"
  while IFS= read -r line; do
    case $line in
      "ok "*) ! wanted "tidy: ${line#ok }" || pass ;;
      "not ok "*) ! wanted "tidy: ${line#not ok }" || fail "tidy: ${line#not ok }" "$log" ;;
      *) echo "$line" >>"$log"; continue ;;
    esac
    : >"$log"  # What stands before a verdict belongs to it.
  done < <(tests/tidy 2>&1 || true)
  [ $((passed + failed)) = $((before + failed_before)) ] || stage_line "the tree" "$start" "$before" "$failed_before"
}

# test_scripts FOLDER LABEL SECONDS: each FOLDER/*.sh is a test. It runs in an empty folder of its own with
# NEXUS (the program) and NEXUS_ROOT (this tree) set; 0 is passed, 77 skipped, anything else failed.
test_scripts() {
  local folder=$1 label=$2 limit=$3 start=${EPOCHREALTIME/./} before=$passed failed_before=$failed
  local script name log status work
  for script in "$folder"/*.sh; do
    [ -e "$script" ] || continue
    name="$label: $(basename "$script" .sh)"
    wanted "$name" || continue
    log=$log_dir/$(basename "$script" .sh).log
    work=$(mktemp -d "${TMPDIR:-/tmp}/nexus-test.XXXXXX")
    status=0
    (cd "$work" && NEXUS=$root/build/release/nexus NEXUS_ROOT=$root \
      timeout -k 10 "$limit" bash "$root/$script" >"$log" 2>&1 </dev/null) || status=$?
    rm -rf "$work"
    case $status in
      0) pass ;;
      77) skip "$name" "$(tail -n 1 "$log")" ;;
      124) echo "stopped after $limit s" >>"$log"; fail "$name" "$log" ;;
      *) fail "$name" "$log" ;;
    esac
  done
  [ $((passed + failed)) = $((before + failed_before)) ] || stage_line "$label" "$start" "$before" "$failed_before"
}

# test_mcp_conformance: the official suite of each revision, against the fixture server of the tests.
test_mcp_conformance() {
  local start=${EPOCHREALTIME/./} before=$passed failed_before=$failed revision name log status
  for revision in 2025-11-25 2026-07-28; do
    name="mcp conformance: $revision"
    wanted "$name" || continue
    log=$log_dir/mcp-conformance-$revision.log
    status=0
    timeout -k 10 600 tests/mcp/conformance "$revision" >"$log" 2>&1 || status=$?
    case $status in
      0) pass ;;
      77) skip "$name" "$(tail -n 1 "$log")" ;;
      *) fail "$name" "$log" ;;
    esac
  done
  [ $((passed + failed)) = $((before + failed_before)) ] || stage_line "mcp conformance" "$start" "$before" "$failed_before"
}

# test_fuzz SECONDS: each fuzz target for SECONDS, from the seeds in tests/corpus/<target>/ and what
# earlier runs found. What it found is left in build/fuzz/findings.
test_fuzz() {
  local seconds=$1 start=${EPOCHREALTIME/./} before=$passed failed_before=$failed target
  any_fuzzer_wanted || return 0
  tools/build fuzz fuzzers
  mkdir -p build/fuzz/findings
  while read -r target; do
    [ -n "$target" ] || continue
    ! wanted "fuzz: $target" || fuzz_one "$target" "$seconds"
  done <build/fuzz/fuzzers
  stage_line "fuzz targets, $seconds s each" "$start" "$before" "$failed_before"
}

# Without a fuzz target among the wanted tests the clang build of everything is not worth its minutes.
any_fuzzer_wanted() {
  local target
  while IFS= read -r target; do
    if wanted "fuzz: $target"; then
      return 0
    fi
  done < <(find src -name '*_fuzz.cc' | sed -e 's|^src/||' -e 's|/internal/|/|' -e 's|/|_|g' -e 's|\.cc$||')
  return 1
}

fuzz_one() {
  local target=$1 seconds=$2 log=$log_dir/fuzz-$1.log corpus=build/fuzz/corpus/$1 seeds=()
  mkdir -p "$corpus"
  [ ! -d "tests/corpus/$target" ] || seeds=("tests/corpus/$target")
  if nice -n 5 "build/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$target-" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    pass
  else
    fail "fuzz: $target" "$log"
  fi
}

# test_lint: clang-tidy over every source.
test_lint() {
  local log=$log_dir/lint.log
  wanted "clang-tidy" || return 0
  if tools/lint >"$log" 2>&1; then
    pass
  else
    fail "clang-tidy" "$log"
  fi
}
