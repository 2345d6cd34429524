#!/usr/bin/env bash
# A real API server, etcd, controller-manager and scheduler with ten fake nodes: the ground for integration tests and benchmarks.
# Usage: kwok.sh up|down   (KWOK_NAME names a second one)
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
export KWOK_WORKDIR=$cache/kwok
export KUBECONFIG=$state/kwok.kubeconfig
[[ $KWOK_CLUSTER == lamplighter-kwok ]] || KUBECONFIG=$state/$KWOK_CLUSTER.kubeconfig
made_from=$KWOK_WORKDIR/$KWOK_CLUSTER.made-from   # the inputs of the running cluster

kwokctl() { "$bin/kwokctl" --name "$KWOK_CLUSTER" "$@"; }
kubectl() { "$bin/kubectl" "$@"; }

# inputs: a hash of everything that decides what the cluster is.
inputs() { content_hash "$here"/{kwok,kwok.sh,binaries.sh,programs}; }

# healthy: the cluster was made from today's inputs, answers, and has all its nodes Ready.
healthy() {
  [[ $(cat "$made_from" 2>/dev/null) == "$(inputs)" ]] || return 1
  kwokctl get kubeconfig > "$KUBECONFIG.new" 2>/dev/null && mv "$KUBECONFIG.new" "$KUBECONFIG"
  all_run && kubectl --request-timeout=5s get --raw /readyz >/dev/null 2>&1 && all_ready
}

# all_run: every component's process lives (a dead scheduler leaves an API server that answers).
all_run() {
  local pid
  for pid in "$KWOK_WORKDIR/clusters/$KWOK_CLUSTER"/pids/*.pid; do kill -0 "$(cat "$pid")" 2>/dev/null || return 1; done
}

# all_ready: ten nodes say that they are Ready.
all_ready() { (( $(kubectl --request-timeout=5s get nodes --no-headers 2>/dev/null | grep -c ' Ready ') >= 10 )); }

# create: a new one. Its programs collect garbage less often than Go programs do: they may have the memory, tests want the CPU.
create() {
  export GOGC=300
  rm -f "$made_from"
  kwokctl delete cluster || true   # what a half-finished run left
  kwokctl create cluster --kubeconfig "$KUBECONFIG" --wait 60s --timeout 120s \
    --config "$here/kwok/cluster.yaml" --config "$here/kwok/nodes.yaml" --config "$here/kwok/pods.yaml" --config "$here/kwok/volumes.yaml" \
    --etcd-binary "$bin/etcd" --kube-apiserver-binary "$bin/kube-apiserver" --kube-controller-manager-binary "$bin/kube-controller-manager" \
    --kube-scheduler-binary "$bin/kube-scheduler" --kwok-controller-binary "$bin/kwok"
  kubectl apply -f "$here/kwok/storage-classes.yaml"
  for n in $(seq 0 9); do sed "s/NAME/node-$n/" "$here/kwok/node.yaml"; done | kubectl create -f -
  for _ in $(seq 300); do all_ready && break; sleep 0.1; done
  all_ready
  inputs > "$made_from"
}

case ${1:-} in
  up)
    "$here/binaries.sh" hyperkube kubectl etcd kwok kwokctl
    exec 9> "$cache/kwok-$KWOK_CLUSTER.lock"; flock 9
    healthy || phase "kwok cluster $KWOK_CLUSTER" create 9>&-
    say "kwok cluster $KWOK_CLUSTER is up: export KUBECONFIG=$KUBECONFIG" ;;
  down)
    [[ ! -x $bin/kwokctl ]] || phase "delete kwok cluster $KWOK_CLUSTER" kwokctl delete cluster
    rm -f "$made_from" "$KUBECONFIG" ;;
  *) die "usage: kwok.sh up|down" ;;
esac
