#!/usr/bin/env bash
# Builds the Kubernetes components from their Go modules into the cache; a module whose go.mod, go.sum and flags are unchanged is left alone.
# Usage: binaries.sh MODULE...   (a folder of modules/: kube, tools, etcd, coredns)
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# packages MODULE: the programs that the module's go.mod names as its tools.
packages() { (cd "$here/modules/$1" && go list tool); }

# ldflags MODULE: Kubernetes reports its version from the linker's flags; everything else is only stripped.
ldflags() {
  local v=k8s.io/component-base/version minor=${K8S#v1.}
  echo -n "-s -w"
  [[ $1 != kube ]] || echo -n " -X $v.gitVersion=$K8S -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*}"
}

# compile MODULE: the folder of the output differs per module only in etcd, whose package is called v3.
compile() {
  local out=$bin/
  [[ $1 != etcd ]] || out=$bin/etcd
  cd "$here/modules/$1"
  # shellcheck disable=SC2046
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$out" -ldflags "$(ldflags "$1")" $(packages "$1")
}

command -v go >/dev/null || die "Go is not installed; the cluster's programs are built from their Go modules. Install Go 1.26 or newer and run this again."
for module; do
  exec {lock}> "$cache/build-$module.lock"
  flock "$lock"   # two make targets at once build a module once
  stamp=$bin/.built-$module want="$(content_hash "$here/modules/$module") $K8S $(go env GOARCH)"
  if [[ $(cat "$stamp" 2>/dev/null) != "$want" ]]; then
    rm -f "$stamp"
    phase "build $module from its Go modules" compile "$module"
    echo "$want" > "$stamp"
  fi
  exec {lock}>&-
done
