# `make demo` and `make test` set up all they need from Python 3.11-3.13 with pip; after that nothing uses a network.

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/installed
WORKERS ?= 2
TESTS ?= tests
CODE := micro_rl tests $(wildcard benchmarks runs docs/hooks)

# Tools that would write below the home directory write below .venv/ instead: the home may be read-only.
export XDG_CACHE_HOME := $(CURDIR)/$(VENV)/cache
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/cache/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1
export MICRO_RL_TEST_PROGRAMS := $(CURDIR)/$(VENV)/cache/test-programs
# Tests write thousands of small files to the disk for good (fsync): into memory where four gigabytes of it are free.
SCRATCH = $(shell df -Pk /dev/shm 2>/dev/null | awk -v t="$${TMPDIR:-/tmp}" 'NR == 2 && $$4 > 4e6 {t = "/dev/shm"} END {print t}')
# Without kept bytecode every process of the tests compiles the package's sources, and pytest's, anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv demo test lint check docs bench mutate wheel lock clean
.DELETE_ON_ERROR:

help:           ## what can be made
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/make \1\t\2/p' Makefile

venv: $(STAMP)  ## .venv/ with the locked dependencies and this package, editable

demo: $(STAMP)  ## train a policy from the embedded log, evaluate it, write its page
	@$(VENV)/bin/micro-rl demo $(ARGS)

test: $(STAMP)  ## the tests, with shapes checked at run time and warnings as errors
	@TMPDIR=$(SCRATCH) $(PY) -m pytest -n $(WORKERS) --dist loadfile $(TESTS) $(ARGS)

lint: $(STAMP)  ## format, lint and types
	@$(PY) -m ruff format --check --quiet --output-format concise $(CODE) || { echo "run: $(PY) -m ruff format $(CODE)"; exit 1; }
	@$(PY) -m ruff check --quiet --output-format concise $(CODE)
	@$(PY) -m pyright --pythonpath $(PY)

check: lint     ## lint, then the tests
	@$(MAKE) --no-print-directory test

docs: $(STAMP)  ## the documentation as a site, in site/: open site/index.html
	@$(PY) -m mkdocs build --strict --quiet

bench: $(STAMP) ## this machine's tables: the core's speed, an update of every method, reading logs
	@$(PY) -m benchmarks $(ARGS)
ifeq ($(findstring --quick,$(ARGS)),)
	@$(PY) -m benchmarks.methods
	@$(PY) -m benchmarks.reading
	@$(PY) -m benchmarks.robust
else
	@$(PY) -m benchmarks.methods --quick
	@$(PY) -m benchmarks.reading --rows 10000
	@$(PY) -m benchmarks.robust --quick
endif

mutate: $(STAMP) ## small faults made one at a time: how many of a sample the tests notice (an hour)
	@$(PY) -m benchmarks.mutants $(ARGS)

wheel: $(STAMP) ## dist/*.whl, the whole and what acts alone, built by the locked hatchling
	@rm -rf dist
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist . ./runtime
	@ls dist/*.whl

lock:           ## requirements.lock anew from pyproject.toml (the one target that needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --group dev --extra tables --extra minari --extra onnx --extra cluster \
	  --extra serve --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml

clean:          ## remove .venv/ and what the tools left behind
	@rm -rf $(VENV) dist site .pytest_cache .ruff_cache .hypothesis

# A usable .venv is kept and brought up to date. A machine may have pip without ensurepip (Debian parts them): then
# the outer pip fills the environment, and the lock itself brings the inner one.
$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	if ! $(PY) -c "$$supported" 2>/dev/null; then \
	  for python in $(PYTHON) python3 python3.13 python3.12 python3.11 none; do \
	    if "$$python" -c "$$supported" 2>/dev/null; then break; fi; \
	  done; \
	  if [ $$python = none ]; then \
	    echo "micro-rl needs Python 3.11, 3.12 or 3.13 and found none: install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; \
	  fi; \
	  if "$$python" -c 'import ensurepip' 2>/dev/null; then pip=; else pip=--without-pip; fi; \
	  "$$python" -m venv --clear $$pip $(VENV); \
	fi; \
	if $(PY) -c 'import pip' 2>/dev/null; then install="$(PY) -m pip"; else install="$$python -m pip --python $(PY)"; fi; \
	echo "Installing the locked packages in $(VENV) ($$($(PY) -V)): one to four minutes the first time" >&2; \
	$$install install -qq --require-hashes --requirement requirements.lock; \
	$$install install -qq --no-deps --no-build-isolation --no-index --editable .; \
	touch $@
