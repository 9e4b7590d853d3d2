def settings_of(imageset):
    # An altered one has another sample, and the settings of the image set that it is of.
    return imageset.partition("@")[0]


def conversion_part(wildcards):
    # A shard depends on its own files only: adding one to the sample converts that one.
    images = IMAGES[wildcards.imageset]
    files = sources(wildcards.imageset, wildcards.shard)
    own = SETTINGS.samples[images.sample].model_copy(update={"simulate": None, "files": files})
    return part(samples={images.sample: own}, images={settings_of(wildcards.imageset): images})


rule convert:
    input:
        lambda w: local(sources(w.imageset, w.shard)),
        lambda w: geometry(IMAGES[w.imageset].sample),
    output:
        f"{OUT}/images/{{imageset}}/{{shard}}.h5",
    params:
        config=conversion_part,
        images=lambda w: settings_of(w.imageset),
        files=lambda w: sources(w.imageset, w.shard),
        code=code_version("hepcnn.imaging.convert"),
    log:
        f"{OUT}/logs/convert/{{imageset}}-{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/convert/{{imageset}}-{{shard}}.tsv"
    resources:
        mem_mb=memory("convert"),
        runtime=by_size("convert"),
    priority: 2
    shell:
        "hepcnn convert --config - --images {params.images:q} -o {output:q} -- {params.files:q}"
        " <<< {params.config:q} 2>&1 | tee -- {log:q}"


rule gather:
    # Refuses events that are in two shards before anything is trained on them.
    input:
        lambda w: shards(w.imageset),
    output:
        f"{OUT}/images/{{imageset}}/{MANIFEST}",
    log:
        f"{OUT}/logs/gather/{{imageset}}.log",
    priority: 2
    shell:
        "hepcnn gather -- {input:q} 2>&1 | tee -- {log:q}"
