rule simulate:
    input:
        lambda w: geometry(w.sample),
    output:
        f"{OUT}/events/{{sample}}/{{shard}}.root",
    wildcard_constraints:
        shard=r"\d{4}",
    params:
        config=lambda w: part(samples={w.sample: SETTINGS.samples[w.sample]}, seed=SETTINGS.seed),
        detector=lambda w: SETTINGS.samples[w.sample].detector,
        code=lambda w: code_version(f"hepcnn.simulation.{SETTINGS.samples[w.sample].detector}.generate"),
    log:
        f"{OUT}/logs/simulate/{{sample}}-{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/simulate/{{sample}}-{{shard}}.tsv"
    resources:
        mem_mb=memory("simulate"),
        runtime=lambda w, attempt: minutes(simulation_seconds(SETTINGS.samples[w.sample]), attempt),
    priority: 2  # before the rest: trainings wait for it
    shell:
        "hepcnn simulate {params.detector:q} --config - --sample {wildcards.sample:q} --shard {wildcards.shard:q}"
        " -o {output:q} <<< {params.config:q} 2>&1 | tee -- {log:q}"
