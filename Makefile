# Every target does its own set-up: a virtual environment in .venv and one pip install.
# pip gets constraints.txt, which pins the tested versions (torch's CPU build among them).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt
PYTEST := $(BIN)/python -m pytest
# One BLAS thread per process: worker processes and compiled kernels bring their own parallelism.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
JOBS ?= auto

.PHONY: quickstart test lint experiments bench clean help

help:
	@echo "make quickstart   install and run VAD-CFR on Leduc poker; prints a certified result"
	@echo "make test         install everything and run the tests"
	@echo "make lint         ruff and mypy --strict"
	@echo "make experiments  the slow tests and the paper-claim sweeps (hours)"
	@echo "make bench        speed ratios against named peers"
	@echo "make clean        remove the environment, caches and runs"

$(VENV)/python-made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/python-made
	$(PIP) -e .
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/python-made
	$(PIP) -e ".[all,dev]"
	@touch $@ $(VENV)/base

quickstart: $(VENV)/base
	$(BIN)/equilibria run quickstart --out runs/quickstart

test: $(VENV)/dev
	$(PYTEST) -m "not slow" -n $(JOBS) -q

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

experiments: $(VENV)/dev
	$(PYTEST) -m slow -q

bench: $(VENV)/dev
	$(BIN)/equilibria bench

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
