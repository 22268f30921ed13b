"""Tables and figures."""


# A file and no flag: with every variant's parameters it is long, and a failing command would print it.
rule write_expectation:
    output:
        f"results/{DATASET['name']}/expected.json",
    log:
        "logs/write_expectation.log",
    benchmark:
        "benchmarks/write_expectation.tsv"
    conda:
        "../../environment.yml"
    threads: share(500)
    resources:
        mem_mb=500,
    params:
        p=report_params,
    message:
        "Noting what the reports are to show"
    script:
        "../scripts/write_expectation.py"


rule table_ablation:
    input:
        code=code("report"),
        metrics=cells("metrics.json"),
        expected=f"results/{DATASET['name']}/expected.json",
    output:
        table=TABLE,
        csv="reports/table_ablation.csv",
        html=report(
            "reports/table_ablation.html",
            caption="../report/table_ablation.rst",
            category="Ablation",
            labels={"what": "accuracy of every variant", "kind": "table"},
        ),
        figure=report(
            "reports/figures/table_ablation.png",
            caption="../report/table_ablation.rst",
            category="Ablation",
            labels={"what": "accuracy of every variant", "kind": "figure"},
        ),
    log:
        "logs/table_ablation.log",
    benchmark:
        "benchmarks/table_ablation.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    message:
        "Writing the ablation table"
    shell:
        """
        python -m csvr.report ablation --metrics {input.metrics:q} --expect {input.expected:q} \
            --output {output.table:q} --figure {output.figure:q} >{log:q} 2>&1
        """


rule figure_per_class:
    input:
        code=code("report"),
        metrics=cells("metrics.json"),
        expected=f"results/{DATASET['name']}/expected.json",
    output:
        report(
            "reports/figures/per_class.png",
            caption="../report/per_class.rst",
            category="Ablation",
            labels={"what": "accuracy by class and feature", "kind": "figure"},
        ),
    log:
        "logs/figure_per_class.log",
    benchmark:
        "benchmarks/figure_per_class.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    message:
        "Drawing accuracy by class and feature"
    shell:
        """
        python -m csvr.report per-class --metrics {input.metrics:q} --expect {input.expected:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule figure_training_curves:
    input:
        code=code("report"),
        histories=cells(
            "history.csv",
            # A control without a training step has no curve.
            [name for name in config["variants"] if effective(name, ["pretrain"])["pretrain"]["steps"]],
        ),
    output:
        report(
            "reports/figures/training_curves.png",
            caption="../report/training_curves.rst",
            category="Pretraining",
            labels={"what": "loss terms over time", "kind": "figure"},
        ),
    log:
        "logs/figure_training_curves.log",
    benchmark:
        "benchmarks/figure_training_curves.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    message:
        "Drawing the training curves"
    shell:
        """
        python -m csvr.report curves --histories {input.histories:q} --output {output:q} >{log:q} 2>&1
        """


if GENERATED:

    rule table_pose_quality:
        input:
            code=code("report"),
            quality=f"results/{DATASET['name']}/pose_quality.json",
        output:
            "reports/table_pose_quality.md",
        log:
            "logs/table_pose_quality.log",
        benchmark:
            "benchmarks/table_pose_quality.tsv"
        conda:
            "../../environment.yml"
        threads: share(1500)
        resources:
            mem_mb=1500,
        message:
            "Writing the table of pose quality"
        shell:
            """
            python -m csvr.report pose-quality --quality {input.quality:q} --output {output:q} >{log:q} 2>&1
            """


rule figure_dataset:
    input:
        code=code("figures"),
        index="features/{dataset}/index.csv",
        videos=ancient(DATASET["videos"]),
    output:
        report(
            "reports/figures/dataset_{dataset}.png",
            caption="../report/dataset.rst",
            category="Data set",
            labels={"what": "three videos of every class", "kind": "figure"},
        ),
    log:
        "logs/{dataset}/figure_dataset.log",
    benchmark:
        "benchmarks/{dataset}/figure_dataset.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        groups=text(DATASET["groups"]),
    message:
        "Drawing the contact sheet of {wildcards.dataset}"
    shell:
        """
        python -m csvr.figures contact-sheet --index {input.index:q} --groups {params.groups:q} \
            --output {output:q} >{log:q} 2>&1
        """
