# The clusters and images that tests and the demo run on; included by the Makefile of the repository.
CLUSTER_SCRIPTS := $(dir $(lastword $(MAKEFILE_LIST)))

.PHONY: prepare
prepare: ## Build what the clusters and images need, side by side (make cluster, kwok and images do their part themselves).
	@$(CLUSTER_SCRIPTS)prepare.sh hyperkube etcd kwok kwokctl

.PHONY: cluster
cluster: ## A kind cluster (NODES=1, FAKE_GPUS=8): .state/kind.kubeconfig.
	@$(CLUSTER_SCRIPTS)kind.sh up

.PHONY: cluster-down
cluster-down: ## Delete the kind cluster.
	@$(CLUSTER_SCRIPTS)kind.sh down

.PHONY: kwok
kwok: ## A real API server with ten fake nodes: .state/kwok.kubeconfig.
	@$(CLUSTER_SCRIPTS)kwok.sh up

.PHONY: kwok-down
kwok-down: ## Delete the kwok cluster.
	@$(CLUSTER_SCRIPTS)kwok.sh down

.PHONY: images
images: ## Build our images and load them into every node of the kind cluster.
	@$(CLUSTER_SCRIPTS)images.sh
