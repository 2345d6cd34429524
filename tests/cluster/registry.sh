#!/usr/bin/env bash
# Succeeds when Docker can pull from the public registry; the answer of one short try is remembered for an hour.
# LAMPLIGHTER_REGISTRY=yes|no overrules it.
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
answer=$cache/registry-reachable
if [[ -n ${LAMPLIGHTER_REGISTRY:-} ]]; then
  [[ $LAMPLIGHTER_REGISTRY == yes ]]; exit
fi
if [[ -z $(find "$answer" -mmin -60 2>/dev/null) ]]; then
  if timeout 20 docker pull -q hello-world >/dev/null 2>&1; then echo yes; else echo no; fi > "$answer"
fi
[[ $(cat "$answer") == yes ]]
