#!/usr/bin/env bash
# Builds programs of the clusters from their Go modules (programs/go.mod) into the cache; what is there already and unchanged is left alone.
# Usage: binaries.sh PROGRAM...
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

declare -A package=(
  [hyperkube]=./hyperkube
  [etcd]=./etcd
  [coredns]=./coredns
  [kubectl]=k8s.io/kubernetes/cmd/kubectl
  [kind]=sigs.k8s.io/kind
  [kwok]=sigs.k8s.io/kwok/cmd/kwok
  [kwokctl]=sigs.k8s.io/kwok/cmd/kwokctl
  [containerd]=github.com/containerd/containerd/v2/cmd/containerd
  [containerd-shim-runc-v2]=github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
  [ctr]=github.com/containerd/containerd/v2/cmd/ctr
  [local-path-provisioner]=github.com/rancher/local-path-provisioner
)

# compile PROGRAM...: one `go build` for all, so that shared packages are compiled once and links run side by side.
compile() {
  local version=k8s.io/component-base/version minor=${K8S#v1.} packages=() name
  for name; do packages+=("${package[$name]}"); done
  cd "$here/programs"
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOGC=400 go build -trimpath -tags no_btrfs,no_devmapper,no_zfs \
    -ldflags "-s -w -X $version.gitVersion=$K8S -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}" -o "$bin/" "${packages[@]}"
}

stamp() { echo "$bin/.built-$1"; }

command -v go >/dev/null || die "Go is not installed; the clusters' programs are built from their Go modules. Install Go 1.26 or newer and run this again."
exec {lock}> "$cache/binaries.lock"
flock "$lock"   # two make targets at once build a program once
want="$(content_hash "$here/programs" "$here/binaries.sh") $K8S $(go env GOOS GOARCH | xargs)"
missing=()
for name; do
  [[ -n ${package[$name]:-} ]] || die "binaries.sh does not know a program called $name"
  [[ -x $bin/$name && $(cat "$(stamp "$name")" 2>/dev/null) == "$want" ]] || missing+=("$name")
done
(( ${#missing[@]} )) || exit 0

# This one spells a dependency with a capital that others write small, which Go refuses in one build.
apart=$(printf '%s\n' "${missing[@]}" | grep -x local-path-provisioner || true)
together=$(printf '%s\n' "${missing[@]}" | grep -vx local-path-provisioner || true)
for name in "${missing[@]}"; do rm -f "$(stamp "$name")" "$bin/$name"; done   # a running program's file is replaced, not written to
for group in "$together" "$apart"; do
  # shellcheck disable=SC2086
  [[ -z $group ]] || phase "build $(echo $group)" compile $group
done
if [[ -x $bin/hyperkube ]]; then
  for name in kube-apiserver kube-controller-manager kube-scheduler; do ln -sf hyperkube "$bin/$name"; done
fi
for name in "${missing[@]}"; do echo "$want" > "$(stamp "$name")"; done
