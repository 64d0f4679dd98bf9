# make demo: the lab in a browser. make test: everything that checks it. Both start from a bare clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# two at a time, one thread each: twice two threads on two cores only wait for one another
TESTS := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: demo test test-all lint browser assets clean help

help:
	@grep -E '^# make' Makefile; echo "make test-all adds the slow checks; make assets rebuilds recorded races; make clean removes $(VENV)"

demo: $(VENV)/.run
	@$(BIN)/python -m app

test: $(VENV)/.dev browser lint
	$(TESTS) -m "not slow"

test-all: $(VENV)/.dev browser lint
	$(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

assets: $(VENV)/.run
	$(BIN)/python -m app.record

# torch comes first and alone: a plain range may bring gigabytes of CUDA where a CPU build is enough
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
