"""One pass over the videos for each kind of feature, in shards of many videos."""

# A path; or the name of published weights, which OpenPifPaf downloads itself.
CHECKPOINT = config["pose_extraction"]["checkpoint"]


rule extract_iframes:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        folders=folders_of,
        reencoded=reencoded,
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
        mem_mb=memory(1000),
        runtime=minutes(240),
    params:
        code=code_hash("iframes"),
        p=text(feature_params("iframes")),
        shards=of_dataset("shards"),
        reencoded=reencoded_flag,
    message:
        "Extracting I-frames, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.iframes --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --params {params.p:q} {params.reencoded} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule extract_clips:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        folders=folders_of,
        reencoded=reencoded,
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
        mem_mb=memory(1500),
        runtime=minutes(240),
    params:
        code=code_hash("clips"),
        p=text(feature_params("clips")),
        shards=of_dataset("shards"),
        reencoded=reencoded_flag,
    message:
        "Extracting frames, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.clips --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --params {params.p:q} {params.reencoded} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule extract_poses:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        folders=folders_of,
        reencoded=reencoded,
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
        mem_mb=memory(2500),
        runtime=minutes(720),
        gpu=GPU,
    params:
        code=code_hash("poses"),
        p=text(feature_params("poses")),
        shards=of_dataset("shards"),
        reencoded=reencoded_flag,
    message:
        "Extracting poses, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.launch --gpus {resources.gpu} poses extract --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --params {params.p:q} {params.reencoded} --output {output:q} --runs "$RUNS" \
            --threads 1 >{log:q} 2>&1
        """
