"""Tables."""


rule table_ablation:
    input:
        metrics=cells(METRICS),
        index=INDEX,
        expected=EXPECTED,
    output:
        table=TABLE,
        others=formats("table_ablation")[2:],
        html=report(
            "reports/table_ablation.html",
            caption="../report/table_ablation.rst",
            category="Ablation",
            labels={"what": "table: accuracy of every variant"},
        ),
        figure=report(
            "reports/figures/table_ablation.png",
            caption="../report/table_ablation.rst",
            category="Ablation",
            labels={"what": "figure: accuracy of every variant"},
        ),
        drawings=drawings("table_ablation")[1:],
    log:
        "logs/table_ablation.log",
    benchmark:
        "benchmarks/table_ablation.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Writing the ablation table"
    shell:
        """
        python -m csvr.report ablation --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} --figure {output.figure:q} \
            {output.drawings:q} >{log:q} 2>&1
        """


# Tables of what `evaluate` measures. Those with published numbers beside have them from a file of their own, whose content
# is a parameter: a checkout gives files any time.
for name, measured in MEASURED.items():

    rule:
        name:
            f"table_{name}"
        input:
            metrics=cells(METRICS),
            index=INDEX,
            expected=EXPECTED,
            published=measured.published or [],
        output:
            table=f"reports/table_{name}.md",
            others=formats(f"table_{name}")[2:],
            html=report(
                f"reports/table_{name}.html",
                caption=f"../report/{measured.caption}.rst",
                category=measured.category,
                labels={"what": f"table: {measured.what}"},
            ),
        log:
            f"logs/table_{name}.log",
        benchmark:
            f"benchmarks/table_{name}.tsv"
        conda:
            "../../environment.yml"
        threads: share(1500)
        resources:
            mem_mb=memory(1500),
            runtime=minutes(30),
        params:
            code=code_hash("report"),
            command=measured.command,
            beside=f"--published {shlex.quote(measured.published)}" if measured.published else "",
            published=sha256(Path(measured.published)) if measured.published else None,
        message:
            f"Writing the table: {measured.what}"
        shell:
            """
            python -m {params.command} --metrics {input.metrics:q} --index {input.index:q} \
                --expect {input.expected:q} {params.beside} --output {output.table:q} >{log:q} 2>&1
            """


rule table_sigma:
    input:
        metrics=cells(METRICS, GRID, config["sweep"]["seeds"]),
        index=INDEX,
        expected=EXPECTED_SWEEP,
    output:
        table="reports/table_sigma.md",
        others=formats("table_sigma")[2:],
        html=report(
            "reports/table_sigma.html",
            caption="../report/sigma.rst",
            category="Loss weights",
            labels={"what": "table: accuracy by loss weights"},
        ),
        figure=report(
            "reports/figures/sigma_sweep.png",
            caption="../report/sigma.rst",
            category="Loss weights",
            labels={"what": "figure: accuracy by loss weights"},
        ),
        drawings=drawings("sigma_sweep")[1:],
    log:
        "logs/table_sigma.log",
    benchmark:
        "benchmarks/table_sigma.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Writing the table of loss weights"
    shell:
        """
        python -m csvr.report sigma --metrics {input.metrics:q} --index {input.index:q} --expect {input.expected:q} \
            --output {output.table:q} --figure {output.figure:q} \
            {output.drawings:q} >{log:q} 2>&1
        """


rule table_integration:
    input:
        metrics=cells(METRICS, INTEGRATION, config["integration"]["seeds"]),
        index=INDEX,
        expected=EXPECTED_INTEGRATION,
    output:
        table="reports/table_integration.md",
        others=formats("table_integration")[2:],
        html=report(
            "reports/table_integration.html",
            caption="../report/integration.rst",
            category="Integration layer",
            labels={"what": "table: accuracy by integration layer"},
        ),
    log:
        "logs/table_integration.log",
    benchmark:
        "benchmarks/table_integration.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Writing the table of integration layers"
    shell:
        """
        python -m csvr.report integration --metrics {input.metrics:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_generation_quality:
    input:
        quality=cells("generation.json", GENERATING),
        index=PRETRAINED_INDEX,
        expected=EXPECTED_GENERATION,
    output:
        table="reports/table_generation_quality.md",
        others=formats("table_generation_quality")[2:],
        html=report(
            "reports/table_generation_quality.html",
            caption="../report/generation_quality.rst",
            category="Generation",
            labels={"what": "table: quality of generated clips"},
        ),
    log:
        "logs/table_generation_quality.log",
    benchmark:
        "benchmarks/table_generation_quality.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
    message:
        "Writing the table of generated clips"
    shell:
        """
        python -m csvr.report generation-quality --quality {input.quality:q} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_pose_quality:
    input:
        metrics=cells(METRICS),
        quality=[POSE_QUALITY] if SCORED else [],
        index=INDEX,
        expected=EXPECTED,
    output:
        table="reports/table_pose_quality.md",
        others=formats("table_pose_quality")[2:],
        html=report(
            "reports/table_pose_quality.html",
            caption="../report/table_pose_quality.rst",
            category="Poses",
            labels={"what": "table: estimated and predicted poses"},
        ),
    log:
        "logs/table_pose_quality.log",
    benchmark:
        "benchmarks/table_pose_quality.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("report"),
        quality=f"--pose-quality {POSE_QUALITY}" if SCORED else "",
    message:
        "Writing the table of pose quality"
    shell:
        """
        python -m csvr.report pose-quality --metrics {input.metrics:q} {params.quality} --index {input.index:q} \
            --expect {input.expected:q} --output {output.table:q} >{log:q} 2>&1
        """


rule table_models:
    output:
        table="reports/table_models.md",
        others=formats("table_models")[2:],
        html=report(
            "reports/table_models.html",
            caption="../report/models.rst",
            category="Cost",
            labels={"what": "table: networks and their sizes"},
        ),
    log:
        "logs/table_models.log",
    benchmark:
        "benchmarks/table_models.tsv"
    conda:
        "../../environment.yml"
    threads: share(1500)
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        code=code_hash("models"),
        p=models_params,
    message:
        "Writing the table of networks"
    shell:
        """
        python -m csvr.models --params {params.p:q} --output {output.table:q} >{log:q} 2>&1
        """
