# The two commands of a newcomer are `make demo` and `make test`; the others are parts of them.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DEMO ?=
TESTS ?=

.PHONY: help install demo dev test engines inner lint clean

help:             ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## make .venv with the exact versions of constraints.txt

$(VENV)/.installed: constraints.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"hydro_assets needs Python 3.11 or 3.12, this is {v[0]}.{v[1]}. Call: make PYTHON=/path/to/python3.11 ...")'
	@echo 'Making .venv with the versions of constraints.txt (about 3 GB; a few minutes)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install     ## simulated farm -> features -> models -> predictions, and the numbers found
	$(BIN)/hydro demo $(DEMO)

dev: install      ## open the Dagster UI with the history of the demo
	$(BIN)/hydro dev

test: install     ## the whole test suite, but for Apache Spark and the browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

engines: install  ## the tests on Apache Spark and with Databricks' clients (Java 17, Delta's jars; minutes)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m jvm $(TESTS)

inner: install    ## the quick part of the tests: no asset graph, no emulated workspace
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not smoke and not bench and not databricks and not real_data and not browser and not jvm" $(TESTS)

lint: install     ## ruff, and pyright on the package
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:            ## remove the environment (not the data in .hydro)
	rm -rf $(VENV) build dist *.egg-info
