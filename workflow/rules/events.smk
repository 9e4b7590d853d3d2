rule simulate:
    input:
        config=ancient(CONFIG),
    output:
        f"{OUT}/events/{{sample}}/{{shard}}.root",
    params:
        settings=lambda w: depends(
            SETTINGS.samples[w.sample].simulate,
            geometry=SETTINGS.samples[w.sample].geometry,
            seed=SETTINGS.seed,
        ),
        code=code_version("hepcnn.simulation.rich.generate"),
    log:
        f"{OUT}/logs/simulate/{{sample}}-{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/simulate/{{sample}}-{{shard}}.tsv"
    shell:
        "hepcnn simulate rich --config {input.config} --sample {wildcards.sample} --shard {wildcards.shard}"
        " -o {output} 2>&1 | tee {log}"
