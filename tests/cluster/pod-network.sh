#!/usr/bin/env bash
# Pod networking over the nodes of a locally built kind cluster: a point-to-point link per Pod, each node's own subnet, a route per other node.
# Masquerading is left to one rule per node, since the plugin's own would hide Pods of one node from those of another.
# Usage: KUBECONFIG=... pod-network.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
all_pods=10.244.0.0/16

# configure NODE SUBNET: write the node's CNI configuration, and masquerade what leaves for elsewhere than a Pod.
configure() {
  docker exec -i "$1" sh -c 'cat > /etc/cni/net.d/.new && mv /etc/cni/net.d/.new /etc/cni/net.d/10-pods.conflist' <<C
{"cniVersion": "0.3.1", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "$2"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
C
  docker exec "$1" sh -c "iptables -t nat -C POSTROUTING -s $2 ! -d $all_pods -j MASQUERADE 2>/dev/null || iptables -t nat -A POSTROUTING -s $2 ! -d $all_pods -j MASQUERADE"
}

nodes() { "$bin/kubectl" get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}'; }

for _ in $(seq 100); do
  list=$(nodes)
  awk 'NF != 3 {exit 1}' <<< "$list" && break   # the controller-manager has not given every node its subnet yet
  sleep 0.1
done
while read -r node subnet _; do
  configure "$node" "$subnet"
  while read -r peer peer_subnet peer_address; do
    [[ $peer == "$node" ]] || docker exec "$node" ip route replace "$peer_subnet" via "$peer_address"
  done <<< "$list"
done <<< "$list"
