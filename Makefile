# The commands of this repository. A newcomer needs `make demo` and `make test`; both set up everything themselves.

PYTHON ?= python3
BIN := .venv/bin
export WATCHKEEP_TEST_DATA ?= $(abspath ../shared/data)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test quick chaos soak coverage check format schema clean

demo: .venv ## the whole system on this machine, with simulated equipment that fails
	$(BIN)/watchkeep demo $(ARGS)

test: .venv ## everything, against the built wheel; installs what it can, lists what it skips
	$(BIN)/python tests/prepare.py
	$(MAKE) check
	rm -rf dist && $(BIN)/python -m hatchling build -t wheel >/dev/null
	tests/run_wheel

quick: .venv ## the inner loop: under a minute
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow"

chaos: .venv ## everything fails for an hour or so: FAULTS=100 SEED=1
	WATCHKEEP_CHAOS_FAULTS=$(or $(FAULTS),100) WATCHKEEP_CHAOS_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q tests/system/chaos

soak: .venv ## the demo for HOURS=2: no process may grow by 5 MB an hour or keep files open
	$(BIN)/python -m tests.system.soak --hours $(or $(HOURS),2)

coverage: .venv ## lines that no test runs, of one part or of all: PART=ingest; CONTRIBUTING.md has what is known
	$(BIN)/coverage erase
	$(if $(filter analytics,$(PART)),NUMBA_DISABLE_JIT=1) $(BIN)/coverage run -m pytest -q -p no:cacheprovider tests/$(subst -,_,$(PART))
	$(BIN)/coverage combine -q
	$(BIN)/coverage report $(and $(PART),--include='*/watchkeep_$(subst -,_,$(PART))/*')

check: .venv ## format, ruff, mypy --strict, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

format: .venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: .venv ## write schema.sql anew from the migrations
	$(BIN)/python -m tests.make_schema

.venv: pyproject.toml constraints.txt ## the environment alone
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Watchkeep needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch .venv

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache
