# The two commands a newcomer needs: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_HOME ?= $(CURDIR)/demo
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup setup-test debian demo demo-line test test-ray check bench soak clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(BIN)/tenfold  ## make .venv from the lock file

$(BIN)/tenfold: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tenfold needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

setup-test: $(VENV)/.test  ## add what the tests need

$(VENV)/.test: $(BIN)/tenfold requirements-test.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@

debian:  ## Debian packages some tests use (as root; else say what is left out)
	@sh .ci/debian

demo: setup  ## real solar cells in, six judged models and a report out
	TENFOLD_HOME=$(DEMO_HOME) sh examples/elpv/demo.sh $(BIN)/tenfold

demo-line: setup-test  ## a whole line on this machine: conveyor, camera, station, shift report
	$(BIN)/python examples/line/demo.py --home $(CURDIR)/demo-line

test: setup-test debian  ## everything but the long runs and the Ray cluster
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow and not ray"

test-ray: setup-test  ## engines and a fleet on a Ray cluster of three machines
	$(BIN)/pytest -m "ray and not slow"

check: setup-test  ## what every commit must pass, within two minutes
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow and not ray and not heavy and not postgres"

bench: setup-test  ## every number in the docs, on real data
	$(BIN)/python benchmarks/run_all.py

soak: setup-test debian  ## long simulations, many kills, the Ray cluster, all benchmarks
	$(BIN)/pytest -m "slow or ray"
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) $(DEMO_HOME) demo-line .pytest_cache .ruff_cache
