"""Downstream evaluation: linear probes and fine-tuning; quality of generated clips."""


rule evaluate:
    input:
        index=INDEX,
        clips=all_shards("clips"),
        poses=all_shards("poses"),
        pretrained_index=PRETRAINED_INDEX,
        networks=networks_of,
    output:
        metrics=f"results/{{dataset}}/{{variant}}/{{weights}}/seed{{seed}}/{METRICS}",
        frozen=f"results/{{dataset}}/{{variant}}/{{weights}}/seed{{seed}}/{FROZEN}",
    log:
        "logs/{dataset}/evaluate/{variant}/{weights}/seed{seed}.log",
    benchmark:
        "benchmarks/{dataset}/evaluate/{variant}/{weights}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=memory(3000),
        runtime=minutes(720),
        gpu=GPU,
    params:
        code=code_hash("evaluate"),
        made_from=made_from(TARGET),
        p=evaluate_params,
    message:
        "Evaluating {wildcards.variant} ({wildcards.weights}), seed {wildcards.seed}"
    shell:
        """
        python -m csvr.launch --gpus {resources.gpu} evaluate --index {input.index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --networks {input.networks:q} --pretrained-index {input.pretrained_index:q} --params {params.p:q} \
            --variant {wildcards.variant:q} --output {output.metrics:q} --frozen {output.frozen:q} \
            --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule clip_judge:
    input:
        index="features/{dataset}/index.csv",
        clips=shards("clips"),
        poses=shards("poses"),
    output:
        "results/{dataset}/clip_judge.safetensors",
    log:
        "logs/{dataset}/clip_judge.log",
    benchmark:
        "benchmarks/{dataset}/clip_judge.tsv"
    # Whatever is measured waits for it.
    priority: 1
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=memory(3000),
        runtime=minutes(720),
    params:
        code=code_hash("clip_judge"),
        made_from=made_from(DATASET),
        p=text(judge_params()),
    message:
        "Training the network that judges generated clips"
    shell:
        """
        python -m csvr.clip_judge --index {input.index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --params {params.p:q} --output {output:q} --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """


rule generation_quality:
    input:
        index="features/{dataset}/index.csv",
        clips=shards("clips"),
        poses=shards("poses"),
        networks="results/{dataset}/{variant}/{weights}/seed{seed}/networks.safetensors",
        judge="results/{dataset}/clip_judge.safetensors",
    output:
        "results/{dataset}/{variant}/{weights}/seed{seed}/generation.json",
    log:
        "logs/{dataset}/generation_quality/{variant}/{weights}/seed{seed}.log",
    benchmark:
        "benchmarks/{dataset}/generation_quality/{variant}/{weights}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: share(3000)
    resources:
        mem_mb=memory(3000),
        runtime=minutes(240),
    params:
        code=code_hash("generation_quality"),
        p=generation_quality_params,
    message:
        "Measuring what {wildcards.variant} ({wildcards.weights}), seed {wildcards.seed}, generates"
    shell:
        """
        python -m csvr.generation_quality --index {input.index:q} --clips {input.clips:q} --poses {input.poses:q} \
            --networks {input.networks:q} --judge {input.judge:q} --params {params.p:q} --output {output:q} \
            --runs "$RUNS" --threads 1 >{log:q} 2>&1
        """
