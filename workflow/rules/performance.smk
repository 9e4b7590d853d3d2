# One rule a task: which tables there are depends on the task's methods.
for _task in SETTINGS.tasks:

    rule:
        name:
            f"evaluate_{_task}"
        input:
            predictions(_task),
        output:
            table_files(_task),
        params:
            config=task_part(_task, "kind", "target", "networks", "baselines", "robustness", "systematics", "tables"),
            task=_task,
            folder=subpath(output[0], parent=True),
            code=code_version("hepcnn.performance.evaluate"),
        log:
            f"{OUT}/logs/evaluate/{_task}.log",
        resources:
            mem_mb=memory("evaluate"),
            runtime=by_rule("evaluate"),
        shell:
            "hepcnn evaluate --config - --task {params.task:q} -o {params.folder:q} -- {input:q}"
            " <<< {params.config:q} 2>&1 | tee -- {log:q}"


rule report:
    input:
        [path for imageset in SETTINGS.images for path in image_set(imageset)],
        [path for task in SETTINGS.tasks for path in table_files(task)],
        [path for task in SETTINGS.tasks for path in learned(task)],
        [path for detector in SETTINGS.validation for path in validated(detector)],
    output:
        page=f"{OUT}/report.html",
        figures=[
            *(directory(f"{OUT}/images/{imageset}/figures") for imageset in SETTINGS.images),
            *(directory(f"{OUT}/tasks/{task}/figures") for task in SETTINGS.tasks),
        ],
    threads: 8  # sections drawn side by side
    params:
        config=SETTINGS.model_dump_json(),
        code=code_version("hepcnn.report.page"),
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    resources:
        mem_mb=memory("report"),
        runtime=by_rule("report"),
    shell:
        "hepcnn report --config - -o {output.page:q} <<< {params.config:q} 2>&1 | tee -- {log:q}"
