# The installed tree: programs in C and C++ are built against it and run, and so does the installed nexus.
# shellcheck shell=bash source=tests/e2e/lib.bash
source "$NEXUS_ROOT/tests/e2e/lib.bash"
build=$(dirname "$NEXUS")
cmake --install "$build" --prefix "$PWD/installed" >install.log 2>&1 && ok "install" || bad "install" "$(tail -n 5 install.log)"

for language in cpp c; do
  if cmake -S "$NEXUS_ROOT/examples/embed/$language" -B "$language" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$PWD/installed" >"$language.log" 2>&1 && cmake --build "$language" >>"$language.log" 2>&1; then
    ok "the $language program builds"
  else
    bad "the $language program builds" "$(tail -n 15 "$language.log")"
  fi
done
timeout 60 cpp/embed_cpp >out 2>err || true
[ "$(cat out)" = 3 ] && ok "the C++ program runs" || bad "the C++ program runs" "$(cat out err)"
timeout 60 c/embed_c >out 2>err || bad "the C program runs" "$(cat out err)"
holds "the C program calls back" 'it.status === "success" && it.returnValue.words === "hello from C" && it.returnValue.n === 42'

printf 'enum E { A = 7 }\nexport default () => E.A;\n' >enum.ts
NEXUS=$PWD/installed/bin/nexus
run "the installed nexus runs a bundled program" 0 run enum.ts
says "and finds its bundler and guest" out 7
finish
