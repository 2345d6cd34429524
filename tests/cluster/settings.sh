# Paths, names and versions that the cluster scripts share; sourced, never run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LAMPLIGHTER_CACHE:-$HOME/.cache/lamplighter}   # outside the checkout, so that a fresh clone builds nothing twice
bin=$cache/bin
state=$root/.state
mkdir -p "$bin" "$state"

K8S=v1.36.3
ETCD=3.6.8-0 COREDNS=v1.14.2 PAUSE=3.10   # the tags that this release of kubeadm and kind ask for
METRICS_SERVER=v0.9.0
KIND=v0.33.0
KIND_CLUSTER=${LAMPLIGHTER_CLUSTER:-lamplighter}
KWOK_CLUSTER=${KWOK_NAME:-lamplighter-kwok}

# say MESSAGE...: one line for the person who waits.
say() { printf '%s\n' "$*" >&2; }

# die MESSAGE...: say what went wrong and stop.
die() { say "error: $*"; exit 1; }

# phase NAME COMMAND...: run COMMAND; say that it begins, and then how many seconds it took. Its output is shown only when it fails.
phase() {
  local name=$1 log start=$EPOCHREALTIME status
  shift
  say "     ...  $name"
  mkdir -p "$cache/log"
  log=$cache/log/$(cut -c1-60 <<< "${name//[^a-zA-Z0-9]/-}").log
  set +e   # a condition would switch errexit off inside the command
  ( set -e; "$@" ) > "$log" 2>&1
  status=$?
  set -e
  if (( status )); then
    tail -n 40 "$log" >&2
    die "$name failed; the whole output is in $log"
  fi
  awk -v a="$start" -v b="$EPOCHREALTIME" -v name="$name" 'BEGIN {printf "%6.1f s  %s\n", b - a, name}' >&2
}

# content_hash PATH...: 12 hex digits over the names and bytes of the files below each path, independent of where the checkout lies.
content_hash() {
  local path
  for path; do (cd "$(dirname "$path")" && find "$(basename "$path")" -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum); done | sha256sum | cut -c1-12
}
