# Every target does its own set-up: a clean clone needs only Python 3.11+, make and git.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo test lint types accuracy faces clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lossmith needs Python 3.11 or later; say: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)  ## check a dozen hand-written losses and write demo/report.html
	@mkdir -p demo
	@$(BIN)/lossmith check examples/first_drafts.py --html demo/report.html; \
	status=$$?; if [ $$status -eq 1 ]; then echo "The demo did its job: it found the faults above."; else exit $$((status == 0 ? 3 : status)); fi

test: lint types  ## lint, types and the test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: $(READY)  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## basedpyright, strict where the mathematics is
	$(BIN)/basedpyright

accuracy: $(READY)  ## measure every formula against fifty digits and write docs/accuracy.md
	$(BIN)/python tests/formulas/accuracy.py

faces: $(READY)  ## every face on every Keras back end, compiled and exported; make test crosses a part of these
	LOSSMITH_WHOLE=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q tests/keras_faces tests/torch_faces tests/kernels

clean:  ## remove the environment and everything generated
	rm -rf .venv demo build dist .pytest_cache .ruff_cache .hypothesis
