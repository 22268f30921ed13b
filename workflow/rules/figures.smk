"""Figures and videos."""


rule figure_per_class:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/per_class.png",
            caption="../report/per_class.rst",
            category="Ablation",
            labels={"what": "figure: accuracy by class and feature"},
        ),
        others=drawings("per_class")[1:],
    log:
        "logs/figure_per_class.log",
    benchmark:
        "benchmarks/figure_per_class.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
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
        figure=report(
            "reports/figures/training_curves.png",
            caption="../report/training_curves.rst",
            category="Pretraining",
            labels={"what": "figure: loss terms over time"},
        ),
        others=drawings("training_curves")[1:],
    log:
        "logs/figure_training_curves.log",
    benchmark:
        "benchmarks/figure_training_curves.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Drawing the training curves"
    shell:
        """
        python -m csvr.report training-curves --history {input.histories:q} --expect {input.expected:q} \
            --output {output:q} >{log:q} 2>&1
        """


rule figure_predictions:
    input:
        networks=cells("networks.safetensors", [DRAWN], config["seeds"][:1]),
        clips=all_shards("clips", DATASET),
        poses=all_shards("poses", DATASET),
        index=PRETRAINED_INDEX,
        expected=EXPECTED,
    output:
        figure=report(
            "reports/figures/predictions.png",
            caption="../report/predictions.rst",
            category="Pretraining",
            labels={"what": "figure: predicted clips and poses"},
        ),
        others=drawings("predictions")[1:],
    log:
        "logs/figure_predictions.log",
    benchmark:
        "benchmarks/figure_predictions.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=memory(3000),
        runtime=minutes(30),
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
            labels={"what": "figure: which classes are taken for which"},
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
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Drawing the confusion matrix"
    shell:
        """
        python -m csvr.report confusion --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output:q} >{log:q} 2>&1
        """


# Figures of what the networks of variant full make of test videos, with the first seed.
for name, drawn in FEATURE_FIGURES.items():

    rule:
        name:
            f"figure_{name}"
        input:
            networks=cells("networks.safetensors", ["full"], config["seeds"][:1]),
            frozen=cells(FROZEN, ["full"], config["seeds"][:1]) if name != "mask" else [],
            clips=all_shards("clips"),
            poses=all_shards("poses"),
            index=INDEX,
            pretrained_index=PRETRAINED_INDEX,
            expected=EXPECTED,
        output:
            figure=report(
                f"reports/figures/{name}.png",
                caption=f"../report/{drawn.caption}.rst",
                category=drawn.category,
                labels={"what": f"figure: {drawn.what}"},
            ),
            others=drawings(name)[1:],
        log:
            f"logs/figure_{name}.log",
        benchmark:
            f"benchmarks/figure_{name}.tsv"
        conda:
            "../../environment.yml"
        threads: share(3000)
        resources:
            mem_mb=memory(3000),
            runtime=minutes(30),
        params:
            code=code_hash("feature_figures"),
            command=drawn.command,
            frozen=lambda wildcards, input: f"--frozen {shlex.quote(str(input.frozen))}" if input.frozen else "",
            p=text(effective("full")),
        message:
            f"Drawing {drawn.what}"
        shell:
            """
            python -m {params.command} --networks {input.networks:q} {params.frozen} --index {input.index:q} \
                --pretrained-index {input.pretrained_index:q} --clips {input.clips:q} --poses {input.poses:q} \
                --params {params.p:q} --expect {input.expected:q} --output {output:q} --threads 1 >{log:q} 2>&1
            """


rule figure_dataset:
    input:
        index="features/{dataset}/index.csv",
        folders=folders_of,
    output:
        figure=report(
            "reports/figures/dataset_{dataset}.png",
            caption="../report/dataset.rst",
            category="Data set",
            labels={"what": "figure: three videos of every class"},
        ),
        others=drawings("dataset_{dataset}")[1:],
    log:
        "logs/{dataset}/figure_dataset.log",
    benchmark:
        "benchmarks/{dataset}/figure_dataset.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("contact_sheet"),
        # In their own order.
        groups=lambda wildcards: json.dumps(DATASETS[wildcards.dataset]["groups"], ensure_ascii=False),
    message:
        "Drawing the contact sheet of {wildcards.dataset}"
    shell:
        """
        python -m csvr.contact_sheet --index {input.index:q} --groups {params.groups:q} \
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
            labels={"what": "video: a test video with poses and I-frames"},
        ),
        other=report(
            "reports/videos/example_2.mp4",
            caption="../report/examples.rst",
            category="Data set",
            labels={"what": "video: another test video"},
        ),
    log:
        "logs/example_videos.log",
    benchmark:
        "benchmarks/example_videos.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("pose_videos"),
    message:
        "Drawing poses into two videos"
    shell:
        """
        python -m csvr.pose_videos --index {input.index:q} --poses {input.poses:q} --output {output:q} >{log:q} 2>&1
        """
