# What comes as source or from npm: QuickJS, the grammars, esbuild, the examples' libraries. Sets
# quickjs_dir, npm_dir, esbuild and mcp_suite.
# shellcheck shell=bash

get_quickjs() {
  artefact quickjs "$(hash_recipe make_quickjs private_apt -- "$root/tools/quickjs-source.txt")" \
    "getting the source of QuickJS" \
    "check that the Debian mirror of this machine's apt configuration can be reached and serves trixie" make_quickjs
  quickjs_dir=$artefact/quickjs
}

# make_quickjs FOLDER: Debian's source package with Debian's patches, every file checked.
make_quickjs() {
  local folder=$1 work=$1/.work name version file hash unpacked
  mkdir -p "$work/source"
  private_apt "$work"
  cd "$work/source"
  read -r name version < <(sed -n 's/^package //p' "$root/tools/quickjs-source.txt")
  apt-get "${private_options[@]}" -q --download-only source "$name=$version"
  while read -r file hash; do
    check_sha256 "$file" "$hash"
  done < <(sed -n 's/^file //p' "$root/tools/quickjs-source.txt")
  dpkg-source -x ./*.dsc unpacked
  unpacked=$work/source/unpacked
  mv "$unpacked" "$folder/quickjs"
  cd "$folder"
  rm -rf "$work"
}

# npm_folder FROM TO: installs what FROM/package-lock.json pins (by SHA512) into TO/node_modules.
# Scripts of packages are never run.
npm_folder() {
  local from=$1 to=$2
  cp "$from/package.json" "$from/package-lock.json" "$to/"
  cd "$to"
  npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --legacy-peer-deps
}

get_npm_packages() {
  artefact npm "$(hash_recipe npm_folder -- "$root"/tools/npm/package*.json)" "getting the grammars and esbuild from npm" \
    "check the network and the registry of this machine (npm config get registry)" npm_folder "$root/tools/npm"
  npm_dir=$artefact
  esbuild=$npm_dir/node_modules/@esbuild/linux-x64/bin/esbuild
}

# The examples use libraries from npm as their users would: through examples/node_modules.
get_example_packages() {
  local folder=$root/examples
  [ -f "$folder/package-lock.json" ] || return 0
  artefact examples "$(hash_recipe npm_folder -- "$folder"/package*.json)" "getting the examples' libraries from npm" \
    "check the network and the registry of this machine (npm config get registry)" npm_folder "$folder"
  if [ -L "$folder/node_modules" ] || [ ! -e "$folder/node_modules" ]; then
    ln -sfn "$artefact/node_modules" "$folder/node_modules"
    needed_paths+=("$folder/node_modules/.")
  fi
}

# The conformance suite of the Model Context Protocol, with the Node.js it asks for: tests only.
get_mcp_suite() {
  artefact mcp-suite "$(hash_recipe npm_folder -- "$root"/tools/mcp-conformance/package*.json)" \
    "getting the MCP conformance suite from npm" \
    "check the network and the registry of this machine (npm config get registry)" npm_folder "$root/tools/mcp-conformance"
  mcp_suite=$artefact
}
