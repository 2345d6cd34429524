#!/usr/bin/env bash
# The kind cluster for the demo and the end-to-end tests: metrics-server, volumes, Pod networking over all nodes, pretended GPUs.
# Usage: kind.sh up|heal|healthy|down   (NODES=n; FAKE_GPUS=n per node; LAMPLIGHTER_CLUSTER names another one)
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
export KUBECONFIG=$state/kind.kubeconfig
[[ $KIND_CLUSTER == lamplighter ]] || KUBECONFIG=$state/kind-$KIND_CLUSTER.kubeconfig
made_from=$cache/kind/$KIND_CLUSTER.made-from   # what the running cluster was made from, its nodes, and when they started
shared=$cache/kind/$KIND_CLUSTER.shared         # the folder that all nodes mount
nodes=${NODES:-1}

kubectl() { "$bin/kubectl" --request-timeout=10s "$@"; }
kind() { "$bin/kind" "$@" --name "$KIND_CLUSTER"; }
inputs() { content_hash "$here"/{kind.sh,pod-network.sh,node-image.sh,binaries.sh,manifests,programs,node}; }

# starts: a hash of when each node's container started. One that Docker started again has lost its routes and still says that it is Ready.
starts() { docker inspect -f '{{.Name}} {{.State.StartedAt}}' $(kind get nodes) | sort | sha256sum | cut -c1-12; }

# remember HASH COUNT: the cluster, made from these inputs, of so many nodes, is as it should be.
remember() { mkdir -p "$cache/kind"; echo "$1 $2 $(starts)" > "$made_from"; }

# healthy: made from today's inputs, as many nodes as asked for (any number when NODES is not set), none started again, all Ready, the API answers.
healthy() {
  local hash count started
  read -r hash count started < "$made_from" || return 1
  [[ $hash == "$(inputs)" && ${NODES:-$count} == "$count" ]] || return 1
  "$here/docker.sh" 9>&- && [[ $started == "$(starts)" ]] || return 1
  kind get kubeconfig > "$KUBECONFIG.new" && mv "$KUBECONFIG.new" "$KUBECONFIG" || return 1
  (( $(kubectl get nodes --no-headers | grep -c ' Ready ') == count ))
} 2>/dev/null

# config: kind's configuration. Its limits on disk use would evict on a full laptop. A silent Node is NotReady after 20 s instead of 50 s, and a
# living one says so every 4 s instead of every 10 s: tests wait for that.
config() {
  cat <<K
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {podSubnet: 10.244.0.0/16}
kubeadmConfigPatches:
  - |
    kind: ClusterConfiguration
    controllerManager:
      extraArgs:
        - {name: node-monitor-grace-period, value: 20s}
        - {name: node-monitor-period, value: 2s}
  - |
    kind: KubeletConfiguration
    nodeLeaseDurationSeconds: 16
    failCgroupV1: false
    imageGCHighThresholdPercent: 100
    evictionHard: {nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
nodes:
K
  for n in $(seq "$nodes"); do
    echo "  - role: $( ((n == 1)) && echo control-plane || echo worker)"
    echo "    extraMounts: [{hostPath: $shared, containerPath: /var/lib/lamplighter-shared}]"
  done
}

create() {
  local image=$1
  rm -f "$made_from"
  kind delete cluster
  mkdir -p "$shared"; chmod 777 "$shared"
  config | kind create cluster ${image:+--image "$image"} --config - --kubeconfig "$KUBECONFIG"
  kubectl apply -f "$here/manifests/metrics-server.yaml" -f "$here/manifests/shared-volumes.yaml"
  kubectl -n local-path-storage patch configmap local-path-config --patch-file "$here/manifests/shared-volumes-config.yaml"
  kubectl -n local-path-storage rollout restart deployment local-path-provisioner
  # A test's cluster schedules on every node, the control plane too.
  kubectl taint nodes --all node-role.kubernetes.io/control-plane:NoSchedule- 2>/dev/null || true
  [[ -z $image ]] || "$here/pod-network.sh"
}

# await: nodes Ready, DNS, metrics and the volumes' provisioner at work.
await() {
  local deployment
  for deployment in kube-system/coredns local-path-storage/local-path-provisioner kube-system/metrics-server; do
    "$bin/kubectl" -n "${deployment%/*}" rollout status deployment "${deployment#*/}" --timeout=120s || { kubectl get pods -A -o wide; return 1; }
  done
  "$bin/kubectl" -n kube-system rollout status daemonset --timeout=120s   # those that enforce NetworkPolicies, too
  "$bin/kubectl" wait --for=condition=Ready nodes --all --timeout=60s
  for _ in $(seq 120); do kubectl top nodes && return; sleep 0.5; done
  return 1
}

up() {
  local image=
  exec 9> "$cache/kind-$KIND_CLUSTER.lock"; flock 9
  if ! healthy; then
    "$here/prepare.sh" 9>&-
    "$here/registry.sh" || image=$("$here/node-image.sh")
    phase "kind cluster $KIND_CLUSTER, nodes: $nodes" create "$image" 9>&-
    phase "kind cluster $KIND_CLUSTER: DNS, metrics, volumes" await 9>&-
    remember "$(inputs)" "$nodes"
  fi
  "$here/gpus.sh" "${FAKE_GPUS:-8}"
  say "kind cluster $KIND_CLUSTER is up: export KUBECONFIG=$KUBECONFIG"
}

# heal: start nodes that were stopped. One that comes back has lost its routes to the Pods of the others.
heal() {
  local node hash count local_network=
  read -r hash count _ < "$made_from" || die "there is no whole cluster to heal: run make cluster"
  for node in $(kind get nodes); do
    docker start "$node" >/dev/null
    ! docker exec "$node" test -f /etc/cni/net.d/10-pods.conflist || local_network=true
  done
  for _ in $(seq 60); do kubectl wait --for=condition=Ready nodes --all --timeout=60s >/dev/null 2>&1 && break; sleep 1; done
  [[ -z $local_network ]] || "$here/pod-network.sh"
  "$here/gpus.sh" "${FAKE_GPUS:-8}"
  remember "$hash" "$count"
}

down() {
  [[ -x $bin/kind ]] && docker info >/dev/null 2>&1 || { say "there is no kind cluster to delete"; return; }
  # What pods wrote there belongs to their users, whom only the node may overrule.
  docker exec "$KIND_CLUSTER-control-plane" find /var/lib/lamplighter-shared -mindepth 1 -delete >/dev/null 2>&1 || true
  phase "delete kind cluster $KIND_CLUSTER" kind delete cluster
  rm -rf "$made_from" "$KUBECONFIG" "$shared"
}

case ${1:-} in
  up | heal | healthy | down) "$1" ;;
  *) die "usage: kind.sh up|heal|healthy|down" ;;
esac
