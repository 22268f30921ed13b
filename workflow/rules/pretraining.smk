"""Joint pretraining of the branches, without labels."""


rule pretrain:
    input:
        index="features/{dataset}/index.csv",
        clips=shards("clips"),
        poses=shards("poses"),
        iframes=shards("iframes"),
    output:
        networks="results/{dataset}/{variant}/{weights}/seed{seed}/networks.safetensors",
        history="results/{dataset}/{variant}/{weights}/seed{seed}/history.csv",
    log:
        "logs/{dataset}/pretrain/{variant}/{weights}/seed{seed}.log",
    benchmark:
        "benchmarks/{dataset}/pretrain/{variant}/{weights}/seed{seed}.tsv"
    # Long jobs first: short ones fill the end, when not all cores are wanted.
    priority: 1
    conda:
        "../../environment.yml"
    threads: lambda wildcards: share(pretrain_mb(wildcards))
    resources:
        mem_mb=pretrain_mb,
        runtime=pretrain_minutes,
        gpu=GPU,
        nodes=1,
    params:
        code=code_hash("pretrain"),
        made_from=made_from(DATASET),
        p=pretrain_params,
    message:
        "Pretraining {wildcards.variant} ({wildcards.weights}), seed {wildcards.seed}"
    shell:
        """
        python -m csvr.launch --gpus {resources.gpu} --nodes {resources.nodes} pretrain \
            --index {input.index:q} --clips {input.clips:q} --poses {input.poses:q} --iframes {input.iframes:q} \
            --params {params.p:q} --variant {wildcards.variant:q} --seed {wildcards.seed} \
            --output {output.networks:q} --history {output.history:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
