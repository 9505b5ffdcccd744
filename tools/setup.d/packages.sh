# Debian's packages, through the machine's own apt configuration.
# shellcheck shell=bash

check_system() {
  local id='' version='' codename=''
  if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && printf '%s' "${ID:-}")
    version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  fi
  case $id/$version in
    debian/12 | debian/13) ;;
    *) die "this system is '$id $version'; Nexus is built on Debian 12 and Debian 13" \
      "use such a machine, or a container of it" ;;
  esac
  suite=$codename
  system_name="Debian $version"
  local arch
  arch=$(dpkg --print-architecture)
  [ "$arch" = amd64 ] || die "the processor architecture is $arch; the engine is only prepared for amd64" \
    "use an amd64 machine"
}

# wanted_packages: the packages of tools/packages.txt that this system needs. A line is "package" or
# "suite: package"; `nodejs` and `npm` are left out where an npm is installed from elsewhere.
wanted_packages() {
  sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/tools/packages.txt" |
    while read -r first second; do
      case $first in
        "$suite:") echo "$second" ;;
        *:) ;;
        nodejs | npm) command -v npm >/dev/null || echo "$first" ;;
        *) echo "$first" ;;
      esac
    done
}

missing_packages() {
  local wanted
  wanted=$(wanted_packages)
  # shellcheck disable=SC2086  # one word a package
  comm -23 <(printf '%s\n' $wanted | sort -u) \
    <({ dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null || true; } |
      awk '$1 == "ii" { print $2 }' | sort -u)
}

as_root=()

become_root() {
  [ "$(id -u)" != 0 ] || return 0
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    as_root=(sudo -n)
    return 0
  fi
  die "packages are missing, and installing them needs root" \
    "run as root: apt-get install --no-install-recommends $*"
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"
}

apt_install() {
  local package known=1
  for package in "$@"; do
    apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || known=0
  done
  [ "$known" = 1 ] || apt_get update
  # A mirror drops old versions: when one is gone, the lists are stale, and a fresh look helps.
  apt_get install --no-install-recommends "$@" || { apt_get update && apt_get install --no-install-recommends "$@"; }
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  if [ "${#missing[@]}" = 0 ]; then
    return 0
  fi
  become_root "${missing[@]}"
  say "packages to install: ${missing[*]}"
  step "installing ${#missing[@]} packages" packages \
    "check the network and the apt sources (apt-get update), then start again" apt_install "${missing[@]}"
}
