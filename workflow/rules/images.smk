rule convert:
    input:
        files=lambda w: local(sources(w.imageset, w.shard)),
        config=ancient(CONFIG),
    output:
        f"{OUT}/images/{{imageset}}/{{shard}}.h5",
    params:
        files=lambda w: sources(w.imageset, w.shard),
        settings=lambda w: depends(
            SETTINGS.images[w.imageset],
            sample=SETTINGS.samples[SETTINGS.images[w.imageset].sample].layout(),
        ),
        code=code_version("hepcnn.imaging.convert"),
    log:
        f"{OUT}/logs/convert/{{imageset}}-{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/convert/{{imageset}}-{{shard}}.tsv"
    shell:
        "hepcnn convert {params.files:q} --config {input.config} --images {wildcards.imageset}"
        " -o {output} 2>&1 | tee {log}"
