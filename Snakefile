# From raw videos to the ablation table: `snakemake --cores 8 reports/table_ablation.md`.
# Parameters: params.yaml (composed from params/ by `make params`). Rules: workflow/rules/, one file a phase.
from snakemake.utils import min_version

min_version("9.27")


configfile: "params.yaml"


report: "workflow/report/workflow.rst"


# First, since it checks the parameters.
include: "workflow/rules/common.smk"


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
include: "workflow/rules/reporting.smk"


check_records()
