"""The videos and their index."""

if DRAWN_HERE:

    rule generate_mannequin:
        output:
            summary=f"{DRAWN_HERE['root']}/dataset.json",
            videos=directory(DRAWN_HERE["videos"]),
            splits=directory(DRAWN_HERE["splits"]),
            keypoints=f"{DRAWN_HERE['root']}/keypoints.safetensors",
        log:
            "logs/generate_mannequin.log",
        benchmark:
            "benchmarks/generate_mannequin.tsv"
        conda:
            "../../environment.yml"
        threads: whole()
        resources:
            mem_mb=memory(3000),
            runtime=minutes(30),
            workers=workers,
        params:
            code=code_hash("mannequin"),
            p=text(DRAWN_HERE["generate"]),
        message:
            "Drawing the embedded data set"
        shell:
            """
            python -m csvr.mannequin --root "$(dirname {output.summary:q})" --params {params.p:q} \
                --output {output.summary:q} --runs "$RUNS" --threads {resources.workers} >{log:q} 2>&1
            """


rule index_videos:
    input:
        # Made anew, these are other videos; the summary holds a checksum of all of them.
        summary=summary_of,
        # Which files are in them is told by RAW.
        folders=folders_of,
    output:
        "features/{dataset}/index.csv",
    log:
        "logs/{dataset}/index_videos.log",
    benchmark:
        "benchmarks/{dataset}/index_videos.tsv"
    conda:
        "../../environment.yml"
    threads: whole()
    resources:
        mem_mb=memory(1000),
        runtime=minutes(240),
        workers=workers,
    params:
        code=code_hash("index"),
        raw=lambda wildcards: RAW[wildcards.dataset],
        videos=of_dataset("videos"),
        splits=of_dataset("splits"),
        split=lambda wildcards: as_list(DATASETS[wildcards.dataset]["split"]),
        layout=of_dataset("layout"),
        broken=of_dataset("broken"),
        short=of_dataset("short"),
        min_frames=MIN_FRAMES,
        # What was looked into is not looked into again, whatever stopped this or asks for it again.
        journal=lambda wildcards: f"logs/{wildcards.dataset}/index_videos.jsonl",
    message:
        "Listing the videos of {wildcards.dataset}"
    shell:
        """
        python -m csvr.index --layout {params.layout} --videos {params.videos:q} --splits {params.splits:q} \
            --split {params.split} --min-frames {params.min_frames} --broken {params.broken} --short {params.short} \
            --journal {params.journal:q} --output {output:q} --runs "$RUNS" --threads {resources.workers} >{log:q} 2>&1
        """


rule reencode:
    input:
        index="features/{dataset}/index.csv",
        # The index holds a checksum of every video, and is what says that they changed.
        folders=folders_of,
    output:
        "features/{dataset}/reencoded/{shard}.safetensors",
    log:
        "logs/{dataset}/reencode/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/reencode/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: share(1000)
    resources:
        mem_mb=memory(1000),
        runtime=minutes(240),
    params:
        code=code_hash("reencode"),
        p=lambda wildcards: text(reencoding(DATASETS[wildcards.dataset])),
        shards=of_dataset("shards"),
    message:
        "Re-encoding {wildcards.dataset}, shard {wildcards.shard}"
    shell:
        """
        python -m csvr.reencode --index {input.index:q} --shard {wildcards.shard}/{params.shards} \
            --params {params.p:q} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
