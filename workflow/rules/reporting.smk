"""Tables and figures."""

MADE = made()


# A file and no flag: with every variant's parameters it is long, and a failing command would print it.
rule write_expectation:
    output:
        "results/{dataset}/{expectation}.json",
    log:
        "logs/{dataset}/write_expectation/{expectation}.log",
    benchmark:
        "benchmarks/{dataset}/write_expectation/{expectation}.tsv"
    conda:
        "../../environment.yml"
    threads: share(500)
    resources:
        mem_mb=500,
    params:
        p=expectation_params,
    message:
        "Noting what reports are to show ({wildcards.expectation})"
    script:
        "../scripts/write_expectation.py"


rule table_ablation:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        table=TABLE,
        others=formats("table_ablation")[2:],
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
    params:
        code=code_hash("report"),
    message:
        "Writing the ablation table"
    shell:
        """
        python -m csvr.report ablation --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} --figure {output.figure:q} >{log:q} 2>&1
        """


rule table_features:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        table="reports/table_features.md",
        others=formats("table_features")[2:],
        html=report(
            "reports/table_features.html",
            caption="../report/table.rst",
            category="Features",
            labels={"what": "accuracy by feature", "kind": "table"},
        ),
    log:
        "logs/table_features.log",
    benchmark:
        "benchmarks/table_features.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Writing the table of features"
    shell:
        """
        python -m csvr.report features --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_linear_probe:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
        published=PUBLISHED["table_linear_probe"],
    output:
        table="reports/table_linear_probe.md",
        others=formats("table_linear_probe")[2:],
        html=report(
            "reports/table_linear_probe.html",
            caption="../report/table.rst",
            category="Linear probe",
            labels={"what": "accuracy by amount of labels", "kind": "table"},
        ),
    log:
        "logs/table_linear_probe.log",
    benchmark:
        "benchmarks/table_linear_probe.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        published=sha256(Path(PUBLISHED["table_linear_probe"])),
    message:
        "Writing the table of linear probes"
    shell:
        """
        python -m csvr.report linear-probe --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --published {input.published:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_retrieval:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
        published=PUBLISHED["table_retrieval"],
    output:
        table="reports/table_retrieval.md",
        others=formats("table_retrieval")[2:],
        html=report(
            "reports/table_retrieval.html",
            caption="../report/table.rst",
            category="Retrieval",
            labels={"what": "R@k", "kind": "table"},
        ),
    log:
        "logs/table_retrieval.log",
    benchmark:
        "benchmarks/table_retrieval.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        published=sha256(Path(PUBLISHED["table_retrieval"])),
    message:
        "Writing the table of retrieval"
    shell:
        """
        python -m csvr.report retrieval --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --published {input.published:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_action_recognition:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
        published=PUBLISHED["table_action_recognition"],
    output:
        table="reports/table_action_recognition.md",
        others=formats("table_action_recognition")[2:],
        html=report(
            "reports/table_action_recognition.html",
            caption="../report/table.rst",
            category="Action recognition",
            labels={"what": "accuracy after fine-tuning", "kind": "table"},
        ),
    log:
        "logs/table_action_recognition.log",
    benchmark:
        "benchmarks/table_action_recognition.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        published=sha256(Path(PUBLISHED["table_action_recognition"])),
    message:
        "Writing the table of action recognition"
    shell:
        """
        python -m csvr.report recognition --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --published {input.published:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_ssv2:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
        published=PUBLISHED["table_ssv2"],
    output:
        table="reports/table_ssv2.md",
        others=formats("table_ssv2")[2:],
        html=report(
            "reports/table_ssv2.html",
            caption="../report/table.rst",
            category="Action recognition",
            labels={"what": "accuracy after fine-tuning", "kind": "table"},
        ),
    log:
        "logs/table_ssv2.log",
    benchmark:
        "benchmarks/table_ssv2.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        published=sha256(Path(PUBLISHED["table_ssv2"])),
    message:
        "Writing the table of action recognition on Something-Something v2"
    shell:
        """
        python -m csvr.report recognition --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --published {input.published:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_cost:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        table="reports/table_cost.md",
        others=formats("table_cost")[2:],
        html=report(
            "reports/table_cost.html",
            caption="../report/table.rst",
            category="Cost",
            labels={"what": "time, memory and sizes", "kind": "table"},
        ),
    log:
        "logs/table_cost.log",
    benchmark:
        "benchmarks/table_cost.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Writing the table of costs"
    shell:
        """
        python -m csvr.report cost --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


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
        mem_mb=1500,
    params:
        code=code_hash("report"),
        quality=f"--quality {POSE_QUALITY}" if SCORED else "",
    message:
        "Writing all numbers for dvc metrics and plots"
    shell:
        """
        python -m csvr.report summary --metrics {input.metrics:q} --histories {input.histories:q} {params.quality} \
            --index {input.index:q} --expect {input.expected:q} --output {output.metrics:q} \
            --plots "$(dirname {output.plots[0]:q})" >{log:q} 2>&1
        """


rule table_sigma:
    input:
        metrics=cells(METRICS, GRID, config["sweep"]["seeds"]),
        index=INDEX,
        expected=EXPECTED_SWEEP,
    output:
        table="reports/table_sigma.md",
        others=formats("table_sigma")[2:],
        html=report(
            "reports/table_sigma.html",
            caption="../report/sigma.rst",
            category="Loss weights",
            labels={"what": "accuracy by loss weights", "kind": "table"},
        ),
        figure=report(
            "reports/figures/sigma_sweep.png",
            caption="../report/sigma.rst",
            category="Loss weights",
            labels={"what": "accuracy by loss weights", "kind": "figure"},
        ),
    log:
        "logs/table_sigma.log",
    benchmark:
        "benchmarks/table_sigma.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Writing the table of loss weights"
    shell:
        """
        python -m csvr.report sigma --metrics {input.metrics:q} --index {input.index:q} --expect {input.expected:q} \
            --output {output.table:q} --figure {output.figure:q} >{log:q} 2>&1
        """


rule table_integration:
    input:
        metrics=cells(METRICS, INTEGRATION, config["integration"]["seeds"]),
        index=INDEX,
        expected=EXPECTED_INTEGRATION,
    output:
        table="reports/table_integration.md",
        others=formats("table_integration")[2:],
        html=report(
            "reports/table_integration.html",
            caption="../report/integration.rst",
            category="Integration layer",
            labels={"what": "accuracy by integration layer", "kind": "table"},
        ),
    log:
        "logs/table_integration.log",
    benchmark:
        "benchmarks/table_integration.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Writing the table of integration layers"
    shell:
        """
        python -m csvr.report integration --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_generation_quality:
    input:
        quality=cells("generation.json", GENERATING),
        index=PRETRAINED_INDEX,
        expected=EXPECTED_GENERATION,
    output:
        table="reports/table_generation_quality.md",
        others=formats("table_generation_quality")[2:],
        html=report(
            "reports/table_generation_quality.html",
            caption="../report/generation_quality.rst",
            category="Generation",
            labels={"what": "quality of generated clips", "kind": "table"},
        ),
    log:
        "logs/table_generation_quality.log",
    benchmark:
        "benchmarks/table_generation_quality.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Writing the table of generated clips"
    shell:
        """
        python -m csvr.report generation --quality {input.quality:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule figure_per_class:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
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
    params:
        code=code_hash("report"),
    message:
        "Drawing accuracy by class and feature"
    shell:
        """
        python -m csvr.report per-class --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output:q} >{log:q} 2>&1
        """


rule figure_training_curves:
    input:
        histories=cells("history.csv", TRAINED),
        networks=cells("networks.safetensors", TRAINED),
        expected=EXPECTED,
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
    params:
        code=code_hash("report"),
    message:
        "Drawing the training curves"
    shell:
        """
        python -m csvr.report curves --histories {input.histories:q} --expect {input.expected:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule table_pose_quality:
    input:
        metrics=cells(METRICS),
        quality=[POSE_QUALITY] if SCORED else [],
        index=INDEX,
        expected=EXPECTED,
    output:
        table="reports/table_pose_quality.md",
        others=formats("table_pose_quality")[2:],
        html=report(
            "reports/table_pose_quality.html",
            caption="../report/table_pose_quality.rst",
            category="Poses",
            labels={"what": "estimated and predicted poses", "kind": "table"},
        ),
    log:
        "logs/table_pose_quality.log",
    benchmark:
        "benchmarks/table_pose_quality.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        quality=f"--quality {POSE_QUALITY}" if SCORED else "",
    message:
        "Writing the table of pose quality"
    shell:
        """
        python -m csvr.report pose-quality --metrics {input.metrics:q} {params.quality} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule figure_predictions:
    input:
        networks=cells("networks.safetensors", [DRAWN], config["seeds"][:1]),
        clips=all_shards("clips", DATASET),
        poses=all_shards("poses", DATASET),
        index=PRETRAINED_INDEX,
        expected=EXPECTED,
    output:
        report(
            "reports/figures/predictions.png",
            caption="../report/predictions.rst",
            category="Pretraining",
            labels={"what": "predicted clips and poses", "kind": "figure"},
        ),
    log:
        "logs/figure_predictions.log",
    benchmark:
        "benchmarks/figure_predictions.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=3000,
    params:
        code=code_hash("predictions"),
        p=text(effective(DRAWN)),
    message:
        "Drawing what {DRAWN} predicts"
    shell:
        """
        python -m csvr.predictions --networks {input.networks:q} --index {input.index:q} --clips {input.clips:q} \
            --poses {input.poses:q} --params {params.p:q} --expect {input.expected:q} --output {output:q} \
            --threads 1 >{log:q} 2>&1
        """


rule figure_confusion:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/confusion.png",
            caption="../report/confusion.rst",
            category="Action recognition",
            labels={"what": "which classes are taken for which", "kind": "figure"},
        ),
        others=drawings("confusion")[1:],
    log:
        "logs/figure_confusion.log",
    benchmark:
        "benchmarks/figure_confusion.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
    message:
        "Drawing the confusion matrix"
    shell:
        """
        python -m csvr.report confusion --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output:q} >{log:q} 2>&1
        """


rule figure_retrieval:
    input:
        networks=cells("networks.safetensors", ["full"], config["seeds"][:1]),
        clips=all_shards("clips"),
        poses=all_shards("poses"),
        index=INDEX,
        pretrained_index=PRETRAINED_INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/retrieval.png",
            caption="../report/retrieval.rst",
            category="Retrieval",
            labels={"what": "test videos and their nearest training videos", "kind": "figure"},
        ),
        others=drawings("retrieval")[1:],
    log:
        "logs/figure_retrieval.log",
    benchmark:
        "benchmarks/figure_retrieval.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=3000,
    params:
        code=code_hash("feature_figures"),
        p=text(effective("full")),
    message:
        "Drawing test videos and their nearest training videos"
    shell:
        """
        python -m csvr.feature_figures retrieval --networks {input.networks:q} --index {input.index:q} \
            --pretrained-index {input.pretrained_index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --params {params.p:q} --expect {input.expected:q} --output {output:q} --threads 1 >{log:q} 2>&1
        """


rule figure_features:
    input:
        networks=cells("networks.safetensors", ["full"], config["seeds"][:1]),
        clips=all_shards("clips"),
        poses=all_shards("poses"),
        index=INDEX,
        pretrained_index=PRETRAINED_INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/features.png",
            caption="../report/features.rst",
            category="Features",
            labels={"what": "features of the test videos in two dimensions", "kind": "figure"},
        ),
        others=drawings("features")[1:],
    log:
        "logs/figure_features.log",
    benchmark:
        "benchmarks/figure_features.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=3000,
    params:
        code=code_hash("feature_figures"),
        p=text(effective("full")),
    message:
        "Drawing a map of the features"
    shell:
        """
        python -m csvr.feature_figures features --networks {input.networks:q} --index {input.index:q} \
            --pretrained-index {input.pretrained_index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --params {params.p:q} --expect {input.expected:q} --output {output:q} --threads 1 >{log:q} 2>&1
        """


rule figure_mask:
    input:
        networks=cells("networks.safetensors", ["full"], config["seeds"][:1]),
        clips=all_shards("clips"),
        poses=all_shards("poses"),
        index=INDEX,
        pretrained_index=PRETRAINED_INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/mask.png",
            caption="../report/mask.rst",
            category="Integration layer",
            labels={"what": "the integration layer's mask over frames", "kind": "figure"},
        ),
        others=drawings("mask")[1:],
    log:
        "logs/figure_mask.log",
    benchmark:
        "benchmarks/figure_mask.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=3000,
    params:
        code=code_hash("feature_figures"),
        p=text(effective("full")),
    message:
        "Drawing the integration layer's mask"
    shell:
        """
        python -m csvr.feature_figures mask --networks {input.networks:q} --index {input.index:q} \
            --pretrained-index {input.pretrained_index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --params {params.p:q} --expect {input.expected:q} --output {output:q} --threads 1 >{log:q} 2>&1
        """


rule table_models:
    output:
        table="reports/table_models.md",
        others=formats("table_models")[2:],
        html=report(
            "reports/table_models.html",
            caption="../report/models.rst",
            category="Cost",
            labels={"what": "networks and their sizes", "kind": "table"},
        ),
    log:
        "logs/table_models.log",
    benchmark:
        "benchmarks/table_models.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("models"),
        p=models_params,
    message:
        "Writing the table of networks"
    shell:
        """
        python -m csvr.models --params {params.p:q} --output {output.table:q} >{log:q} 2>&1
        """


rule figure_dataset:
    input:
        index="features/{dataset}/index.csv",
        folders=folders_of,
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
        code=code_hash("figures"),
        groups=lambda wildcards: text(DATASETS[wildcards.dataset]["groups"]),
    message:
        "Drawing the contact sheet of {wildcards.dataset}"
    shell:
        """
        python -m csvr.figures contact-sheet --index {input.index:q} --groups {params.groups:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule example_videos:
    input:
        index=INDEX,
        poses=all_shards("poses"),
        folders=[folders_of(types.SimpleNamespace(dataset=TARGET["name"]))],
    output:
        one=report(
            "reports/videos/example_1.mp4",
            caption="../report/examples.rst",
            category="Data set",
            labels={"what": "a test video with poses and I-frames", "kind": "video"},
        ),
        other=report(
            "reports/videos/example_2.mp4",
            caption="../report/examples.rst",
            category="Data set",
            labels={"what": "another test video", "kind": "video"},
        ),
    log:
        "logs/example_videos.log",
    benchmark:
        "benchmarks/example_videos.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("pose_videos"),
    message:
        "Drawing poses into two videos"
    shell:
        """
        python -m csvr.pose_videos --index {input.index:q} --poses {input.poses:q} --output {output:q} >{log:q} 2>&1
        """


rule collect_provenance:
    input:
        reports=list(MADE),
        results=sorted({path for sources in MADE.values() for path in sources}),
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
        mem_mb=1500,
    params:
        code=code_hash("provenance"),
        made=text(MADE),
    message:
        "Collecting where the reports come from"
    shell:
        """
        python -m csvr.provenance --made {params.made:q} --features {input.features:q} --index {input.index:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule check_reports:
    input:
        metrics=checked(),
        index=list(dict.fromkeys([INDEX, PRETRAINED_INDEX])),
        expected=expectations(),
    output:
        table=CHECKS,
        others=formats("checks")[2:],
        html=report(
            "reports/checks.html",
            caption="../report/checks.rst",
            category="Checks",
            labels={"what": "what is missing, failed or odd", "kind": "table"},
        ),
    log:
        "logs/check_reports.log",
    benchmark:
        "benchmarks/check_reports.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("report"),
        outlier=config["checks"]["outlier"],
    message:
        "Looking for what is missing, failed or odd"
    shell:
        """
        python -m csvr.report check --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --outlier {params.outlier} --output {output.table:q} >{log:q} 2>&1
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
        mem_mb=1500,
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
