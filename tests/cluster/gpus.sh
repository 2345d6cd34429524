#!/usr/bin/env bash
# Makes every node of the kind cluster say that it has COUNT GPUs; the scheduler believes it, containers see none.
# Usage: KUBECONFIG=... gpus.sh COUNT
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
count=$1
"$bin/kubectl" get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.status.capacity.nvidia\.com/gpu}{"\n"}{end}' | while read -r node has; do
  [[ ${has:-0} == "$count" ]] || "$bin/kubectl" patch node "$node" --subresource=status --type=merge \
    -p "{\"status\": {\"capacity\": {\"nvidia.com/gpu\": \"$count\"}, \"allocatable\": {\"nvidia.com/gpu\": \"$count\"}}}" >/dev/null
done
