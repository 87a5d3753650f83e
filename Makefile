# `make demo` and `make test` install everything they need.
# Other targets: setup, lint, lock, texts (catalogues of translations), test-fast (about a minute), attack (about
# three minutes), screenshots (almost four minutes), clean.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)
STUDENTS ?= 6

.PHONY: setup demo test test-fast attack lint livekit lock texts screenshots clean system

setup: $(VENV)/.core

demo: setup
	$(BIN)/classmood demo --students $(STUDENTS) $(if $(MINUTES),--minutes $(MINUTES))

test: livekit system $(VENV)/.training lint
	$(BIN)/pytest -n 4 --dist loadfile

test-fast: $(VENV)/.dev
	$(BIN)/pytest -n 4 -m "not slow and not browser and not training" \
		$(addprefix --ignore tests/training/test_,batches.py export.py networks.py train.py) # importing Keras takes 3 s

# Attacks on servers of its own, on this machine only; prints a table. About three minutes.
attack: $(VENV)/.dev
	$(BIN)/python -m tests.attack

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

texts: $(VENV)/.dev
	$(BIN)/python -m reports.languages.collect

# Builds the LiveKit server of the tests in the background, once; its tests wait for it. It takes some minutes.
livekit:
	@if command -v go >/dev/null || [ -x /usr/local/go/bin/go ]; then \
	  $(PYTHON) -m benchmarks.simulation.livekit_build </dev/null >/dev/null 2>&1 & \
	else echo "go is missing and the tests with LiveKit are skipped: install Go"; fi

screenshots: system $(VENV)/.dev
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ClassMood needs Python 3.11 or later: install it, or name it with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || if [ -n "$(ROOT)" ]; then \
	  apt-get update -qq && apt-get install -y -qq python3-venv; \
	else echo "python3-venv is missing: run 'apt-get install python3-venv' as root"; exit 1; fi
	$(PYTHON) -m venv $(VENV)

# If there is a lock for this kind of machine, pip installs only distributions whose hashes are in it.
$(VENV)/.core: $(VENV)/bin/pip pyproject.toml constraints.txt $(wildcard locks/*.txt)
	@lock=locks/$$($(BIN)/python locks/make_lock.py --name); if [ -f "$$lock" ]; then \
	  echo "installing with the hashes of $$lock"; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r "$$lock"; \
	else echo "no $$lock: versions are pinned, hashes are not checked"; fi
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

# Run after a change of constraints.txt, on each kind of machine for which there is a lock.
lock: $(VENV)/bin/pip
	$(BIN)/python locks/make_lock.py

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.training: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,training]'
	touch $@

# Programs that the tests use, each with the name of its package where that differs. Without root, missing
# programs are printed and their tests are skipped.
system:
	@for pair in chromium janus strace nginx openssl sqlite3 psql:postgresql caddy turnserver:coturn; do \
	  program=$${pair%%:*}; package=$${pair##*:}; \
	  command -v $$program >/dev/null && continue; \
	  if [ -n "$(ROOT)" ]; then \
	    [ -n "$$updated" ] || apt-get update -qq; updated=1; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$package >/dev/null || exit 1; \
	  else echo "$$program is missing and its tests are skipped: run 'apt-get install $$package' as root"; fi; \
	done
