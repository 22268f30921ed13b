"""One pass over the videos for each kind of feature, in shards of many videos."""

# A path; or the name of published weights, which OpenPifPaf downloads itself.
CHECKPOINT = config["pose_extraction"]["checkpoint"]


rule extract_iframes:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        videos=ancient(DATASET["videos"]),
    output:
        "features/{dataset}/iframes/{shard}.safetensors",
    log:
        "logs/{dataset}/extract_iframes/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/extract_iframes/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: share(1000)
    resources:
        mem_mb=1000,
    params:
        code=code_hash("iframes"),
        short_side=config["features"]["short_side"],
        shards=config["features"]["shards"],
    message:
        "Extracting I-frames, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.iframes --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --short-side {params.short_side} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule extract_clips:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        videos=ancient(DATASET["videos"]),
    output:
        "features/{dataset}/clips/{shard}.safetensors",
    log:
        "logs/{dataset}/extract_clips/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/extract_clips/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=1500,
    params:
        code=code_hash("clips"),
        short_side=config["features"]["short_side"],
        shards=config["features"]["shards"],
    message:
        "Extracting frames, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.clips --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --short-side {params.short_side} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule extract_poses:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        videos=ancient(DATASET["videos"]),
        # By age it says nothing (git sets it): its sha256 is a parameter.
        checkpoint=ancient(CHECKPOINT) if Path(CHECKPOINT).suffix else [],
    output:
        "features/{dataset}/poses/{shard}.safetensors",
    log:
        "logs/{dataset}/extract_poses/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/extract_poses/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: share(2500)
    resources:
        mem_mb=2500,
    params:
        code=code_hash("poses"),
        p=text(config["pose_extraction"]),
        shards=config["features"]["shards"],
    message:
        "Extracting poses, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.poses --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --params {params.p:q} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
