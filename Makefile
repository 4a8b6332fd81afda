# make book    run every chapter, check every claim, build the site
# make test    style, unit tests, chapter contracts, the site in a browser
# make serve   the built site on http://127.0.0.1:8000
# make check-site  every page of the built book in a browser: links, mathematics, barriers, explorers, phone and desk
# make check   every chapter's claims at three seeds, with the share at which each holds
# make audit   what the lock pins, against known vulnerabilities
# make bench   what must be fast, as ratios against what one would use instead
# make clean   remove what was built (make distclean: the environment too)
# Each sets up .venv from requirements.lock by itself.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help book test serve check audit check-site bench lint clean distclean

help:
	@sed -n 's/^# //p' Makefile

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "The book needs Python 3.11, got $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Setting up $(VENV) from requirements.lock (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet "$$(grep '^torch==' requirements.lock)"
	@$(PIP) install --quiet --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import matplotlib.font_manager"  # builds the font cache once, before a chapter would
	@touch $@

book: $(READY)
	@$(BIN)/ibkit build

lint: $(READY)
	@echo "Checking style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

test: lint
	@echo "Running the tests"
	@$(BIN)/python -m pytest -n auto --dist worksteal

serve: $(READY)
	@test -f _build/html/index.html || { echo "There is no site yet: run make book first" >&2; exit 1; }
	@echo "The book is at http://127.0.0.1:8000 (Ctrl-C ends it)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

check: $(READY)
	@$(BIN)/ibkit verify --seeds 3

audit: $(READY)
	@$(BIN)/python .ci/audit

check-site: $(READY)
	@test -f _build/html/index.html || { echo "There is no site yet: run make book first" >&2; exit 1; }
	@echo "Checking every page of _build/html in a browser"
	@$(BIN)/python -m pytest -n auto tests/site/check_site.py

bench: $(READY)
	@for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

clean:
	rm -rf _build dist .pytest_cache .ruff_cache

distclean: clean
	rm -rf $(VENV)
