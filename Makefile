# make demo: the lab in a browser. make test: everything that checks it. Both start from a bare clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# two at a time, one thread each: twice two threads on two cores only wait for one another
TESTS := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

RESULTS := assets/benchmarks
# BENCH_OPTIONS="--device cuda" runs elsewhere
BENCH_OPTIONS :=
METHODS := all
BENCH = $(BIN)/python -m ptp_core bench --questions assets/questions/spec-bench-dev.jsonl \
  --independent-adapter smollm2-135m-u-blind $(BENCH_OPTIONS)

.PHONY: demo test test-all lint browser assets results clean help gpu-dry

help:
	@grep -E '^# make' Makefile; echo "make test-all adds the slow checks; make assets rebuilds recorded races, results and their tables; make clean removes $(VENV)"

demo: $(VENV)/.run
	@$(BIN)/python -m app

test: $(VENV)/.dev browser lint
	$(TESTS) -m "not slow"

test-all: $(VENV)/.dev browser lint
	$(TESTS)

# make gpu-dry: rehearses a day with a GPU (docs/gpu.md) on the CPU, with a tiny model. make test does, too
# it takes half a minute of one core; the timeout is for machines that have much else to do
gpu-dry: $(VENV)/.run
	@scratch=$$(mktemp -d) && $(BIN)/python -m tools.gpu.day all --tiny --device cpu --timeout 1800 --out $$scratch/out --store $$scratch/store; \
	  done=$$?; rm -rf $$scratch; exit $$done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# everything that hangs on the shipped adapter and on this machine: recorded races, results and their tables
assets: $(VENV)/.run
	$(BIN)/python -m app.race.record
	$(BIN)/python -m app.noise.recordings
	$(BIN)/python -m app.learn.record dice strip pqd squares
	$(MAKE) results

results: $(VENV)/.run
	$(BENCH) --limit 20 --repeats 3 --methods $(METHODS) --profile --json $(RESULTS)/default.json.xz
	$(BENCH) --methods counted --draft-budget 32 --json $(RESULTS)/default-budget-32.json.xz
	$(BENCH) --methods blind --draft-rule pick --draft-budget 32 --json $(RESULTS)/default-budget-32-pick.json.xz
	$(BENCH) --methods counted --draft-budget 32 --sweep temperature=0,1 \
	  --json $(RESULTS)/default-budget-32-temperatures.json.xz
	$(BENCH) --limit 7 --max-new-tokens 48 --methods slots --draft-budget 16 --json $(RESULTS)/default-sweeps.json.xz \
	  --sweep draft_budget=0,4,8,16,32 --sweep num_speculative_tokens=1,2,4 --sweep chained=0,1 --sweep temperature=0,0.7,1
	$(BENCH) --limit 20 --repeats 3 --methods timed --sweep temperature=0,0.7,1 --json $(RESULTS)/default-temperatures.json.xz
	$(BIN)/python -m ptp_core results $(RESULTS)/default.json.xz --readme docs/results.md
	$(BIN)/python -m app.learn.record contexts

# torch comes first and alone. Which build it is, is pip's choice; on Linux often one with gigabytes of CUDA. For the CPU build
# name an index that has it: PIP_EXTRA_INDEX_URL=... make demo TORCH=torch==2.13.0+cpu
$(VENV)/.torch:
	@echo "Making a virtual environment in $(VENV) and installing what the lab needs (some minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	@touch $@

$(VENV)/.run: $(VENV)/.torch requirements.txt
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

# the browser tests need Chromium; on Debian and Ubuntu it is installed if it is missing and we may
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; } || \
	  echo "No Chromium found: the browser tests will say so. Install it, or set CHROMIUM to its path."

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
