# csvr: every command a user or developer types.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
CORES  ?= 8
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help env reproduce test lint lock

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(STAMP)  ## create .venv from the pinned requirements (once)

# The stamp holds the checksum of what was installed, so a changed pin installs again and nothing else does.
$(STAMP): requirements.txt requirements-openpifpaf.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.txt
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pip install --disable-pip-version-check --progress-bar off \
		--no-deps --no-build-isolation --no-cache-dir --require-hashes -r requirements-openpifpaf.txt
	touch $@

lock:  ## pin requirements.in into requirements.txt (needs uv)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header requirements.in -o requirements.txt
