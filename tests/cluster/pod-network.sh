#!/usr/bin/env bash
# Pod networking over the nodes of a locally built kind cluster: a point-to-point link per Pod, each node's own subnet, a route per other node.
# Masquerading is left to one rule per node, since the plugin's own would hide Pods of one node from those of another.
# Usage: KUBECONFIG=... pod-network.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
all_pods=10.244.0.0/16

# add NODE TABLE CHAIN RULE...: an iptables rule, unless it is there.
add() { docker exec "$1" iptables -t "$2" -C "${@:3}" 2>/dev/null || docker exec "$1" iptables -t "$2" -A "${@:3}"; }

# configure NODE SUBNET: write the node's CNI configuration, and masquerade what leaves for elsewhere than a Pod.
configure() {
  docker exec -i "$1" sh -c 'cat > /etc/cni/net.d/.new && mv /etc/cni/net.d/.new /etc/cni/net.d/10-pods.conflist' <<C
{"cniVersion": "0.3.1", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "$2"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
C
  add "$1" nat POSTROUTING -s "$2" ! -d $all_pods -j MASQUERADE
  # Not about names: both questions of a resolver (A, AAAA) come from one port, and while the first is held here, the second may get another DNS server;
  # the kernel then keeps one of the two connections for a second only. An answer that takes longer would be lost, and the resolver asks again after five.
  add "$1" mangle FORWARD -p udp --dport 53 -j RETURN
  add "$1" mangle FORWARD -m conntrack --ctstate NEW -j NFQUEUE --queue-num 100 --queue-bypass   # ask kube-network-policies
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
