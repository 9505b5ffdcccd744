#!/bin/sh
# Builds the same patched QuickJS natively, for the kernel benchmark: the platform's gcc -O2 and
# malloc. build-native.sh QUICKJS_SRC_DIR OUT_DIR writes OUT_DIR/native_kernels.
set -eu

quickjs=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-gcc}
work=$out/native-build

rm -rf "$work"
mkdir -p "$work"
cp "$quickjs"/*.c "$quickjs"/*.h "$work/"
for patch in "$here"/patches/*.patch; do
  patch -s -p1 -d "$work" <"$patch"
done
for unit in quickjs libregexp libunicode cutils dtoa; do
  $cc -O2 -w -DNDEBUG -D_GNU_SOURCE -DCONFIG_VERSION='"2025-04-26"' -fwrapv -fno-strict-aliasing \
    -c "$work/$unit.c" -o "$work/$unit.o"
done
$cc -O2 -Wall -Wextra -I "$work" -c "$here/native_kernels.c" -o "$work/native_kernels.o"
$cc "$work"/*.o -lm -lpthread -o "$out/native_kernels"
rm -rf "$work"
