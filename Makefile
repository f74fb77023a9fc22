# The front door. Needs git, make and Python 3.11 or newer; everything else is brought by `make setup`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PORT ?= 5000
DATA ?= var/demo
RESET ?=
HOST ?= 127.0.0.1
PY := .venv/bin/python
ARGS ?=
# Processes that tests start find what was compiled before.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo setup test check bench deid-score lock pictures clean python
help:
	@echo "make demo [PORT=5000] [DATA=var/demo] [RESET=1]   set up, seed the demo trial, serve until Ctrl-C"
	@echo "make test                                         the whole suite, with real peers; ARGS=… goes to pytest"
	@echo "make bench [BENCH=casebook ARGS=--quick]          everything measured, or one of bench/"
	@echo "make setup | check | deid-score | pictures | lock"

python:
	@test -n "$(PYTHON)" || { echo "trialimg needs Python 3.11 or newer, and none was found. On Debian: apt-get install python3 python3-venv"; exit 64; }

setup: python
	@$(PYTHON) tools/setup.py

demo: setup
	@$(PY) -m seed_data.demo --host "$(HOST)" --port "$(PORT)" --data "$(DATA)" $(if $(RESET),--reset)

test: python
	@$(PYTHON) tools/setup.py --dev --peers
	@$(MAKE) --no-print-directory check
	$(PY) -m pytest -n 2 --durations=25 $(ARGS)

check: python
	@$(PYTHON) tools/setup.py --dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check --diff trialimg seed_data tools bench
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) tools/check_templates.py
	$(PY) tools/check_house.py
	.venv/bin/trialimg forms check forms/demo/1.0
	$(PY) -m pytest -q tests/store/test_migrations.py -m "not postgresql"

# All of them, or one: make bench BENCH=casebook ARGS=--quick
bench: python
	@$(PYTHON) tools/setup.py --dev --peers
ifdef BENCH
	$(PY) -m bench.$(BENCH) $(ARGS)
else
	$(PY) -m bench.send_to_linked $(ARGS)
	$(PY) -m bench.receiving_memory
	$(PY) -m bench.pages
	$(PY) -m bench.first_image
	$(PY) -m bench.browser_engine
	$(PY) -m bench.casebook
	$(PY) -m bench.burned_in --pictures 12
	$(PY) -m bench.deidentification
endif

deid-score: python
	@$(PYTHON) tools/setup.py --dev
	$(PY) -m tools.deid_score $(ARGS)

pictures: python
	@$(PYTHON) tools/setup.py --dev --peers
	$(PY) -m pytest tests/e2e/test_readme_pictures.py --pictures docs/pictures

# Pins every package with its hash and names no index; run it to take newer versions.
lock:
	for f in requirements requirements-dev requirements-node; do \
	  $(PY) -m uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
	    --override requirements-left-out.txt --no-emit-index-url --no-emit-find-links --no-header $$f.in -o $$f.txt || exit 1; done

clean:
	rm -rf .venv var node_modules trialimg/web/static/vendor trialimg/web/viewer_dist tests/vendor
