"""The pose network: how the shipped checkpoint is made, and how good its poses are."""


# Not part of `rule all`: it takes an hour or more, and its result is shipped as csvr/pose/checkpoints/rendered.pt.
# To use another one, copy it there and state its sha256 in params/pose_extraction/rendered.yaml.
rule train_pose_estimator:
    output:
        checkpoint="results/pose_estimator/rendered.pt",
        about="results/pose_estimator/rendered.json",
    log:
        "logs/train_pose_estimator.log",
    benchmark:
        "benchmarks/train_pose_estimator.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=memory(3000),
        runtime=minutes(720),
    params:
        code=code_hash("pose_estimator"),
        p=text(config["pose_estimator"]),
    message:
        "Training the pose network on rendered figures"
    shell:
        """
        python -m csvr.pose_estimator --params {params.p:q} --output {output.checkpoint:q} \
            --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


if GENERATED:

    rule score_poses:
        input:
            poses=shards("poses"),
            truth=f"{DATASET['root']}/keypoints.safetensors",
        output:
            "results/{dataset}/pose_quality.json",
        log:
            "logs/{dataset}/score_poses.log",
        benchmark:
            "benchmarks/{dataset}/score_poses.tsv"
        conda:
            "../../environment.yml"
        threads: share(1500)
        resources:
            mem_mb=memory(1500),
            runtime=minutes(30),
        params:
            code=code_hash("pose_quality"),
        message:
            "Scoring poses of {wildcards.dataset} against the true keypoints"
        shell:
            """
            python -m csvr.pose_quality --poses {input.poses:q} --truth {input.truth:q} --output {output:q} \
                --runs "$RUNS" --threads 1 >{log:q} 2>&1
            """
