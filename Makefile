# netlib: everything a newcomer types. Needs python3 (3.11 to 3.13) and make; the rest comes from PyPI into .venv.

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
BUILD := build
NOTEBOOKS := $(sort $(wildcard FINAL_notebooks/FINAL_*.ipynb))
ALL_NOTEBOOKS := $(NOTEBOOKS) $(sort $(wildcard dev/*.ipynb))
SOURCES := $(wildcard netlib tests benchmarks dev docs FINAL_notebooks)

# The first of these that NEST has a wheel for; or say which: make demo PYTHON=/usr/bin/python3.12
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c '$(FITS)' 2>/dev/null; then echo $$p; exit; fi; done; echo python3)

# What an installation depends on: a change here makes the next `make` install again.
INSTALL_INPUTS := pyproject.toml constraints.txt Makefile netlib/__init__.py
# -qq: errors only
PIP_INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow notebooks explore docs figs bench typecheck lint format install loggabor clean distclean

help: ## print this list
	@echo "make ..."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

demo: $(STAMPS)/core ## movie to tuning curves, with figures and a report: the place to start
	$(BIN)/netlib demo

test: $(STAMPS)/all ## the default tests and the examples in the docstrings
	$(BIN)/python -m pytest

test-slow: $(STAMPS)/all ## the tests marked slow, in two processes (some compile: they need a C++ compiler)
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile || { test $$? -eq 5 && echo "make test-slow: no test is marked slow"; }

notebooks: $(STAMPS)/all ## execute every FINAL notebook into build/notebooks
	@test -n "$(NOTEBOOKS)" || { echo "make notebooks: no FINAL_notebooks/FINAL_*.ipynb to execute" >&2; exit 1; }
	@mkdir -p $(BUILD)/notebooks
	$(BIN)/jupyter nbconvert --to notebook --execute --ExecutePreprocessor.timeout=600 \
		--output-dir $(BUILD)/notebooks $(NOTEBOOKS)

explore: $(STAMPS)/all ## open the explorer: a page with sliders
	$(BIN)/netlib explore

docs: $(STAMPS)/all ## build the documentation site into build/docs; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs $(BUILD)/docs
	@echo "Open $(abspath $(BUILD))/docs/index.html"

figs: notebooks ## rebuild figs/ from the executed notebooks
	$(BIN)/python dev/make_figures.py figs
	$(BIN)/python dev/extract_figures.py figs $(patsubst FINAL_notebooks/%,$(BUILD)/notebooks/%,$(NOTEBOOKS))

bench: $(STAMPS)/all ## run the benchmarks, write what they measured into docs/performance.md
	$(BIN)/python benchmarks/report.py

typecheck: $(STAMPS)/all ## mypy on the core
	$(BIN)/python -m mypy

lint: typecheck ## ruff and mypy, and no output stored in a notebook
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/nbstripout --verify $(ALL_NOTEBOOKS)

format: $(STAMPS)/all ## what lint asks for, done
	$(BIN)/ruff check --fix --exit-zero $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/nbstripout $(ALL_NOTEBOOKS)

install: $(STAMPS)/all ## only fill .venv with netlib and everything it can use

clean: ## remove what was built, keep .venv
	rm -rf $(BUILD) dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find netlib tests benchmarks dev -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)

# --- the installation, in three steps; a step that fails leaves no stamp, so the next make tries it again

$(STAMPS)/venv:
	@$(PYTHON) -c '$(FITS)' 2>/dev/null || { \
		echo "netlib needs Python 3.11, 3.12 or 3.13 (NEST has wheels for these), but $(PYTHON) is:" \
			"$$($(PYTHON) --version 2>&1 | tail -1)" >&2; \
		echo "Install one (on Debian or Ubuntu: apt install python3.12 python3.12-venv)" \
			"or name it: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		v=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
		echo "$(PYTHON) cannot make virtual environments: its venv or ensurepip module is missing." >&2; \
		echo "On Debian or Ubuntu: apt install $$v-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# Enough for `make demo`: the core. The wheels of the build tools come first, for --no-build-isolation.
$(STAMPS)/core: $(STAMPS)/venv $(INSTALL_INPUTS)
	@echo "Installing netlib, NEST and PyNN into $(VENV) (about a minute the first time)"
	@$(PIP_INSTALL) setuptools wheel
	@$(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

$(STAMPS)/all: $(STAMPS)/core
	@echo "Installing the extras into $(VENV): Brian2, NEURON, notebooks, NWB, docs, development tools"
	@$(PIP_INSTALL) --no-build-isolation -e '.[all]'
	@$(MAKE) --no-print-directory loggabor
	@touch $@

# LogGabor, SLIP and NeuroTools are source-only. Each setup.py imports its own package, so what that package
# imports (NumPy, Matplotlib, and the one before it here) must be there first: one at a time, no isolation.
# Into another environment that holds the core already: make loggabor BIN=/path/to/its/bin
loggabor:
	@for p in NeuroTools SLIP LogGabor; do \
		$(PIP_INSTALL) --no-build-isolation --use-pep517 --no-deps $$p || { \
			echo "The build of $$p failed (see above). LogGabor builds from source: it needs setuptools," \
				"wheel, numpy, scipy, matplotlib and imageio in the same environment, then NeuroTools," \
				"SLIP and LogGabor in that order, each with --no-build-isolation." >&2; exit 1; }; done
	@$(BIN)/python -c 'import LogGabor' || { \
		echo "LogGabor was installed but cannot be imported (see above)." >&2; exit 1; }
