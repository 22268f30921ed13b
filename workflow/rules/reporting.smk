"""What tables are to show, all numbers in one file, where they come from, what is odd about them, and the page of all."""


# A file and no flag: with every variant's parameters it is long, and a failing command would print it. A template and no
# script: a script that seems newer than what it wrote is run again, whatever is in it.
rule write_expectation:
    input:
        "workflow/templates/expectation.json",
    output:
        "results/{dataset}/{expectation}.json",
    log:
        "logs/{dataset}/write_expectation/{expectation}.log",
    benchmark:
        "benchmarks/{dataset}/write_expectation/{expectation}.tsv"
    threads: share(500)
    resources:
        mem_mb=memory(500),
        runtime=minutes(30),
    params:
        p=expectation_params,
    message:
        "Noting what reports are to show ({wildcards.expectation})"
    template_engine:
        "jinja2"


rule summarise:
    input:
        metrics=cells(METRICS),
        histories=cells("history.csv", TRAINED),
        networks=cells("networks.safetensors", TRAINED),
        quality=[POSE_QUALITY] if SCORED else [],
        index=INDEX,
        expected=EXPECTED,
    output:
        metrics="reports/metrics.json",
        plots=[f"reports/plots/{name}.csv" for name in ("training_curves", "per_class")],
    log:
        "logs/summarise.log",
    benchmark:
        "benchmarks/summarise.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
        quality=f"--pose-quality {POSE_QUALITY}" if SCORED else "",
    message:
        "Writing all numbers for dvc metrics and plots"
    shell:
        """
        python -m csvr.report summary --metrics {input.metrics:q} --history {input.histories:q} {params.quality} \
            --index {input.index:q} --expect {input.expected:q} --output {output.metrics:q} \
            --plots "$(dirname {output.plots[0]:q})" >{log:q} 2>&1
        """


rule collect_provenance:
    input:
        reports=list(MADE),
        results=sorted({path for sources in MADE.values() for path in sources}),
        made=MADE_OF,
        features=[path for found in DATASETS.values() for kind in FEATURES for path in all_shards(kind, found)],
        index=list(dict.fromkeys([INDEX, PRETRAINED_INDEX])),
    output:
        PROVENANCE,
    log:
        "logs/collect_provenance.log",
    benchmark:
        "benchmarks/collect_provenance.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("provenance"),
    message:
        "Collecting where the reports come from"
    shell:
        """
        python -m csvr.provenance --made {input.made:q} --features {input.features:q} --index {input.index:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule check_reports:
    input:
        metrics=checked(),
        quality=cells("generation.json", GENERATING),
        index=list(dict.fromkeys([INDEX, PRETRAINED_INDEX])),
        expected=expectations(),
        expected_quality=[EXPECTED_GENERATION] if GENERATING else [],
        poses=[path for found in DATASETS.values() for path in all_shards("poses", found)],
    output:
        table=CHECKS,
        others=formats("checks")[2:],
        html=report(
            "reports/checks.html",
            caption="../report/checks.rst",
            category="Checks",
            labels={"what": "table: what is missing, failed or odd"},
        ),
    log:
        "logs/check_reports.log",
    benchmark:
        "benchmarks/check_reports.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
        outlier=config["checks"]["outlier"],
        quality=quality_flags(),
        nobody=config["checks"]["nobody"],
    message:
        "Looking for what is missing, failed or odd"
    shell:
        """
        python -m csvr.report check --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --outlier {params.outlier} {params.quality} --runs "$RUNS" \
            --poses {input.poses:q} --nobody {params.nobody} --output {output.table:q} >{log:q} 2>&1
        """


# After all others, of which it is made.
rule report_index:
    input:
        reports=list(MADE),
        provenance=PROVENANCE,
        checks="reports/checks.csv",
        expected=expectations(),
    output:
        PAGE,
    log:
        "logs/report_index.log",
    benchmark:
        "benchmarks/report_index.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
        p=text(shown()),
    message:
        "Putting all reports on one page"
    shell:
        """
        python -m csvr.report index --items {params.p:q} --provenance {input.provenance:q} \
            --checks {input.checks:q} --expect {input.expected:q} --output {output:q} >{log:q} 2>&1
        """
