# nexus run --watch: runs again when the program or a file it imports changes.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
mkdir lib
echo 'export const word: string = "one";' >lib/word.ts
printf 'import { word } from "./lib/word.ts";\nexport default () => "said " + word;\n' >main.ts
"$NEXUS" run main.ts --watch --no-record >out 2>err </dev/null &
process=$!

# waits TEXT: until out holds it, at most 30 s.
waits() {
  for _ in $(seq 300); do
    grep -qF "$2" out && { ok "$1"; return; }
    sleep 0.1
  done
  bad "$1" "'$2' did not come: $(cat out err)"
}
# Only what is written after the watch began counts.
watching() {
  for _ in $(seq 300); do
    [ "$(grep -c 'watching' err)" -ge "$1" ] && return
    sleep 0.1
  done
}
waits "the first run" "said one"
watching 1
echo 'export const word: string = "two";' >lib/word.ts
waits "a changed import" "said two"
watching 2
printf 'import { word } from "./lib/word.ts";\nexport default () => "wrote " + word;\n' >main.new
mv main.new main.ts
waits "a replaced program" "wrote two"
watching 3
echo 'export default () => {' >main.ts
for _ in $(seq 100); do grep -q COMPILATION_ERROR err && break; sleep 0.1; done
says "a broken program is shown" err COMPILATION_ERROR
watching 4
echo 'export default () => "mended"' >main.ts
waits "and mended" mended
kill -INT "$process"
for _ in $(seq 50); do kill -0 "$process" 2>/dev/null || break; sleep 0.1; done
if kill -0 "$process" 2>/dev/null; then bad "ctrl-c ends it" "still there"; kill -9 "$process"; else ok "ctrl-c ends it"; fi
finish
