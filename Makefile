# Every target makes the virtual environment it needs; `make help` prints this list.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 7071
FUZZ_SECONDS ?= 600
# pip asks no questions and says little; a failure still prints
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Through the environment as they are: a name may hold $, ~ or quotes, which a shell would take.
override DATA := $(value DATA)
override FEATURES := $(value FEATURES)
override TIME := $(value TIME)
override SENSOR := $(value SENSOR)
override LABEL := $(value LABEL)
export DATA FEATURES TIME SENSOR LABEL

.DEFAULT_GOAL := help
.PHONY: help run test soak outages fuzz influxd check bench start package smoke clean

help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: .venv/local  ## score a simulated fleet, or DATA=file.csv; RUN_SECONDS, FEATURES, TIME, SENSOR, LABEL, STORE=azurite
	@$(BIN)/python -m local.run --take-terminal --data "$$DATA" --seconds "$(RUN_SECONDS)" \
		--features "$$FEATURES" --time "$$TIME" --sensor "$$SENSOR" --label "$$LABEL" \
		--store "$(STORE)" --port "$(PORT)"

test: .venv/bench .venv/checkov/ready  ## pass every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

soak: .venv/dev  ## the long proof: 200,000 readings through kills and outages, all accounted for
	SOAK=1 $(BIN)/python -m pytest -s tests/test_conservation.py

outages: .venv/dev influxd  ## how fast one store gets its readings while the other is down; 10 minutes
	OUTAGES=1 $(BIN)/python -m pytest -s tests/test_outage_rates.py

fuzz: .venv/dev  ## any bytes at every surface for ten minutes; FUZZ_SECONDS; fails where a promise is broken
	@$(BIN)/python -m fuzz --seconds "$(FUZZ_SECONDS)"

influxd: .venv/influxdb  ## a real InfluxDB for the tests, from Debian's package; no root needed

.venv/influxdb: | .venv/bin/pip
	@.ci/influxd $@

check: .venv/dev .venv/checkov/ready  ## format, lint, types, import contracts, spelling, Bicep
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m bicep_checks --checkov .venv/checkov/bin/checkov

bench: .venv/bench  ## measure against the promises; CHECK=1 fails where a ratio is missed, CHECK=all where any is
	@$(BIN)/python -m bench --check "$(CHECK)"

start: .venv/node  ## run with the Functions host (`func`) and Azurite
	@$(BIN)/python -m local.start

package: .venv/local  ## write .local/anomaly-scorer.zip, what is deployed; lists its files
	@$(BIN)/python -m local.package

# The key by the environment: everyone on a machine can read the arguments of its processes.
smoke: export SMOKE_KEY := $(value KEY)
smoke: .venv/local  ## check a deployed app: URL= NAMESPACE= with KEY in the environment; HUB, FEATURES, WAIT
	@test -n "$(URL)" || { echo "name the app: KEY=... make smoke URL=https://<app>.azurewebsites.net NAMESPACE=<namespace>"; exit 2; }
	@$(BIN)/python -m replay smoke --url "$(URL)" --namespace "$(NAMESPACE)" --hub "$(HUB)" \
		--features "$$FEATURES" --wait "$(or $(WAIT),180)"

clean:  ## remove the virtual environment and all local data
	rm -rf .venv .local

# pip is the last that venv makes: one that was interrupted is made again
.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=..."; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# One mark a level of installation; made again when its requirements change.
.venv/local: requirements.txt requirements-local.txt | .venv/bin/pip
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

.venv/bench: requirements-bench.txt .venv/dev
	@$(PIP) -r requirements-bench.txt
	@touch $@

# Apart from the rest, because it pins many versions for itself.
.venv/checkov/ready: requirements-checkov.txt | .venv/bin/pip
	@echo "installing checkov (once)"
	@$(BIN)/python -m venv .venv/checkov
	@.venv/checkov/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-checkov.txt
	@touch $@

ifeq ($(STORE),azurite)
run: .venv/node
endif
