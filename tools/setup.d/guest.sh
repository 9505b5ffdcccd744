# The guest: QuickJS and our shim as WebAssembly, then compiled ahead of time for this processor. Sets
# guest_wasm and guest_so.
# shellcheck shell=bash

build_guest() {
  guest_wasm='' guest_so=''
  if [ ! -x "$root/guest/build.sh" ]; then
    say "guest/build.sh is not there yet: no guest is built"
    return 0
  fi
  artefact guest "$(guest_hash)" \
    "building the guest (QuickJS for WebAssembly)" "read the log; the guest is built by guest/build.sh" \
    "$root/guest/build.sh" "$quickjs_dir"
  guest_wasm=$artefact/nexus_guest.wasm
  artefact aot "$(aot_hash)" "compiling the guest ahead of time (about half a minute)" \
    "read the log; about 1 GB of memory is needed" make_aot
  guest_so=$artefact/nexus_guest.so
}

guest_hash() {
  {
    cd "$root"
    find guest -type f -not -name '*.md' -not -name '*_test.*' | sort | xargs -d '\n' sha256sum
    echo "${quickjs_dir#"$cache"/}"
    clang-19 --version | head -n 1
  } | hash_text
}

aot_options() {
  if [ -f "$root/guest/aot-options" ]; then
    sed -e 's/#.*//' "$root/guest/aot-options"
  else
    echo "--optimize 3"
  fi
}

# The code is made for the processor at hand, so the processor is part of the key: a cache that moves to
# another machine with the home folder must not bring code along that this one cannot run.
aot_hash() {
  {
    sha256sum <"$guest_wasm"
    sha256sum <"$engine_lib/libwasmedge.so"
    aot_options
    grep -m1 '^model name' /proc/cpuinfo || true
    grep -m1 '^flags' /proc/cpuinfo || true
  } | hash_text
}

# make_aot FOLDER
make_aot() {
  local options
  read -r -a options <<<"$(aot_options | tr '\n' ' ')"
  "${wasmedge[@]}" compile "${options[@]}" "$guest_wasm" "$1/nexus_guest.so"
  [ -s "$1/nexus_guest.so" ] || { echo "the compiler wrote no output"; return 1; }
}
