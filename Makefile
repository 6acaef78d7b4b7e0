# The few commands to know. Everything that they install or write stays inside the checkout: .venv, .tools and .cache.
# A target that has nothing to do takes no time: each install leaves a stamp, keyed on the requirement files.

PYTHON ?= python3
# How many processes share the tests, and what else pytest is told: make test ARGS='tests/stories -x'.
WORKERS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/installed
TOOLS := .tools
NODE := requirements/node

PYTEST = $(BIN)/python -m pytest
PARALLEL = -n $(WORKERS) --dist worksteal
QUICK = not slow and not long and not world

export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_REQUIRE_VIRTUALENV := 1
export npm_config_cache := $(CURDIR)/.cache/npm
export npm_config_update_notifier := false
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
# A Node.js of the machine comes first; the one in the virtual environment is there only where the machine has none.
export PATH := $(PATH):$(CURDIR)/$(BIN)

.DELETE_ON_ERROR:
.PHONY: help check test test-long demo bench mutants docs format lint types quick lock clean

help:
	@echo 'make demo       install what is needed, then run a gate, a rehearsal upstream and a sample company with live traffic'
	@echo 'make test       install what is needed, then run every test that this machine can run'
	@echo 'make check      format, lint, types, staircase and fast tests: under a minute'
	@echo 'make test-long  the tests that are meant for a night'
	@echo 'make bench      requests a second beside bare nginx, in one sitting'
	@echo 'make mutants    put faults into the core, one by one, and show which test cries for each'
	@echo 'make docs       write docs/reference anew'
	@echo 'make format     put the code into its format'
	@echo 'make lock       write the locked requirements anew'
	@echo 'make clean      remove what these targets made'

# -- what is done ------------------------------------------------------------------------------------------------------------------

check: $(STAMPS)/check $(TOOLS)/pyright.installed
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target lint types quick

lint: $(STAMPS)/check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMPS)/test $(TOOLS)/pyright.installed
	$(TOOLS)/node_modules/.bin/pyright --pythonpath $(BIN)/python

quick: $(STAMPS)/test
	$(PYTEST) $(PARALLEL) -m '$(QUICK)' $(ARGS)

# -rs names every test that was skipped, and what was missing.
test: $(STAMPS)/test $(TOOLS)/codex.installed
	$(PYTEST) $(PARALLEL) -m 'not long' -rs $(ARGS)

test-long: $(STAMPS)/test $(TOOLS)/codex.installed
	HYPOTHESIS_PROFILE=long $(PYTEST) $(PARALLEL) -m long -rs $(ARGS)

demo: $(STAMPS)/run
	$(BIN)/headgate demo

bench: $(STAMPS)/run
	$(BIN)/python -m bench.run
	$(BIN)/python -m bench.profile --workload W1

mutants: $(STAMPS)/test
	$(BIN)/python tools/mutants.py

docs: $(STAMPS)/run
	$(BIN)/python tools/reference.py

format: $(STAMPS)/check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(TOOLS) .cache .pytest_cache .hypothesis .import_linter_cache bench/build build dist

# -- what is installed -------------------------------------------------------------------------------------------------------------

PIP_INSTALL = $(BIN)/python -m pip install --quiet --require-hashes --no-deps

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Headgate needs Python 3.11 or newer. Name one: make PYTHON=python3.12 …'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || \
	  { echo 'This Python cannot make virtual environments. On Debian: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

# The product is installed as a link to src/, so that an edit needs no new install. -B: no bytecode beside the build back end's files.
$(STAMPS)/run: requirements/run.txt requirements/build.txt pyproject.toml src/headgate/__init__.py | $(BIN)/python
	$(PIP_INSTALL) -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test: requirements/test.txt $(STAMPS)/run
	$(PIP_INSTALL) -r requirements/test.txt
	@touch $@

$(STAMPS)/check: requirements/check.txt $(STAMPS)/test
	$(PIP_INSTALL) -r requirements/check.txt
	@touch $@

$(STAMPS)/node: requirements/node.txt | $(STAMPS)/run
	command -v npm > /dev/null || $(PIP_INSTALL) -r requirements/node.txt
	@touch $@

# One lock holds both Node programs. Codex is large and optional: only `make test` fetches it, and says so when it cannot.
$(TOOLS)/pyright.installed: $(NODE)/package.json $(NODE)/package-lock.json | $(STAMPS)/node
	@mkdir -p $(TOOLS) && cp $(NODE)/package.json $(NODE)/package-lock.json $(TOOLS)
	@rm -f $(TOOLS)/codex.installed
	npm ci --prefix $(TOOLS) --omit=optional --no-fund --no-audit --loglevel=error
	@touch $@

$(TOOLS)/codex.installed: $(NODE)/package.json $(NODE)/package-lock.json | $(STAMPS)/node
	@mkdir -p $(TOOLS) && cp $(NODE)/package.json $(NODE)/package-lock.json $(TOOLS)
	npm ci --prefix $(TOOLS) --no-fund --no-audit --loglevel=error || [ -z "$$CI" ]
	@if [ -x $(TOOLS)/node_modules/.bin/codex ]; then touch $@ $(TOOLS)/pyright.installed; \
	  else echo 'The Codex CLI could not be installed: its tests are skipped.'; [ -z "$$CI" ]; fi

# -- what is locked ----------------------------------------------------------------------------------------------------------------

# No address of an index, no comment, no option gets into a lock: only names, versions and hashes.
PIP_COMPILE = $(CURDIR)/.cache/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
  --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.cache/lock/done: requirements/lock.txt
	$(PYTHON) -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/lock.txt
	@touch $@

lock: .cache/lock/done
	cd requirements && for name in run build test check node lock; do $(PIP_COMPILE) $(LOCK_OPTIONS) -o $$name.txt $$name.in || exit 1; done
	cd $(NODE) && npm install --package-lock-only --omit-lockfile-registry-resolved --no-fund --no-audit --loglevel=error
