rule simulate:
    input:
        lambda w: geometry(w.sample),
    output:
        f"{OUT}/events/{{sample}}/{{shard}}.root",
    params:
        config=lambda w: part(samples={w.sample: SETTINGS.samples[w.sample]}, seed=SETTINGS.seed),
        code=code_version("hepcnn.simulation.rich.generate"),
    log:
        f"{OUT}/logs/simulate/{{sample}}-{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/simulate/{{sample}}-{{shard}}.tsv"
    shell:
        "hepcnn simulate rich --config - --sample {wildcards.sample} --shard {wildcards.shard}"
        " -o {output} <<< {params.config:q} 2>&1 | tee {log}"
