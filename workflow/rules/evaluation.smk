"""Downstream evaluation: linear probes and fine-tuning."""


rule evaluate:
    input:
        index="features/{dataset}/index.csv",
        clips=shards("clips"),
        poses=shards("poses"),
        networks="results/{dataset}/{variant}/{weights}/seed{seed}/networks.safetensors",
    output:
        "results/{dataset}/{variant}/{weights}/seed{seed}/metrics.json",
    log:
        "logs/{dataset}/evaluate/{variant}/{weights}/seed{seed}.log",
    benchmark:
        "benchmarks/{dataset}/evaluate/{variant}/{weights}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=3000,
    params:
        code=code_hash("evaluate"),
        p=evaluate_params,
    message:
        "Evaluating {wildcards.variant} ({wildcards.weights}), seed {wildcards.seed}"
    shell:
        """
        python -m csvr.evaluate --index {input.index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --networks {input.networks:q} --params {params.p:q} --output {output:q} \
            --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
