# The two commands of the README are `make demo` and `make test`; everything they need is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready
export UV_LINK_MODE ?= copy
# Hundreds of tests start a process that imports PyTorch: without bytecode on disk each of them compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint test-diagnosis test-reliability test-reliability-all test-lightning test-matrix test-package soak bench bench-guard bench-faults bench-ranks bench-watch stack stack-stop test-stack bench-stack scale dashboards semconv docs docs-screenshots constraints audit clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(READY) ## Make .venv with the package, its extras and the tools, at the pinned versions.

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ocr_otel needs Python 3.11 or newer; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 -m venv failed: install the venv module of your Python (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet uv

$(READY): pyproject.toml constraints.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all]' \
		--group test --group lint --group docs
	@touch $@

demo: $(READY) ## Train a small OCR model, instrumented, and make the report of it.
	$(BIN)/ocr-otel demo $(ARGS)

test: lint ## Check style and types, then run the unit and integration tests.
	$(BIN)/python -m pytest tests/unit --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)
	$(BIN)/python -m pytest tests/integration $(ARGS)

test-diagnosis: $(READY) ## Judge a labelled set of trainings with planted bottlenecks; needs a quiet machine (about 10 minutes).
	$(BIN)/python -m pytest tests/diagnosis $(ARGS)

test-reliability: $(READY) ## Kill it, cut it off, fill its disk, plant secrets: what is promised in docs/reliability.md.
	$(BIN)/python -m pytest tests/reliability -m "not slow_reliability" $(ARGS)

test-reliability-all: $(READY) ## The same with plants in every function and 100 kills; takes an hour.
	RELIABILITY_KILLS=$${RELIABILITY_KILLS:-50} $(BIN)/python -m pytest tests/reliability $(ARGS)

test-lightning: $(READY) ## Run Lightning's own tests without and with ocr_otel, and compare; fetches them, takes most of an hour.
	$(BIN)/python -m tests.lightning_suite $(ARGS)

test-matrix: $(UV) ## Test with other Pythons and versions, in environments of their own (about 5 minutes for each).
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group matrix
	$(BIN)/nox $(ARGS)

test-package: $(READY) ## Build what is published, and try it in an empty environment; checks contents, start and types.
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group package
	$(BIN)/python -m pytest tests/package $(ARGS)

soak: $(READY) ## Train for 10 minutes with everything on, and measure whether the process grows; wants a quiet machine.
	$(BIN)/python -m tests.reliability.soak $(ARGS)

lint: $(READY) ## ruff and mypy.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict ocr_otel dashboards

bench: $(READY) ## Measure what the recording costs, beside others; takes some minutes and a quiet machine.
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group bench || \
		echo "traceml-ai could not be installed: its case is left out"
	$(BIN)/python -m tests.performance.bench $(ARGS)

bench-guard: $(READY) ## Fail on a gross regression of what the recording costs.
	$(BIN)/python -m pytest tests/performance $(ARGS)

bench-faults: $(READY) ## Measure what a Collector that does not work costs a step; wants a quiet machine (about 20 minutes).
	$(BIN)/python -m tests.reliability.slowdown $(ARGS)

bench-watch: $(READY) ## Measure what an open live page costs a step; wants a quiet machine.
	$(BIN)/python -m tests.performance.bench_watch $(ARGS)

bench-ranks: $(READY) ## Measure what the recording adds to a step of several ranks; wants a quiet machine.
	$(BIN)/python -m tests.performance.bench_ranks $(ARGS)

stack: $(READY) ## Start Collector, Jaeger, Prometheus and Alertmanager here, without containers; builds them once.
	$(BIN)/ocr-otel stack up $(ARGS)

stack-stop: $(READY) ## Stop them.
	$(BIN)/ocr-otel stack down $(ARGS)

test-stack: $(READY) ## Test with the real servers; needs Go, which builds them once (about 12 minutes).
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group stack
	$(BIN)/ocr-otel stack build
	$(BIN)/python -m pytest tests/stack tests/scale $(ARGS)

bench-stack: $(READY) ## Measure spans a second and CPU through agent, gateway and Jaeger.
	$(BIN)/ocr-otel stack build
	$(BIN)/python -m tests.stack.bench $(ARGS)

scale: $(READY) ## Send 1,024 simulated ranks through a fleet of real servers, and note what it took in docs/capacity.json.
	$(BIN)/ocr-otel stack build
	$(BIN)/python -m tests.scale flood $(ARGS)

dashboards: $(READY) ## Build the Grafana dashboards anew.
	$(BIN)/python -m dashboards.build

semconv: $(READY) ## Write the registry of names anew, docs/semconv/registry.yaml; ARGS=--release keeps it as a release's.
	$(BIN)/python -m docs.make_registry $(ARGS)

docs: $(READY) ## Build the documentation, strictly.
	$(BIN)/mkdocs build --strict

docs-screenshots: $(READY) ## Train the trainings of the gallery and take its pictures; needs Chromium and a quiet machine.
	$(BIN)/python -m docs.make_screenshots

constraints: ## Pin the versions anew.
	$(UV) pip compile --quiet --python-version 3.11 --all-extras --group test --group lint --group docs --group bench \
		--group stack --group matrix --group package \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade \
		pyproject.toml --output-file constraints.txt

audit: $(READY) ## Ask PyPI's database of known weaknesses about the pinned versions; needs the network.
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group audit
	@$(BIN)/python -c 'import requests; requests.get("https://pypi.org/pypi/pip/23.0/json", timeout=15).json()["vulnerabilities"][0]' \
		2>/dev/null || { echo "make audit: PyPI's database of weaknesses cannot be asked from here; NOTHING was checked." >&2; exit 2; }
	$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off --requirement constraints.txt

clean: ## Remove what was built; runs/ stays.
	rm -rf $(VENV) .nox site dist .pytest_cache .mypy_cache .ruff_cache benchmark-results
