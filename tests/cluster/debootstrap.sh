#!/usr/bin/env bash
# Writes a minimal Debian root file system with the given packages to stdout as a tar. Usage: debootstrap.sh PACKAGE,PACKAGE... [HOOK]
# HOOK is a shell line that runs at the end with the root folder as $1.
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
if ! command -v mmdebstrap >/dev/null; then
  (( EUID == 0 )) || die "mmdebstrap is not installed; it makes the Debian base of images where no registry is reachable. Install it (apt-get install mmdebstrap) and run this again."
  exec {lock}> "$cache/apt.lock"
  flock "$lock"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends mmdebstrap; } >&2
  exec {lock}>&-
fi
# No documentation, translations or package lists: nobody reads them in a container.
mmdebstrap --variant=minbase --quiet --include="$1" ${2:+--customize-hook="$2"} \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' bookworm -
