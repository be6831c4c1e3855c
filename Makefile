# Two commands to know: `make lab` to learn, `make test` to see that everything works. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
# TORCH=0 leaves the comparison with torch out of `make test`, and its large download with it.
TORCH ?= 1
LESSON ?= all

BIN := $(VENV)/bin
EXTRA := $(if $(filter 0,$(TORCH)),test-without-torch,test)
# A stamp is newer than what it was installed from, so a second run installs nothing.
FOR_USERS := $(VENV)/.installed-for-users
FOR_TESTS := $(VENV)/.installed-$(EXTRA)

.PHONY: help lab test lint bench lessons doctor clean
.DEFAULT_GOAL := help

help:
	@echo "make lab      install what a student needs into $(VENV) and open JupyterLab at lesson 00"
	@echo "make test     install what the tests need and run them all; TORCH=0 leaves torch out"
	@echo "make lint     say what ruff's rules and its formatter would change"
	@echo "make bench    compare the speed of the kernel with torch"
	@echo "make lessons  build the notebooks from their text twins; LESSON=00 builds one"
	@echo "make doctor   say what is here, what is missing and how to mend it"
	@echo "make clean    remove $(VENV) and every cache; your workspace is left alone"

lab: $(FOR_USERS)
	@$(BIN)/gradschool lab

test: $(FOR_TESTS)
	@$(BIN)/python tests/run.py

lint: $(FOR_TESTS)
	@$(BIN)/python tests/run.py ruff

bench: $(FOR_TESTS)
	@$(BIN)/python -m benchmarks

lessons: $(FOR_TESTS)
	@$(BIN)/gradschool author build $(LESSON)

doctor: $(FOR_USERS)
	@$(BIN)/gradschool doctor

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gradschool needs Python 3.11 or newer as $(PYTHON); name another one: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian: sudo apt-get install python3-venv"; exit 1; }

# Users get the ranges of pyproject.toml.
$(FOR_USERS): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV); the first time this takes a minute or two."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# Tests get the versions of constraints.txt, so that saved outputs and CI can be reproduced.
$(FOR_TESTS): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the tests' versions into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRA)]" || \
	  { echo "The installation failed; if torch is the reason, \`make test TORCH=0\` runs all but the comparison with it."; exit 1; }
	@touch $(FOR_USERS) $@
