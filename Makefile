.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
# Two workers saturate two cores; the broker and the database take the rest.
WORKERS ?= 2
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--python-version 3.11 pyproject.toml --extra setup --extra local --extra demo --extra import

.PHONY: help demo up test lint fmt chaos bench schemas lock providers

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Every target sets up what it needs first. ARGS="…" is passed on, PYTHON=… chooses an interpreter.'

demo: providers ## the whole platform on real baskets, shown and then stopped; ARGS="--baskets 2000 --json"
	@$(BIN)/loyalty demo $(ARGS)

up: providers ## Kafka, PostgreSQL and every service here until Ctrl-C
	@exec $(BIN)/loyalty up $(ARGS)

test: lint providers ## lint, then every test on a real broker and a real database; ARGS="-k fence"
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(READY) ## ruff, format, mypy --strict, who may import whom
	@$(BIN)/ruff check --quiet services schemas tests
	@$(BIN)/ruff format --check --quiet services schemas tests
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo 'lint: ruff, mypy and import rules hold'

fmt: $(READY) ## format and sort imports
	@$(BIN)/ruff check --quiet --fix-only services schemas tests
	@$(BIN)/ruff format services schemas tests

chaos: providers ## only the tests that kill, freeze and restore
	@$(BIN)/pytest tests/chaos $(ARGS)

bench: providers ## how fast purchases become points; ARGS="--json"
	@$(BIN)/loyalty bench fold $(ARGS)

schemas: $(READY) ## JSON Schemas and AsyncAPI from the models; ARGS="--release" freezes them
	@$(BIN)/python -m schemas.generate $(ARGS)

lock: $(READY) ## pin every dependency with its hashes
	@$(LOCK) --output-file requirements/run.txt
	@$(LOCK) --extra dev --output-file requirements/dev.txt

providers: $(READY)
	@$(BIN)/python -m services.ops.stack

$(READY): requirements/dev.txt pyproject.toml
	@deploy/set-up
