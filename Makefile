# Wayside. `make demo` and `make test` do all set-up by themselves.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml deploy/locks/test.txt
	@deploy/system-packages.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement deploy/locks/test.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q reconciler
	@touch $@

.PHONY: setup
setup: $(READY) ## Make the environment

.PHONY: locks
locks: ## Write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras \
	  --group test --group lint --group build --group docs pyproject.toml --output-file deploy/locks/test.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra agent \
	  --group build pyproject.toml --output-file deploy/locks/agent.txt

PYTEST := $(BIN)/python -m pytest

.PHONY: lint
lint: $(READY) ## Style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test-fast
test-fast: $(READY) ## The inner loop: everything that needs no real part, under two minutes
	$(PYTEST) -n 2 -m "not cluster and not slow"

.PHONY: tools
tools: $(READY) ## Build the real parts of the tests, once, into a cache outside the tree
	$(BIN)/python -m tests.cluster.binaries

.PHONY: test
test: lint tools ## Everything, on the real API server, registry, signer and git
	@deploy/system-packages.sh $(PYTHON) --test
	$(PYTEST) -n 2

.PHONY: demo
demo: $(READY) ## See three sites checked and synced, in a temporary folder
	@$(BIN)/wayside demo

.PHONY: bench
bench: tools ## Measure, each against its peer in the same run
	for script in tests/benchmarks/*.py; do $(BIN)/python -m tests.benchmarks.$$(basename $$script .py) || exit 1; done

.PHONY: pictures
pictures: $(READY) ## Draw the pictures of the documentation from real output
	$(BIN)/python -m tests.pictures.make

.PHONY: docs
docs: $(READY) ## Build the documentation as a site into site/
	$(BIN)/python docs/reference/generate.py
	$(BIN)/python -m mkdocs build --config-file .mkdocs.yml --strict --site-dir site

.PHONY: wheel
wheel: $(READY) ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
