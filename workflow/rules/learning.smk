def network_part(wildcards):
    # Its own image set and training in the place of the task's: the others are nothing to it. A
    # trial is trained as the network with its values, and knows nothing of the search.
    task = TRAINED[wildcards.task]
    network = task.trainings[wildcards.network]
    # As many seeds as its own name needs: more or fewer of them are nothing to it either.
    alone = {"images": None, "train": {}, "seeds": number_of(wildcards.network)}
    return task_part(
        wildcards.task,
        "kind",
        "target",
        images=network.images,
        train=task.train_of(wildcards.network),
        baselines=[],
        networks={network_of(without_trial(wildcards.network)): network.model_copy(update=alone)},
    )


def sparse(wildcards):
    # What is predicted is called as the network that is searched, what is trained as its trials.
    known = SETTINGS.tasks[wildcards.task].trainings | TRAINED[wildcards.task].trainings
    network = known[wildcards.network]
    return is_sparse(network.architecture or network_of(wildcards.network), network.options)


def network_threads(wildcards):
    # As many as hepcnn takes, which Snakemake tells by OMP_NUM_THREADS, and --cores caps. So many
    # networks of one thread train side by side.
    return 1 if sparse(wildcards) else 8


def gpus(wildcards):
    # Dense networks: by far the longer trainings. Sparse ones use a GPU where they are given one.
    devices = TRAINED[wildcards.task].train_of(wildcards.network).devices
    return 0 if sparse(wildcards) else 1 if devices == "auto" else devices


rule train:
    # A killed training finds its progress again: it lies beside the output, in a folder that
    # Snakemake does not know, because it deletes what it knows before a rule starts.
    input:
        images=lambda w: method_images(w.task, without_trial(w.network)),
    output:
        checkpoint=f"{OUT}/tasks/{{task}}/{{network}}/checkpoint.ckpt",
        history=f"{OUT}/tasks/{{task}}/{{network}}/history.csv",
    wildcard_constraints:
        # Not what is chosen: of a task's own folder, for another can train a network of that name.
        network="|".join(rf"(?<=/tasks/{re.escape(t)}/){re.escape(n)}" for t in TRAINED for n in TRAINED[t].trainings)
        or "$^",
    params:
        config=network_part,
        network=lambda w: without_trial(w.network),
        folder=subpath(output.checkpoint, parent=True),
        code=code_version("hepcnn.learning.training"),
    log:
        f"{OUT}/logs/train/{{task}}/{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{task}}/{{network}}.tsv"
    threads: network_threads
    resources:
        mem_mb=memory("train"),
        runtime=by_rule("train"),
        gpu=gpus,
    priority: 1  # the longest first, so that none is left alone at the end
    shell:
        "hepcnn train --config - --task {wildcards.task:q} --network {params.network:q} -o {params.folder:q}"
        " -- {input.images[0]:q} <<< {params.config:q} 2>&1 | tee -- {log:q}"


# One rule a task: which networks there are trials of depends on the task.
for _task in filter(tried, SETTINGS.tasks):

    rule:
        name:
            f"choose_{_task}"
        localrule: True
        input:
            trainings(_task, tried(_task)),
        output:
            searched(_task),
        params:
            config=task_part(
                _task,
                "kind",
                "target",
                "train",
                "search",
                baselines=[],
                networks={n: SETTINGS.tasks[_task].networks[n] for n in SETTINGS.tasks[_task].search},
            ),
            task=_task,
            folder=f"{OUT}/tasks/{_task}",
            code=code_version("hepcnn.performance.search"),
        log:
            f"{OUT}/logs/choose/{_task}.log",
        shell:
            "hepcnn choose --config - --task {params.task:q} -- {params.folder:q}"
            " <<< {params.config:q} 2>&1 | tee -- {log:q}"


rule predict:
    input:
        images=lambda w: method_images(w.task, w.network, w.altered),
        checkpoint=rules.train.output.checkpoint,
    output:
        f"{OUT}/tasks/{{task}}/{{network}}/predictions{{altered}}.h5",
    params:
        altered=lambda w: ["--altered", w.altered[1:]] if w.altered else [],
        code=code_version("hepcnn.learning.prediction"),
    log:
        f"{OUT}/logs/predict/{{task}}/{{network}}{{altered}}.log",
    threads: network_threads
    resources:
        mem_mb=memory("predict"),
        runtime=by_size("predict"),
    shell:
        "hepcnn predict --checkpoint {input.checkpoint:q} {params.altered:q} -o {output:q} -- {input.images[0]:q}"
        " 2>&1 | tee -- {log:q}"


rule predict_baseline:
    input:
        images=lambda w: method_images(w.task, w.baseline, w.altered),
        # Altered events are scored with what is fitted on the task's own.
        train=lambda w: method_images(w.task, w.baseline) if w.altered else [],
    output:
        f"{OUT}/tasks/{{task}}/{{baseline}}/predictions{{altered}}.h5",
    params:
        config=lambda w: task_part(
            w.task,
            "kind",
            "target",
            # Boxes about true vertices are as in the training.
            **(
                {"train": {"box": SETTINGS.tasks[w.task].train.box}}
                if SETTINGS.tasks[w.task].target == "vertex"
                else {}
            ),
            baselines=[w.baseline],
            robustness=[w.altered[1:]] if w.altered else [],
        ),
        train=lambda w, input: [word for manifest in input.train[:1] for word in ("--train", manifest)],
        altered=lambda w: ["--altered", w.altered[1:]] if w.altered else [],
        code=code_version("hepcnn.learning.baselines"),
    log:
        f"{OUT}/logs/predict/{{task}}/{{baseline}}{{altered}}.log",
    threads: lambda w: 8 if w.baseline.endswith("_tree") else 1  # capped by --cores
    resources:
        mem_mb=memory("predict_baseline"),
        runtime=by_size("predict_baseline"),
    shell:
        "hepcnn predict {params.train:q} --config - --task {wildcards.task:q} --baseline {wildcards.baseline:q}"
        " {params.altered:q} -o {output:q} -- {input.images[0]:q}"
        " <<< {params.config:q} 2>&1 | tee -- {log:q}"
