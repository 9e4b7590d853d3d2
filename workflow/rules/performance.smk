rule evaluate:
    input:
        lambda w: [f"{OUT}/tasks/{w.task}/{m}/predictions.h5" for m in methods(w.task)],
    output:
        table_paths(f"{OUT}/tasks/{{task}}/tables"),
    params:
        config=lambda w: task_part(w.task, "kind", "target", "tables"),
        folder=subpath(output[0], parent=True),
        code=code_version("hepcnn.performance.evaluate"),
    log:
        f"{OUT}/logs/evaluate/{{task}}.log",
    benchmark:
        f"{OUT}/benchmarks/evaluate/{{task}}.tsv"
    shell:
        "hepcnn evaluate {input} --config - --task {wildcards.task} -o {params.folder}"
        " <<< {params.config:q} 2>&1 | tee {log}"


rule report:
    input:
        rules.images.input,
        rules.tables.input,
        [f"{OUT}/tasks/{t}/{n}/history.csv" for t, task in SETTINGS.tasks.items() for n in task.networks],
        [f"{OUT}/tasks/{t}/{m}/predictions.h5" for t in SETTINGS.tasks for m in methods(t)],
    output:
        f"{OUT}/report.html",
    params:
        config=SETTINGS.model_dump_json(),
        code=code_version("hepcnn.report.page"),
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    shell:
        "hepcnn report --config - -o {output} <<< {params.config:q} 2>&1 | tee {log}"
