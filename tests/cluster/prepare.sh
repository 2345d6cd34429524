#!/usr/bin/env bash
# Everything slow that the kind cluster and its tests need, side by side: programs, Docker engine, node image, our images.
# Usage: prepare.sh [PROGRAM...]   (programs of binaries.sh to build besides those of kind)
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
"$here/binaries.sh" kind kubectl "$@" &
programs=$!
"$here/docker.sh"
"$here/images.sh" build &
images=$!
"$here/registry.sh" || "$here/node-image.sh" >/dev/null
wait "$programs"
wait "$images" || say "our images could not be built; the cluster needs none of them, and make images says it again"
