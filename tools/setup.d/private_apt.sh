# A private apt configuration that knows only Debian 13 ("trixie"), on the mirror and with the keys of
# the machine's own configuration. Nothing of the system's apt state is read for it or changed.
# shellcheck shell=bash

# find_mirror: sets mirror and signed_by from the source that serves this system's own suite. apt itself
# is asked, so every form of configuration (.list, .sources, any transport) is understood.
find_mirror() {
  local line
  line=$(list_sources | head -n 1)
  if [ -z "$line" ]; then
    die "no apt source for Debian $suite main was found" "add one to /etc/apt/sources.list and start again"
  fi
  IFS='|' read -r mirror signed_by <<<"$line"
}

# list_sources: "<mirror>|<keyring, may be empty>" of each source of this suite's main component.
list_sources() {
  apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CREATED_BY)|$(SIGNED_BY)' |
    awk -F'|' -v suite="$suite" '
      $3 == "main" && $4 == "Packages" && ($2 == suite || $2 == "stable" || $2 == "oldstable") {
        keyring = ($5 ~ /^\//) ? $5 : ""   # older apt leaves the name of the field in place
        print $1 "|" keyring
      }'
}

# private_apt FOLDER: makes the configuration in FOLDER and fetches the signed lists. With the fields
# it leaves in private_options, every apt tool works on it.
private_apt() {
  local folder=$1 options=''
  find_mirror
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/parts"
  [ -n "$signed_by" ] || signed_by=/usr/share/keyrings/debian-archive-keyring.gpg
  [ ! -e "$signed_by" ] || options="[signed-by=$signed_by] "
  printf '%s %s%s trixie main\n' deb "$options" "$mirror" deb-src "$options" "$mirror" >"$folder/sources.list"
  private_options=(
    -o "Dir::Etc::sourcelist=$folder/sources.list" -o "Dir::Etc::sourceparts=$folder/parts"
    -o "Dir::Etc::preferencesparts=$folder/parts" -o Dir::Etc::preferences=/dev/null
    -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache"
    -o APT::Sandbox::User= -o Debug::NoLocking=1 -o APT::Default-Release=
  )
  apt-get "${private_options[@]}" -q update
}

# check_sha256 FILE HASH
check_sha256() {
  local got
  got=$(sha256sum "$1" | cut -d' ' -f1)
  if [ "$got" != "$2" ]; then
    echo "$1: SHA256 is $got, expected $2: not used"
    return 1
  fi
}
