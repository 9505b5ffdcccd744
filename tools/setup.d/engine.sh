# The engine, WasmEdge: from Debian 13, into a private prefix where the system is older. Sets
# engine_prefix (empty where the system's packages are used), engine_lib and llvm_stub.
# shellcheck shell=bash

engine_version=0.14.1  # The sandbox leans on internals of this version; see docs/DEPENDENCIES.md.

get_engine() {
  local hint="check that the Debian mirror of this machine's apt configuration can be reached and serves trixie"
  if [ "$suite" = trixie ]; then
    engine_prefix='' engine_lib=/usr/lib/x86_64-linux-gnu
    wasmedge=(wasmedge)
  else
    artefact engine \
      "$(hash_recipe make_engine get_engine_package private_apt -- "$root/tools/engine-packages.txt")" \
      "getting the engine (WasmEdge $engine_version)" "$hint" make_engine
    engine_prefix=$artefact engine_lib=$artefact/usr/lib/x86_64-linux-gnu
    wasmedge=("$engine_lib/ld-linux-x86-64.so.2" --library-path "$engine_lib" "$engine_prefix/usr/bin/wasmedge")
  fi
  local version
  version=$("${wasmedge[@]}" --version 2>&1 | head -n 1)
  case $version in
    *" $engine_version"*) ;;
    *) die "the engine says '$version', but $engine_version is needed" \
      "install libwasmedge-dev and wasmedge in version $engine_version" ;;
  esac
  artefact llvmstub \
    "$(hash_recipe make_llvm_stub -- "$engine_lib/libwasmedge.so" "$root/tools/llvm-stub.awk")" \
    "building the stand-in for LLVM" "see the log" make_llvm_stub
  llvm_stub=$artefact/libLLVM.so.19.1
}

# make_engine PREFIX
make_engine() {
  local prefix=$1 work=$1/.work kind package version hash
  mkdir -p "$work/debs"
  private_apt "$work"
  cd "$work/debs"
  while read -r kind package version hash; do
    get_engine_package "$kind" "$package" "$version" "$hash"
  done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/tools/engine-packages.txt")
  for package in *.deb; do
    dpkg-deb -x "$package" "$prefix"
    printf '%s %s\n' "$(dpkg-deb -f "$package" Package Version | tr '\n' ' ')" "$(sha256sum <"$package" | cut -d' ' -f1)"
  done >"$prefix/packages"
  cd "$prefix"
  rm -rf "$work" usr/share/doc usr/share/man usr/lib/x86_64-linux-gnu/gconv
}

# get_engine_package KIND PACKAGE VERSION SHA256: downloads it into the current folder.
get_engine_package() {
  local kind=$1 package=$2 version=$3 hash=$4
  if apt-get "${private_options[@]}" -q download "$package=$version"; then
    check_sha256 "$package"_*.deb "$hash"
    return
  fi
  if [ "$kind" = exact ]; then
    echo "$package $version is no longer on the mirror $mirror. The sandbox leans on internals of this very"
    echo "version: after testing another one, put its version and SHA256 into tools/engine-packages.txt."
    return 1
  fi
  echo "note: $package $version is no longer on the mirror: taking its successor, checked by apt's signed index"
  apt-get "${private_options[@]}" -q download "$package"
}

# make_llvm_stub FOLDER: libwasmedge is linked to libLLVM, which costs every process 45 MB and 20 ms at its
# start though only the compiler (the process `wasmedge compile`) ever calls it. Programs of this project
# load this library of the same name in its place. It has what the linker looks for; two allocation
# functions that run when the process ends do their work, and any other call stops the process and says so.
make_llvm_stub() {
  local folder=$1 real
  real=$(ldconfig -p | awk '$1 == "libLLVM.so.19.1" { print $NF; exit }')
  [ -n "$real" ] || { echo "libLLVM.so.19.1 is not installed"; return 1; }
  nm -D --undefined-only "$engine_lib/libwasmedge.so" | awk '$NF ~ /@LLVM_19\.1$/ { print $NF }' >"$folder/needed"
  readelf -W --dyn-syms "$real" >"$folder/symbols"
  awk -f "$root/tools/llvm-stub.awk" "$folder/needed" "$folder/symbols" >"$folder/stub.c"
  echo 'LLVM_19.1 { global: *; };' >"$folder/stub.map"
  gcc -O1 -fPIC -shared -Wall -Werror -Wl,-soname,libLLVM.so.19.1 "-Wl,--version-script=$folder/stub.map" \
    "$folder/stub.c" -o "$folder/libLLVM.so.19.1"
  rm -f "$folder/needed" "$folder/symbols" "$folder/stub.map"
}
