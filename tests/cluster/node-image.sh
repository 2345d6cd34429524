#!/usr/bin/env bash
# Builds the node image of the kind cluster without any registry: Debian's packages, kind's own files, our programs. Prints the image's name.
# The tag is a hash of all inputs, so an unchanged image is never built again.
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

packages=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,iproute2,iputils-ping,ethtool,mount,kmod,libseccomp2,ca-certificates,curl,jq,procps,runc,containernetworking-plugins,busybox-static
rootfs=lamplighter/node-rootfs:$(echo "bookworm $packages" | sha256sum | cut -c1-12)
versions="$K8S $ETCD $COREDNS $PAUSE $METRICS_SERVER"
image=lamplighter/node:$({ echo "$versions"; content_hash "$here"/{programs,node,node-image.sh,binaries.sh}; } | sha256sum | cut -c1-12)
container=lamplighter-node-build

make_rootfs() { "$here/debootstrap.sh" "$packages" | docker import - "$rootfs"; }

make_node() {
  local kind_files
  kind_files=$(cd "$here/programs" && go list -m -f '{{.Dir}}' sigs.k8s.io/kind)/images/base/files
  docker rm -f "$container" 2>/dev/null || true
  docker run -d --privileged --name "$container" --stop-signal SIGRTMIN+3 --entrypoint sleep --tmpfs /tmp:exec \
    -v "$bin:/mnt/bin:ro" -v "$here/node:/mnt/node:ro" -v "$kind_files:/mnt/kind:ro" "$rootfs" infinity
  docker exec -e K8S=$K8S -e ETCD=$ETCD -e COREDNS=$COREDNS -e PAUSE=$PAUSE -e METRICS_SERVER=$METRICS_SERVER "$container" /mnt/node/install
  docker commit --change 'ENV container=docker' \
    --change 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' "$container" "$image"
  docker rm -f "$container"
}

exec {lock}> "$cache/node-image.lock"
flock "$lock"
if ! docker image inspect "$image" >/dev/null 2>&1; then
  "$here/binaries.sh" hyperkube kubectl etcd coredns containerd containerd-shim-runc-v2 ctr local-path-provisioner kind &
  building=$!
  docker image inspect "$rootfs" >/dev/null 2>&1 || phase "node root file system" make_rootfs
  wait "$building"
  phase "node image $image" make_node
fi
echo "$image"
