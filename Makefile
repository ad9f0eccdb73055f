# make help lists what there is. Everything lives in .venv, .cache and .xinmai of this folder; nothing else is touched.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint kafka jars clean

# `python3.12` may be there and not run (pyenv shims), so each is asked to.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
ARGS ?=
PYTEST := $(BIN)/python -m pytest
JARS := .cache/kafka/libs

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1 · /p' $(firstword $(MAKEFILE_LIST)) | awk -F' · ' '{printf "%-12s %s\n", $$1, $$2}'

setup: .venv/ready ## .venv with the locked dependencies; .venv/bin/xinmai is the command line

.venv/ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and not on PATH; or: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv ($$($(BIN)/python --version)); the first time takes a minute or two"
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --require-hashes -r requirements.lock \
		| awk -v all="$$(grep -c '==' requirements.lock)" '/^(Collecting|Requirement already)/ { if (++n % 10 == 0) print "  " n " of " all " packages found" } \
		/^Installing collected/ { print "  installing them" } { fflush() }'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## the whole engine on this machine with a simulated city; ARGS="--seconds 40" ends by itself
	@$(BIN)/xinmai demo $(ARGS)

lint: setup ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# One pytest run, fast things first (tests/conftest.py orders them), so that the last line counts everything. Two
# processes, each with servers of its own and a file at a time (its tests share what is dear to set up): most of the time
# is spent waiting for servers to start, die and return. A third would be faster and starve the tests that measure time.
test: setup jars ## ruff, mypy, then all tests; without JDK 17 and Maven, or redis-server 7, theirs are skipped, loudly
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(PYTEST) --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: setup jars ## the benchmarks, on a real Kafka; the table is benchmarks/RESULTS.md
	@$(BIN)/xinmai bench all $(ARGS)

jars:
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory $(JARS)/ready; \
	else echo "NO REAL KAFKA: its tests and benchmarks need JDK 17 and Maven on PATH" >&2; fi

$(JARS)/ready: tests/kafka/pom.xml
	@echo "fetching Apache Kafka's jars into $(JARS)"
	@rm -rf $(JARS) && mkdir -p $(JARS)
	@mvn --batch-mode --quiet -Dstyle.color=never -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(JARS)
	@touch $@

kafka: setup $(JARS)/ready ## a real Kafka on 127.0.0.1:9092 in the foreground, kept in .xinmai/kafka (ARGS="--port 9093")
	@$(BIN)/python -m connectors.embedded_kafka $(ARGS)

clean: ## remove what make made, except what .xinmai keeps
	@rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
