#!/usr/bin/env bash
# Builds our images and loads them into every node of the kind cluster. Each has a tag that is a hash of what it is made from, and :dev.
# Usage: images.sh [build|load|serving]   (build and load when nothing is said; serving: only what tests of the torchserve image need, no :dev)
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
wheels=${LAMPLIGHTER_WHEELS:-$root/../shared/wheels}   # wheels that need not be downloaded, when there are any
images=(operator pytorch torchserve router)
declare -A dockerfile=([operator]=operator/Dockerfile [pytorch]=training_images/pytorch/Dockerfile
  [torchserve]=training_images/torchserve/Dockerfile [router]=training_images/router/Dockerfile)
declare -A made_from=(
  [operator]="operator/Dockerfile operator/lamplighter requirements.lock"
  [pytorch]="training_images/pytorch training_images/runtime training_images/wheels"
  [torchserve]="training_images/torchserve"
  [router]="training_images/router"
)
declare -A tagged   # IMAGE -> lamplighter/IMAGE:HASH

link_wheels() {
  local wheel
  for wheel in "$wheels"/*.whl; do
    [[ ! -e $wheel || -e $root/training_images/wheels/${wheel##*/} ]] || cp "$wheel" "$root/training_images/wheels/"
  done
}

# pack IMAGE: its build context as a tar whose bytes depend on nothing but the files, and its name by the hash of that tar;
# the torchserve image stands on the pytorch image, so it changes along.
pack() {
  # shellcheck disable=SC2086
  tar -C "$root" --exclude=__pycache__ --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    -cf "$work/$1.tar" ${made_from[$1]}
  tagged[$1]=lamplighter/$1:$({ echo "$base"; [[ $1 != torchserve ]] || echo "${tagged[pytorch]}"; cat "$work/$1.tar"; } | sha256sum | cut -c1-12)
}

exists() { docker image inspect "$1" >/dev/null 2>&1; }

# docker_build IMAGE [OPTION...]
docker_build() {
  local image=$1 options=() variable
  shift
  for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do [[ -z ${!variable:-} ]] || options+=(--build-arg "$variable"); done
  [[ -z $base ]] || options+=(--build-arg "BASE_IMAGE=$base")
  [[ $image != torchserve ]] || options+=(--build-arg "PYTORCH_IMAGE=${tagged[pytorch]}")
  docker build "${options[@]}" -f "${dockerfile[$image]}" "$@" - < "$work/$image.tar"
}

# build: side by side what does not wait for another; the Java runtime of torchserve is the long part that need not wait for pytorch.
build() {
  local jobs=() job image
  exists "${tagged[operator]}" || { phase "image ${tagged[operator]}" docker_build operator -t "${tagged[operator]}" & jobs+=($!); }
  exists "${tagged[pytorch]}" || { phase "image ${tagged[pytorch]}" docker_build pytorch -t "${tagged[pytorch]}" & jobs+=($!); }
  exists "${tagged[router]}" || { phase "image ${tagged[router]}" docker_build router -t "${tagged[router]}" & jobs+=($!); }
  exists "${tagged[torchserve]}" || { phase "Java runtime" docker_build torchserve --target java & jobs+=($!); }
  for job in "${jobs[@]}"; do wait "$job"; done
  exists "${tagged[torchserve]}" || phase "image ${tagged[torchserve]}" docker_build torchserve -t "${tagged[torchserve]}"
  for image in "${images[@]}"; do docker tag "${tagged[$image]}" "lamplighter/$image:dev"; done
}

# serving: the torchserve image, for tests that run it with docker alone.
serving() {
  local image
  for image in pytorch torchserve; do
    exists "${tagged[$image]}" || phase "image ${tagged[$image]}" docker_build "$image" -t "${tagged[$image]}"
  done
  echo "${tagged[torchserve]}" > "$state/serving-image"   # for tests/tools.py
}

on_node() { docker exec -i "$1" ctr -n k8s.io images "${@:2}"; }

# load: one archive of all images that some node lacks, so that layers they share travel once; then :dev is what was built last.
load() {
  local nodes node image missing jobs=()
  nodes=$("$bin/kind" get nodes --name "$KIND_CLUSTER" 2>/dev/null)
  [[ -n $nodes ]] || die "there is no kind cluster called $KIND_CLUSTER to load the images into: run make cluster first."
  missing=$(for node in $nodes; do comm -23 <(printf '%s\n' "${tagged[@]}" | sort) <(on_node "$node" list -q 2>/dev/null | sed 's#^docker.io/##' | sort); done | sort -u)
  # shellcheck disable=SC2086
  [[ -z $missing ]] || phase "pack $(echo $missing)" docker save -o "$work/images.tar" $missing
  for node in $nodes; do
    [[ -z $missing ]] || { phase "images into $node" on_node "$node" import --local --discard-unpacked-layers - < "$work/images.tar" & jobs+=($!); }
  done
  for job in "${jobs[@]}"; do wait "$job"; done
  for node in $nodes; do
    for image in "${images[@]}"; do on_node "$node" tag --force "docker.io/${tagged[$image]}" "docker.io/lamplighter/$image:dev"; done
  done > "$cache/log/image-tags.log" 2>&1
  for image in "${images[@]}"; do echo "$image=${tagged[$image]}"; done > "$state/images"   # for tests/tools.py
}

"$here/docker.sh"
exec {lock}> "$cache/images.lock"
flock "$lock"
work=$(mktemp -d "$cache/images.XXXXXX")
trap 'rm -rf "$work"' EXIT
base=   # empty: the Dockerfiles' own default, from the registry
"$here/registry.sh" || base=$("$here/base-image.sh")
link_wheels
for image in "${images[@]}"; do pack "$image"; done
case ${1:-all} in
  build | load | serving) "$1" ;;
  all) build; load ;;
  *) die "usage: images.sh [build|load|serving]" ;;
esac
