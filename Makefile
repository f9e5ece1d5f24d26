# Every goal sets up what it needs: a virtual environment in .venv with the locked packages. Python and make are enough.
#
#   PYTHON        the interpreter for .venv (3.9 or newer; python3)
#   PYTHON39      the interpreter of the floor lane (else the first python3.9 on PATH or under pyenv root that runs)
#   PYTEST_FLAGS  further options for pytest, such as  -x  or  tests/unit; "-n 0" runs one test at a time
#
# Paths are relative throughout: make would split an absolute one at its blanks.

PYTHON ?= python3
PYTEST_FLAGS ?=
DEMO_FLAGS ?=

# Tests at once: half of them wait for a server or a process at any time.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

SHELL := /bin/sh
.SUFFIXES:
.NOTPARALLEL:
.DEFAULT_GOAL := help
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo test test-floor check format lock clean environment environment-floor

help: ## say what the goals are
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r goal text; do printf '%-18s %s\n' "$$goal" "$$text"; done

demo: environment ## create and seed two tenants in a real PostgreSQL, and show what happened
	@.venv/bin/python -m tenancy_fixtures demo $(DEMO_FLAGS)

test: environment ## run the suite, on the embedded PostgreSQL unless TENANCY_TEST_DATABASE_URL names another
	@.venv/bin/python -m pytest $(PARALLEL) $(PYTEST_FLAGS)

test-floor: environment-floor ## the same suite on Python 3.9 with the oldest packages, PostgreSQL 15 and Redis 7
	@: "$${TENANCY_TEST_DATABASE_URL:?names the PostgreSQL 15 of the floor lane}" "$${TENANCY_TEST_REDIS_URL:?names the Redis 7 of the floor lane}"
	@.venv-floor/bin/python -m pytest $(PARALLEL) $(PYTEST_FLAGS)

check: environment ## lint, formatting, types and the layers contract
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy src
	.venv/bin/python -m pyright
	.venv/bin/lint-imports --no-logo

format: environment ## let ruff write the code's form
	.venv/bin/python -m ruff check --fix
	.venv/bin/python -m ruff format

lock: environment ## resolve the newest and the oldest allowed packages again
	@tools/lock.sh

clean: ## remove what was made here, environments and caches included
	rm -rf .venv .venv-bench .venv-floor .venv-lock dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis src/tenancy_fixtures/templates/data
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	$(if $(shell $(PYTHON) -c 'print(1)' 2>/dev/null),,$(error PYTHON=$(PYTHON) is no Python that runs here. Name one of 3.9 or newer, as in: make PYTHON=python3.11 $(MAKECMDGOALS)))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.11 ...")'
	@$(PYTHON) tools/environment.py .venv requirements/newest.txt

environment-floor:
	@python=$$(tools/floor_python.sh) && "$$python" tools/environment.py .venv-floor requirements/floor.txt
