#!/bin/sh
# Builds the guest: build.sh QUICKJS_SRC_DIR OUT_DIR writes OUT_DIR/nexus_guest.wasm.
# QUICKJS_SRC_DIR is the unpacked source of QuickJS 2025-04-26; it is copied, never changed.
# CC and LD choose the clang and wasm-ld to use.
set -eu

quickjs=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-clang-19}
ld=${LD:-wasm-ld-19}
work=$out/guest-build

rm -rf "$work"
mkdir -p "$work/quickjs"
cp "$quickjs"/*.c "$quickjs"/*.h "$work/quickjs/"
for patch in "$here"/patches/*.patch; do
  patch -s -p1 -d "$work/quickjs" <"$patch"
done

# The JavaScript parts become C arrays: text of any length, no escapes to get wrong.
for part in prelude web; do
  od -An -v -tu1 "$here/$part.js" | sed 's/  */ /g; s/^ //; s/ /,/g; s/$/,/' >"$work/$part.inc"
  echo 0 >>"$work/$part.inc"
done

flags="--target=wasm32-wasi -O3 -DNDEBUG -D_GNU_SOURCE -DCONFIG_VERSION=\"2025-04-26\"
  -fno-strict-aliasing -fwrapv -ffunction-sections -fdata-sections -mbulk-memory
  -ffile-prefix-map=$work=. -ffile-prefix-map=$here=."
for unit in libregexp libunicode cutils dtoa; do
  $cc $flags -w -c "$work/quickjs/$unit.c" -o "$work/$unit.o"
done
$cc $flags -Wall -Wextra -Wno-sign-compare -Wno-unused -Wno-missing-field-initializers \
  -Wno-unused-parameter -Wno-array-bounds -isystem "$work/quickjs" -I "$here" -I "$work" \
  -c "$here/guest.c" -o "$work/guest.o"

# 1 MiB of guest stack and some slack, below everything else: running over it traps.
sysroot=$($cc --target=wasm32-wasi --print-sysroot 2>/dev/null || echo /usr)
$cc --target=wasm32-wasi -mexec-model=reactor -nostartfiles -fuse-ld="$(command -v "$ld")" \
  "$work"/*.o -Wl,--no-entry -Wl,--gc-sections -Wl,--strip-debug \
  -Wl,--export=__stack_pointer -Wl,--export-memory=memory \
  -Wl,-z,stack-size=1310720 -Wl,--stack-first -Wl,--max-memory=1073741824 \
  -o "$work/nexus_guest.wasm"
mv "$work/nexus_guest.wasm" "$out/nexus_guest.wasm"
rm -rf "$work"
