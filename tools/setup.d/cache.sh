# The cache of what set-up makes: one folder for each thing, named <name>-<hash of what it is made from>.
# A folder appears under its name only when it is complete, and only one set-up makes it at a time.
# shellcheck shell=bash

needed_paths=()

open_cache() {
  local home=${HOME:-}
  if [ -z "${NEXUS_CACHE:-}${XDG_CACHE_HOME:-}$home" ]; then
    die "no place for the cache: neither NEXUS_CACHE, XDG_CACHE_HOME nor HOME is set" \
      "set NEXUS_CACHE to a folder that may grow to 500 MB"
  fi
  cache=${NEXUS_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/nexus}
  mkdir -p "$cache" || die "the cache folder $cache cannot be made" "set NEXUS_CACHE to a folder you may write to"
  cache=$(cd "$cache" && pwd)
}

# hash_text: the short hash of what comes in.
hash_text() { sha256sum | cut -c1-16; }

# hash_files FILE...: the short hash of the files' names, without their folders, and contents.
hash_files() { sha256sum "$@" | sed 's|  .*/|  |' | hash_text; }

# hash_recipe FUNCTION... -- FILE...: the short hash of how something is made and of what it is made from.
# Comments do not count: bash prints the functions without them.
hash_recipe() {
  local functions=()
  while [ "$1" != -- ]; do
    functions+=("$1")
    shift
  done
  shift
  { declare -f "${functions[@]}"; hash_files "$@"; } | hash_text
}

# artefact NAME HASH LABEL HINT COMMAND...: makes <cache>/NAME-HASH by COMMAND, which is called with the
# folder to fill as its last argument, unless it is there. Its path is left in $artefact.
artefact() {
  local name=$1 hash=$2 label=$3 hint=$4 lock
  shift 4
  artefact=$cache/$name-$hash
  needed_paths+=("$artefact")
  if [ -d "$artefact" ]; then
    touch "$artefact" 2>/dev/null || true
    return 0
  fi
  exec {lock}>"$cache/.$name-$hash.lock"
  if ! flock -n "$lock"; then
    say "$label: another set-up is at it, waiting for it to finish"
    flock "$lock"
  fi
  if [ ! -d "$artefact" ]; then
    local made=$cache/.$name-$hash.$$
    half_made=$made
    trap 'rm -rf "$half_made"' EXIT
    rm -rf "$made"
    mkdir -p "$made"
    step "$label" "$name" "$hint" "$@" "$made"
    mv -T "$made" "$artefact"
    trap - EXIT
  fi
  rm -f "$cache/.$name-$hash.lock"
  exec {lock}>&-
}

# What no set-up has used for thirty days goes, and so does what an interrupted one left half made.
prune_cache() {
  local old
  find "$cache" -mindepth 1 -maxdepth 1 \( -name '[a-z]*-*' -mtime +30 -o -name '.*-*' -mtime +1 \) -print0 |
    while IFS= read -r -d '' old; do
      case " ${needed_paths[*]} " in *" $old "*) ;; *) rm -rf "$old" ;; esac
    done
}
