def validated_sample(detector):
    """The sample whose settings are checked: the first that is simulated."""
    samples = SETTINGS.samples.items()
    return next(name for name, sample in samples if sample.detector == detector and sample.simulate)


rule validate:
    input:
        lambda w: geometry(validated_sample(w.detector)),
    output:
        expand(f"{OUT}/validation/{{{{detector}}}}/checks.{{suffix}}", suffix=FORMATS),
        figures=directory(f"{OUT}/validation/{{detector}}/figures"),
    params:
        config=lambda w: part(
            samples={name: SETTINGS.samples[name] for name in [validated_sample(w.detector)]},
            seed=SETTINGS.seed,
        ),
        folder=subpath(output.figures, parent=True),
        code=lambda w: code_version(f"hepcnn.validation.{w.detector}.run"),
    log:
        f"{OUT}/logs/validate/{{detector}}.log",
    benchmark:
        f"{OUT}/benchmarks/validate/{{detector}}.tsv"
    resources:
        mem_mb=memory("validate"),
        runtime=by_rule("validate"),
    # A failed check (status 3) is a result: it is kept, and the report shows it.
    shell:
        "hepcnn validate {wildcards.detector:q} --config - -o {params.folder:q}"
        " <<< {params.config:q} 2>&1 | tee -- {log:q} || [ $? -eq 3 ]"
