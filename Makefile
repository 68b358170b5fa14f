# Every target sets up what it needs; see scripts/setup for what that installs.
# PYTHON=/path/to/python3 chooses the interpreter of a new environment.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TEST_WORKERS := 3
ALONE := engine or kernel or alone

.PHONY: help setup check test demo bench fuzz conformance image nightly nightly-ledger clean

help:
	@echo "make demo         analyze a vulnerable web application and show the verdicts"
	@echo "make test         set up and run the tests, TEST_WORKERS=$(TEST_WORKERS) at once"
	@echo "make setup        create $(VENV) with the vexxy command and the tracer"
	@echo "make check        format, lint, types, import contracts, architecture"
	@echo "make fuzz         ask the whole interface at least 20,000 things"
	@echo "make nightly      kill and walk at full length, and say which tests took longest"
	@echo "make nightly-ledger  ask the ledger a million things, in random order"
	@echo "make conformance  run vexctl, grype, trivy and syft on what we write"
	@echo "make image        build the project's own image, for engines elsewhere"
	@echo "make bench        run every benchmark; prints ratios"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/setup $(wildcard native/Makefile native/*.c native/*.h native/*/*.c native/*/*.h)
	VENV="$(VENV)" scripts/setup
	touch $(STAMP)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

# Most tests wait, so several run at once. What has the machine's engine, kernel or
# processes for its subject comes after, one at a time; it is run even if others failed.
test: setup
	$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile -m "not ($(ALONE))"; others=$$?; \
	$(BIN)/pytest -m "$(ALONE)" && exit $$others

demo: setup
	scripts/demo

fuzz: setup
	$(BIN)/python -m tests.fuzz

nightly: setup nightly-ledger
	VEXXY_TEST_KILLS=100 $(BIN)/pytest --durations=30 tests/kill tests/service/test_kills.py

nightly-ledger: setup
	$(BIN)/python -m tests.billing.ledger.walk --steps 1000000
	VEXXY_LEDGER_STEPS=100000 $(BIN)/pytest -q -n0 tests/billing/ledger/test_machine.py

conformance: setup
	$(BIN)/python -m tests.conformance

bench: setup
	$(BIN)/python -m bench

image:
	podman build -t localhost/vexxy-enterprise . || docker build -t localhost/vexxy-enterprise .

clean:
	rm -rf $(VENV) native/build build
