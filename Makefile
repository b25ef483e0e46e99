# Every target makes the virtual environment it needs; `make help` prints this list.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 7071
# pip asks no questions and says little; a failure still prints
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test check start clean

help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: .venv/local  ## score a simulated fleet, or DATA=file.csv; RUN_SECONDS, FEATURES, TIME, SENSOR, LABEL, STORE=azurite
	@$(BIN)/python -m local.run --data "$(DATA)" --seconds "$(RUN_SECONDS)" --features "$(FEATURES)" \
		--time "$(TIME)" --sensor "$(SENSOR)" --label "$(LABEL)" --store "$(STORE)" --port "$(PORT)"

test: .venv/dev  ## pass every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/dev  ## format, lint, types, import contracts, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

start: .venv/node  ## run with the Functions host (`func`) and Azurite
	@$(BIN)/python -m local.start

clean:  ## remove the virtual environment and all local data
	rm -rf .venv .local

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=..."; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

# One mark a level of installation; made again when its requirements change.
.venv/local: requirements.txt requirements-local.txt | .venv/bin/python
	@echo "installing what a laptop needs (once, about a minute)"
	@$(PIP) -r requirements-local.txt
	@touch $@

.venv/node: requirements-node.txt .venv/local
	@$(PIP) -r requirements-node.txt
	@touch $@

.venv/dev: requirements-dev.txt requirements-runtime.txt .venv/node
	@echo "installing what tests and checks need (once)"
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps --ignore-requires-python -r requirements-runtime.txt
	@touch $@

ifeq ($(STORE),azurite)
run: .venv/node
endif
