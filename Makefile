# make demo: see it work. make test: see it tested. Both set themselves up in .venv first.
.PHONY: setup system-packages demo test covered lint types check long bench generate lock clean

setup:
	@scripts/setup

system-packages:
	@scripts/system-packages

demo: setup
	@.venv/bin/opendepot demo

# In as many processes as there are cores. Tests that own the machine share an xdist_group, and so one process. A process
# that crashes ends the run: pytest-xdist 3.8 may wait for ever for the one that replaces it.
TEST_PROCESSES ?= auto
TEST_SELECTION ?= not long and not slow
test: setup system-packages
	@rm -f .coverage .coverage.*
	@.venv/bin/pytest -q -m "$(TEST_SELECTION)" -n $(TEST_PROCESSES) --dist loadgroup --max-worker-restart 0 \
		--cov --cov-report=term-missing:skip-covered $(PYTEST_OPTIONS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: setup
	.venv/bin/mypy

# What is made from something else must be what it would be made into now.
generate: setup
	.venv/bin/python -m soap.generate
	.venv/bin/python docs/generate.py
	.venv/bin/ruff format -q soap/messages opendepot/faults.py

# Every branch of these is reached by the tests that ran last.
WHOLLY_COVERED ?= server/security/*
covered:
	@.venv/bin/coverage report --include='$(WHOLLY_COVERED)' --fail-under=100

check: lint types
	@$(MAKE) test TEST_SELECTION="not long"
	@$(MAKE) covered

# Kills, soaks, fuzzing. Resumable; counts are options: make long LONG_OPTIONS="--kills 1000 --seed 8 --fuzz 200000 --fuzz-from 60000"
# With --state DIR the kills go on where they stood; see docs/reference/durability.md.
long: setup system-packages
	.venv/bin/pytest -q -m "long or examples" --hypothesis-profile long -o timeout=1800 -s $(LONG_OPTIONS)

# All benchmarks, one after the other; resumable. Table, plots and page stand in benchmarks/results afterwards.
# make bench BENCH_OPTIONS="--only cycle,engine --without growth --rounds 3 --anew"
bench: setup system-packages
	.venv/bin/python -m benchmarks.everything $(BENCH_OPTIONS)

clean:
	rm -rf .venv .coverage* .hypothesis .mypy_cache .ruff_cache .pytest_cache
