# What one does with a checkout; `make help` lists it. Every path is relative, so that the checkout may lie anywhere.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := chem,instruments,parquet,postgres,plot,http,tui,notify,data,docs,dev
TORCH := torch==2.13.0
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo page test check docs docs-test chaos fuzz bench clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make the environment .venv with everything pinned (done again when the pins change)

demo: $(STAMP) ## watch a simulated flow reactor being optimised, in about a minute
	$(BIN)/labwright demo

page: $(STAMP) ## the same on the live page, in a browser: prints a link, and ends with Ctrl-C
	$(BIN)/labwright demo --page

# Tests run side by side, one more than there are cores, for many wait; threads within them would only get into each other's way.
test: export OMP_NUM_THREADS = 1
test: check ## check, then run every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## lint, types and the directions of imports
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## the documentation as a site, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Read it: $(BIN)/python -m http.server --directory site"

docs-test: export OMP_NUM_THREADS = 1
docs-test: $(STAMP) ## do what each page of the documentation tells a reader to type, most of an hour
	LABWRIGHT_DOCS=1 nice -n 10 $(BIN)/python -m pytest -q tests/docs
	nice -n 10 $(BIN)/python -m tests.docs

chaos: export OMP_NUM_THREADS = 1
chaos: $(STAMP) ## campaigns under a storm of kills, on both stores, most of an hour (LABWRIGHT_KILLS=500)
	nice -n 10 $(BIN)/python -m tests.chaos

fuzz: export OMP_NUM_THREADS = 1
fuzz: $(STAMP) ## a million changed frames, each parser under a fuzzer that follows coverage, 300 requests of each HTTP route
	$(PIP) install -c constraints.txt -e '.[fuzz]'
	nice -n 10 $(BIN)/python -m tests.fuzz
	LABWRIGHT_FUZZ=300 nice -n 10 $(BIN)/python -m pytest -q tests/controller/api/test_fuzz.py

bench: export OMP_NUM_THREADS = 1
bench: $(STAMP) ## closed loops over the measured tables (LABWRIGHT_SHARED names their folder)
	$(BIN)/python -m benchmarks tables --jobs 2

clean: ## remove what tools leave behind; .venv and results stay
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is moved into place last, so that an interrupted set-up is taken up again. Torch comes first: it is by far the
# largest, and a platform's own build of it (a local version such as +cpu) is then kept by what follows.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Labwright needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." >&2; \
	  echo "Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'pass' 2>/dev/null || { echo "Making the environment .venv"; $(PYTHON) -m venv --clear .venv; }
	@twice() { "$$@" || { echo "That failed; once more in 5 s: $$*" >&2; sleep 5; "$$@"; }; }; \
	  echo "Installing $(TORCH) (large, minutes the first time)" && twice $(PIP) install '$(TORCH)' && \
	  echo "Installing Labwright and what it needs" && twice $(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	@new=$(STAMP).$$$$; touch $$new && mv $$new $(STAMP) && echo "Ready: $(BIN)/labwright --help"
