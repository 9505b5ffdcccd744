#!/usr/bin/env bash
# Builds the page into a folder: web/build.sh OUT_DIR. ESBUILD is the bundler; preact stands beside it.
# CMake calls this (cmake/EmbedWeb.cmake) and embeds what it finds in the folder.
set -euo pipefail
out=${1:?usage: web/build.sh OUT_DIR}
web=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ESBUILD:?the esbuild program, as tools/setup writes it to build/setup.cmake}"
NODE_PATH=$(cd "$(dirname "$ESBUILD")/../../.." && pwd)
export NODE_PATH
mkdir -p "$out/assets"
"$ESBUILD" "$web/src/main.tsx" --bundle --minify --format=esm --target=es2022 --jsx=automatic \
  --jsx-import-source=preact --legal-comments=none --log-level=warning --outfile="$out/assets/app.js"
"$ESBUILD" "$web/src/style.css" --minify --log-level=warning --outfile="$out/assets/app.css"
cp "$web/src/index.html" "$out/index.html"
