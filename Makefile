# `make` says what there is. Everything that a target needs is set up by it: a virtual environment in .venv, and what
# the tests build (clusters' programs, images) in ~/.cache/pillion.

PYTHON ?=
BIN := .venv/bin
STAMP := .venv/.made-from
REQUIREMENTS := requirements.txt requirements-dev.txt pyproject.toml
ENGINE ?= standin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / {printf "  make %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(STAMP) ## Make the virtual environment in .venv

$(STAMP): $(REQUIREMENTS) tools/venv.sh
	@PYTHON="$(PYTHON)" sh tools/venv.sh
	@touch $@

.PHONY: lock
lock: $(STAMP) ## Pin the newest allowed versions of all packages (a week old at least)
	$(BIN)/python -m tools.lock

.PHONY: lint
lint: $(STAMP) ## Check style, types and the layers of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: drift
drift: $(STAMP) ## Check that generated files are what would be written
	$(BIN)/python -m tools.generated --check

.PHONY: unit integration e2e e2e-vllm engine-vllm
unit: $(STAMP) ## Run the tests of pure functions
	$(BIN)/python -m tools.lanes unit
integration: $(STAMP) ## Run the tests on a real API server (built once, 5 to 10 minutes)
	$(BIN)/python -m tools.lanes integration
e2e: $(STAMP) ## Run the tests on a kind cluster (made here where Docker has no registry)
	$(BIN)/python -m tools.lanes e2e
e2e-vllm: $(STAMP) ## Run the story with the real vLLM on CPU (downloads 1 GB, builds an image of 6 GB)
	$(BIN)/python -m tools.lanes e2e-vllm
engine-vllm: $(STAMP) ## Compare flags and KV caches with the real vLLM on CPU (downloads 1 GB, needs g++ and 6 GB)
	$(BIN)/python -m tools.lanes engine-vllm

.PHONY: test
test: lint programs drift ## Run all that CI runs: lint, drift, unit, integration, e2e
	$(BIN)/python -m tools.lanes unit integration e2e

.PHONY: programs
programs: $(STAMP) ## Build the programs of a control plane, once (5 to 10 minutes)
	@$(BIN)/python -m tools.programs

.PHONY: demo demo-down
demo: $(STAMP) ## Show the main job on a kind cluster (ENGINE=vllm: with the real engine on CPU)
	@$(BIN)/python -m tests.demo --engine $(ENGINE)
demo-down: $(STAMP) ## Delete the cluster of the demo
	@$(BIN)/python -m tests.cluster down pillion-demo --kind

.PHONY: bench
bench: $(STAMP) ## Measure how fast the operator answers; SCENARIOS="single burst-100" for some
	$(BIN)/python -m benchmarks $(SCENARIOS)

.PHONY: accuracy
accuracy: $(STAMP) ## Compare estimates with start-up logs of vLLM, beside two other estimators
	@$(BIN)/python -m accuracy

.PHONY: generated crds manifests
generated crds manifests: $(STAMP) ## Write the generated files: CRDs, the chart's copies, manifests, reference pages
	$(BIN)/python -m tools.generated

.PHONY: golden
golden: $(STAMP) ## Rewrite the golden files of the tests; review their diff as code
	PILLION_WRITE_GOLDEN=1 $(BIN)/pytest -q tests/unit

.PHONY: clean
clean: ## Remove what was built here (~/.cache/pillion stays)
	rm -rf .venv build dist operator/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
