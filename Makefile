# Works with GNU make from 3.81 on (macOS has that one) and with BSD or GNU tools.
#   make demo PYTHON=/path/to/python3.12    builds .venv with that interpreter
#   make demo ARGS="--model FOLDER"         passes arguments on; the same for test (to pytest) and bench
#   make space MODEL=owner/name REVISION=v1 a Space with weights of the Hub; without MODEL the bundled ones travel along
#   make push-space SPACE=owner/name        the same, uploaded with the token of `hf auth login` or HF_TOKEN;
#                                           push-space-static uploads the page as files alone, a static Space

VENV := .venv
LOWEST := .venv-lowest
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTHON ?=
ARGS :=
MODEL :=
REVISION :=
SPACE :=
OUT := build/space
STATIC = $(if $(filter build/space,$(OUT)),build/space-static,$(OUT)) --static
NPM := build/browser
# What touches each library: files, weights, networks, detector, command lines, a training, both pages. Old releases warn.
CORE := $(addprefix tests/resemotenet/,runs datasets checkpoints models reading test_cli.py) \
	$(addprefix tests/training/test_,usage.py recipes.py cli.py evaluation.py loading.py photographs.py) \
	tests/demo/test_app.py tests/demo/test_handlers.py tests/demo/test_tools.py tests/dashboard/test_app.py
WEIGHTS = $(if $(MODEL),--model "$(MODEL)") $(if $(REVISION),--revision "$(REVISION)")

.PHONY: help demo dashboard runtime space space-static push-space push-space-static test test-lowest lint bench bench-training clean

help:
	@echo 'make demo        serve the page on this machine; the first time makes $(VENV) and installs (minutes)'
	@echo 'make dashboard   compare trained runs in the browser'
	@echo 'make runtime     fetch with npm what browsers need to read pictures themselves; demo and test do it where npm is there'
	@echo 'make space       put together what a Hugging Face Space runs, in build/space; push-space uploads it'
	@echo 'make space-static    the page as files alone, which any web server serves: browsers read; push-space-static uploads it'
	@echo 'make test        lint, types and tests'
	@echo 'make test-lowest the core of the tests with the oldest releases that pyproject.toml allows, in $(LOWEST)'
	@echo 'make lint        lint and types only'
	@echo 'make fuzz        feed damaged files to everything that reads, for a minute'
	@echo 'make bench       timings on this machine; make bench-training for those of a training step'
	@echo 'make clean       remove $(VENV) and all caches'

demo: $(VENV)/.demo runtime
	$(BIN)/python -m demo --open $(ARGS)

dashboard: $(VENV)/.dashboard
	$(BIN)/python -m dashboard $(ARGS)

space: $(VENV)/.demo
	$(BIN)/python -m demo.space $(OUT) $(WEIGHTS) $(ARGS)

space-static: $(VENV)/.demo runtime
	$(BIN)/python -m demo.space $(STATIC) $(WEIGHTS) $(ARGS)

push-space: $(VENV)/.demo
push-space-static: $(VENV)/.demo runtime
push-space push-space-static:
	@if [ -z "$(SPACE)" ]; then echo "error: which one? make $@ SPACE=owner/name" >&2; exit 1; fi
	$(BIN)/python -m demo.space $(if $(filter %-static,$@),$(STATIC),$(OUT)) $(WEIGHTS) --push "$(SPACE)" $(ARGS)

# A file's tests stay together, so that servers and trained runs of its fixtures are made once.
test: lint runtime
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# The reader for browsers runs in ONNX Runtime Web. Without npm, or where it fails, the server reads, as the page says.
runtime:
	@if [ -f $(NPM)/.made ] && cmp -s demo/browser/package-lock.json $(NPM)/package-lock.json; then exit 0; fi; \
	if ! command -v npm >/dev/null; then \
		echo "npm is not here: pictures are read by the server. Install Node.js with npm, then: make runtime"; exit 0; fi; \
	mkdir -p $(NPM) && cp demo/browser/package.json demo/browser/package-lock.json $(NPM) \
	&& npm ci --prefix $(NPM) --ignore-scripts --no-audit --no-fund && touch $(NPM)/.made \
	|| echo "npm failed: pictures are read by the server. To try again: make runtime"

# Installing takes some four minutes and 8 GB (torch brings CUDA), the tests some six minutes of one core.
test-lowest:
	$(MAKE) VENV=$(LOWEST) $(LOWEST)/.lowest
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -W default $(CORE) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/speed.py $(ARGS)

bench-training: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/bench_training.py $(ARGS)

clean:
	rm -rf $(VENV) $(LOWEST) build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so an installation that broke off starts again. Installing prints pip's own progress:
# torch alone is some hundred megabytes, on Linux with CUDA some thousand.
$(VENV)/.demo: requirements.txt $(VENV)/.made
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.dashboard: pyproject.toml $(VENV)/.made
	$(PIP) install -e '.[dashboard]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.made
	$(PIP) install -e '.[demo,dashboard,training,dev]'
	@touch $@

$(VENV)/.lowest: pyproject.toml tests/lowest.py $(VENV)/.made
	$(BIN)/python tests/lowest.py >$(VENV)/lowest.txt
	$(PIP) install --constraint $(VENV)/lowest.txt -e '.[demo,dashboard,training,dev]'
	@touch $@

CANDIDATES = $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

$(VENV)/.made:
	@without_venv=; \
	for python in $(CANDIDATES); do \
		"$$python" -c '$(SUITABLE)' 2>/dev/null || continue; \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then without_venv="$$python"; continue; fi; \
		echo "Making $(VENV) with $$("$$python" --version) ($$(command -v "$$python"))"; \
		"$$python" -m venv --clear $(VENV) && touch $@; exit; \
	done; \
	if [ -n "$$without_venv" ]; then \
		echo "error: $$without_venv cannot make virtual environments: its module ensurepip or venv is missing."; \
		echo "On Debian and Ubuntu: sudo apt install python3-venv"; \
	else \
		echo "error: no Python 3.11, 3.12 or 3.13 among: $(CANDIDATES)"; \
		echo "Install one, or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12"; \
	fi >&2; exit 1
