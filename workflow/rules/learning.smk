rule train:
    # A killed training finds its progress again: it lies beside the output, in a folder that
    # Snakemake does not know, because it deletes what it knows before a rule starts.
    input:
        task_shards,
    output:
        checkpoint=f"{OUT}/tasks/{{task}}/{{network}}/checkpoint.ckpt",
        history=f"{OUT}/tasks/{{task}}/{{network}}/history.csv",
    params:
        config=lambda w: task_part(
            w.task,
            "kind",
            "target",
            "train",
            networks={w.network: SETTINGS.tasks[w.task].networks[w.network]},
        ),
        folder=subpath(output.checkpoint, parent=True),
        code=code_version("hepcnn.learning.training"),
    log:
        f"{OUT}/logs/train/{{task}}-{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{task}}-{{network}}.tsv"
    threads: 8  # capped by --cores
    shell:
        "hepcnn train {input} --config - --task {wildcards.task} --network {wildcards.network}"
        " -o {params.folder} <<< {params.config:q} 2>&1 | tee {log}"


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
    threads: 8  # capped by --cores
    shell:
        "hepcnn predict {input.images} --checkpoint {input.checkpoint} -o {output} 2>&1 | tee {log}"


rule predict_baseline:
    input:
        task_shards,
    output:
        f"{OUT}/tasks/{{task}}/{{baseline}}/predictions.h5",
    params:
        config=lambda w: task_part(w.task, "kind", "target", baselines=[w.baseline]),
        code=code_version("hepcnn.learning.baselines"),
    log:
        f"{OUT}/logs/predict/{{task}}-{{baseline}}.log",
    benchmark:
        f"{OUT}/benchmarks/predict/{{task}}-{{baseline}}.tsv"
    shell:
        "hepcnn predict {input} --config - --task {wildcards.task} --baseline {wildcards.baseline}"
        " -o {output} <<< {params.config:q} 2>&1 | tee {log}"
