# From raw videos to the ablation table: `snakemake --cores 8 reports/table_ablation.md`.
# Parameters: params.yaml (composed from params/ by `make params`). Rules: workflow/rules/, one file a phase.
from pathlib import Path

import yaml
from snakemake.utils import min_version

min_version("9.27")


# `--configfile` may name a few parameters, which are merged into params.yaml, or a whole file of compose_params.py. That
# one stands alone: merged, it would keep keys of params.yaml that another choice of a group has not (a generated data
# set's, another kind of network's).
if yaml.safe_load(Path("params.yaml").read_text()).keys() - config.keys():

    configfile: "params.yaml"


report: "workflow/report/workflow.rst"


# First, since it checks the parameters.
include: "workflow/rules/common.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/variants.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/reports.smk"


# In this file, since a Snakefile that only includes others has no default target.
rule all:
    default_target: True
    input:
        REPORTS,
        PROVENANCE,


include: "workflow/rules/dataset.smk"
include: "workflow/rules/extraction.smk"
include: "workflow/rules/pose_estimator.smk"
include: "workflow/rules/pretraining.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/reporting.smk"


check_records()
