"""The videos and their index."""

if GENERATED:

    rule generate_mannequin:
        output:
            summary=f"{DATASET['root']}/dataset.json",
            videos=directory(DATASET["videos"]),
            splits=directory(DATASET["splits"]),
            keypoints=f"{DATASET['root']}/keypoints.safetensors",
        log:
            "logs/generate_mannequin.log",
        benchmark:
            "benchmarks/generate_mannequin.tsv"
        conda:
            "../../environment.yml"
        threads: whole()
        resources:
            mem_mb=3000,
            workers=WORKERS,
        params:
            code=code_hash("mannequin"),
            p=text(DATASET["generate"]),
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
        summary=[f"{DATASET['root']}/dataset.json"] if GENERATED else [],
        # Which files are in them is told by RAW.
        videos=ancient(DATASET["videos"]),
        splits=ancient(DATASET["splits"]),
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
        mem_mb=1000,
        workers=WORKERS,
    params:
        code=code_hash("index"),
        raw=RAW,
        split=DATASET["split"],
        layout=DATASET["layout"],
        broken=DATASET["broken"],
        short=DATASET["short"],
        min_frames=MIN_FRAMES,
    message:
        "Listing the videos of {wildcards.dataset}"
    shell:
        """
        python -m csvr.index --layout {params.layout} --videos {input.videos:q} --splits {input.splits:q} \
            --split {params.split} --min-frames {params.min_frames} --broken {params.broken} --short {params.short} \
            --output {output:q} --runs "$RUNS" --threads {resources.workers} >{log:q} 2>&1
        """
