# csvr: every command a user or developer types.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
CORES  ?= 8
STAMP  := $(VENV)/.installed
TABLE  := reports/table_ablation.md
RUN    := PATH="$(abspath $(BIN)):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help env reproduce test test-modules test-workflow test-dvc test-cells test-interruptions test-slurm test-faults fuzz lint params docs drawings bench bench-peers lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(STAMP)  ## create .venv from the pinned requirements (once)
	@:  # or make says that there is nothing to be done

# The stamp is newer than the pins it was made from, so a changed pin installs again and nothing else does.
$(STAMP): requirements.txt requirements-openpifpaf.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.txt
	$(RUN) $(BIN)/pip install --disable-pip-version-check --progress-bar off \
		--no-deps --no-build-isolation --no-cache-dir --require-hashes -r requirements-openpifpaf.txt
	touch $@

# What comes is said before the environment is installed, which is a prerequisite of the other targets.
reproduce:  ## everything from raw videos to the ablation table
	@echo "Making $(TABLE): data set, features, pretraining and evaluation of every variant and seed."
	@test -e $(STAMP) || echo "First, once: pinned packages into $(VENV), about 4 minutes."
	@echo "About 30 minutes on two cores; what is there already is not made again. Snakemake lists the jobs as it starts."
	@echo "Stop it by Ctrl-C: the same command goes on. Meanwhile: logs/, and python -m csvr.runs lists what has run."
	@$(MAKE) --no-print-directory env
	$(RUN) snakemake --cores $(CORES) $(TABLE)
	@echo "Read:"
	@echo "  $(TABLE)    the table; at its end, the runs behind each number"
	@echo "  reports/figures/table_ablation.png    the same as a figure"
	@echo "  docs/tutorial.md    how to read it, and what to try next"
	@echo "All other reports: snakemake --cores $(CORES), then reports/index.html"

# Of tests/workflow, those that run DVC: twice as long as all others together.
DVC := $(addprefix tests/workflow/test_,dvc.py cells.py interruptions.py sharing.py)
# Side by side, the longest first: these tests wait for much of the time.
test: env  ## the checks and the test suite
	$(MAKE) --no-print-directory --output-sync --jobs 4 --keep-going \
		test-dvc test-modules test-workflow test-cells test-interruptions lint

test-modules: env
	$(RUN) pytest -q --ignore tests/workflow --ignore tests/slurm

test-workflow: env
	$(RUN) pytest -q tests/workflow $(addprefix --ignore ,$(DVC))

test-dvc test-cells: env
	$(RUN) pytest -q tests/workflow/$(subst -,_,$@).py

test-interruptions: env
	$(RUN) pytest -q tests/workflow/test_interruptions.py tests/workflow/test_sharing.py

test-slurm: env  ## the workflow on a Slurm cluster that is started here for it (root; installs Debian's Slurm)
	test -x /usr/sbin/slurmctld || apt-get install --yes --no-install-recommends slurm-wlm munge
	$(RUN) pytest -q tests/slurm

test-faults: env  ## kill the workflow 100 times, at random moments
	CSVR_KILLS=100 $(RUN) pytest -q -s tests/faults

fuzz: env  ## read 100,000 mutated lists and 20,000 mutated videos
	$(RUN) nice python -m tests.faults.fuzz

lint: env  ## style, types, code that nobody calls, spelling
	$(BIN)/ruff check .
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/codespell *.md CITATION.cff Makefile Snakefile pyproject.toml csvr docs params profiles tests workflow

params: env  ## compose params.yaml from params/
	$(BIN)/python workflow/scripts/compose_params.py

docs: env  ## write docs/parameters.md from the schema and params.yaml, the README's table from docs/results
	$(BIN)/python workflow/scripts/document_params.py
	$(BIN)/python workflow/scripts/document_results.py

drawings: env  ## draw the networks of the paper profile into docs/figures
	$(BIN)/python workflow/scripts/compose_params.py +profile=paper --output $(VENV)/paper.yaml
	for drawing in architecture integration; do $(BIN)/python -m csvr.drawings $$drawing \
		--params $(VENV)/paper.yaml --output docs/figures/$$drawing.png docs/figures/$$drawing.svg || exit 1; done

PEERS    := .bench/peers
FINISHED ?= .
bench: env  ## reports/benchmarks.md: speed beside the best alternatives; FINISHED=… has a finished run
	$(RUN) python -m tests.bench --finished $(FINISHED) $(addprefix --peers ,$(wildcard $(PEERS)/bin/python)) $(ONLY)

# Beside csvr's packages, not among them: the decoders are to be measured only.
bench-peers: env  ## decoders that `make bench` measures beside csvr, in .bench
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/pip install --disable-pip-version-check --progress-bar off --no-deps decord torchcodec
	echo "$(abspath $(VENV))/lib/python3.11/site-packages" > $(PEERS)/lib/python3.11/site-packages/csvr.pth

lock:  ## pin requirements.in into requirements.txt (needs uv)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header requirements.in -o requirements.txt

clean:  ## remove everything that the workflow makes, except the records in runs/
	rm -rf data/mannequin features results reports logs benchmarks .snakemake
