rule train:
    # Progress is kept beside the output, in a folder that Snakemake does not know: it deletes what
    # it knows before a rule starts, and a killed training must find its progress again.
    input:
        images=task_shards,
        config=ancient(CONFIG),
    output:
        checkpoint=f"{OUT}/tasks/{{task}}/{{network}}/checkpoint.ckpt",
        history=f"{OUT}/tasks/{{task}}/{{network}}/history.csv",
    params:
        folder=subpath(output.checkpoint, parent=True),
        settings=lambda w: depends(
            SETTINGS.tasks[w.task].train,
            network=SETTINGS.tasks[w.task].networks[w.network].model_dump(),
            target=SETTINGS.tasks[w.task].target,
            split=SETTINGS.split.model_dump(),
            seed=SETTINGS.seed,
        ),
        code=code_version("hepcnn.learning.training"),
    log:
        f"{OUT}/logs/train/{{task}}-{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{task}}-{{network}}.tsv"
    threads: workflow.cores
    shell:
        "hepcnn train {input.images} --config {input.config} --task {wildcards.task}"
        " --network {wildcards.network} -o {params.folder} 2>&1 | tee {log}"


rule predict:
    input:
        images=task_shards,
        checkpoint=rules.train.output.checkpoint,
    output:
        f"{OUT}/tasks/{{task}}/{{network}}/predictions.h5",
    params:
        code=code_version("hepcnn.learning.prediction"),
    log:
        f"{OUT}/logs/predict/{{task}}-{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/predict/{{task}}-{{network}}.tsv"
    threads: workflow.cores
    shell:
        "hepcnn predict {input.images} --checkpoint {input.checkpoint} -o {output} 2>&1 | tee {log}"


rule predict_baseline:
    input:
        images=task_shards,
        config=ancient(CONFIG),
    output:
        f"{OUT}/tasks/{{task}}/{{baseline}}/predictions.h5",
    params:
        settings=depends(SETTINGS.split),
        code=code_version("hepcnn.reconstruction.controls"),
    log:
        f"{OUT}/logs/predict/{{task}}-{{baseline}}.log",
    benchmark:
        f"{OUT}/benchmarks/predict/{{task}}-{{baseline}}.tsv"
    shell:
        "hepcnn predict {input.images} --config {input.config} --task {wildcards.task}"
        " --baseline {wildcards.baseline} -o {output} 2>&1 | tee {log}"
