# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Each builds .venv first when it is missing; later calls reuse it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2

# Compiled modules must be kept, or every command spends seconds compiling PyTorch and SciPy again.
unexport PYTHONDONTWRITEBYTECODE

# Tests run JOBS at a time: threads of their own would only wait for each other.
gallery test notebooks calibrate check: export OMP_NUM_THREADS = 1

.PHONY: help install demo gallery test notebooks calibrate check bench clean

help:
	@echo "make install   build .venv and install ecgeval with its development tools"
	@echo "make demo      the whole pipeline on real or stand-in ECGs, to reports/demo/index.html"
	@echo "make gallery   a report for each way a run can end, to reports/gallery/index.html, minutes"
	@echo "make test      the test suite"
	@echo "make notebooks the notebooks from top to bottom, with few records"
	@echo "make calibrate size and coverage of tests and intervals at more sizes, minutes"
	@echo "make check     ruff, ruff format, mypy, then the test suite"
	@echo "make bench     speed, as ratios measured in one run"

install: $(STAMP)

# uv installs about four times faster than pip, but does not read pip's settings: hand it pip's
# find-links where there is one (it may hold a CPU build of PyTorch); otherwise ask for PyTorch's
# CPU builds. Without either, a CUDA build of several gigabytes would come.
$(STAMP): pyproject.toml constraints-cpu.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.11 or newer, or pass PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11: pass PYTHON=python3.11 or newer"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv 2>&1 | grep -v 'is ignored: it is neither' || true
	@links=$$($(BIN)/python -m pip config get global.find-links 2>/dev/null || $(BIN)/python -m pip config get :env:.find-links 2>/dev/null || true); \
	if [ -n "$$links" ]; then torch="--find-links $$links"; else torch="--torch-backend cpu"; fi; \
	echo "installing into $(VENV)"; \
	$(BIN)/uv pip install -q --python $(BIN)/python $$torch -c constraints-cpu.txt -e . --group dev \
	  || $(BIN)/uv pip install -q --python $(BIN)/python -c constraints-cpu.txt -e . --group dev
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/ecgeval demo --out reports/demo --jobs $(JOBS)

gallery: $(STAMP)
	$(BIN)/python tools/gallery.py --jobs $(JOBS)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

notebooks: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) -m notebook tests/test_notebooks.py

calibrate: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m slow

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

bench: $(STAMP)
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache
