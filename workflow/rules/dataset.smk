"""The videos and their index."""

if GENERATED:

    rule generate_mannequin:
        output:
            summary=f"{DATASET['root']}/dataset.json",
            videos=directory(DATASET["videos"]),
            splits=[f"{DATASET['splits']}/{name}.txt" for name in ("classInd", "trainlist01", "testlist01")],
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
        lists=[
            f"{DATASET['splits']}/{name}.txt"
            for name in ("classInd", f"trainlist{DATASET['split']:02d}", f"testlist{DATASET['split']:02d}")
        ],
        # Made anew, these are other videos; the summary holds a checksum of all of them.
        summary=[f"{DATASET['root']}/dataset.json"] if GENERATED else [],
        videos=ancient(DATASET["videos"]),
    output:
        "features/{dataset}/index.csv",
    log:
        "logs/{dataset}/index_videos.log",
    benchmark:
        "benchmarks/{dataset}/index_videos.tsv"
    conda:
        "../../environment.yml"
    threads: share(1000)
    resources:
        mem_mb=1000,
    params:
        code=code_hash("index"),
        raw=RAW,
        split=DATASET["split"],
        # A clip and the future clip after it.
        min_frames=2 * config["clip"]["frames"] * config["clip"]["stride"],
    message:
        "Listing the videos of {wildcards.dataset}"
    shell:
        """
        python -m csvr.index --videos {input.videos:q} --splits "$(dirname {input.lists[0]:q})" --split {params.split} \
            --min-frames {params.min_frames} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
