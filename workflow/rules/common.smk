# What the rules share: the checked configuration, the names of files, and what each stage depends on.
import json
import shlex

from snakemake.exceptions import WorkflowError

from hepcnn.config import validate
from hepcnn.errors import InputError
from hepcnn.events.reading import expand_files
from hepcnn.networks.registry import require
from hepcnn.performance.evaluate import table_paths
from hepcnn.provenance import code_version


def _checked(build):
    # An InputError is the user's to mend: its message without a traceback.
    try:
        return build()
    except InputError as error:
        raise WorkflowError(str(error)) from None


SETTINGS = _checked(lambda: validate(config, "config.yaml"))
OUT = SETTINGS.output.rstrip("/")
CONFIG = f"{OUT}/config.yaml"
for _task in SETTINGS.tasks.values():
    for _name, _network in _task.networks.items():
        _checked(lambda: require(_network.architecture or _name))


def _alternatives(names):
    # No name matches nothing: a wildcard must still have a pattern.
    return "|".join(sorted({re.escape(name) for name in names})) or "$^"


wildcard_constraints:
    sample=_alternatives(SETTINGS.samples),
    imageset=_alternatives(SETTINGS.images),
    task=_alternatives(SETTINGS.tasks),
    network=_alternatives(n for t in SETTINGS.tasks.values() for n in t.networks),
    baseline=_alternatives(b for t in SETTINGS.tasks.values() for b in t.baselines),
    shard=r"\d{4}",


def simulated(sample):
    """Files of a simulated sample."""
    return [f"{OUT}/events/{sample}/{k:04d}.root" for k in range(SETTINGS.samples[sample].simulate.shards)]


# Expanded once: a glob is read from disk, and each rule's inputs must agree on it.
SOURCES = {
    name: simulated(name) if sample.simulate else _checked(lambda: [str(f) for f in expand_files(sample.files)])
    for name, sample in SETTINGS.samples.items()
}


def sources(imageset, shard):
    """ROOT files that one image shard is made of."""
    sample = SETTINGS.images[imageset].sample
    size = SETTINGS.samples[sample].files_per_job
    return SOURCES[sample][int(shard) * size :][:size]


def local(files):
    """The files that Snakemake can watch: not root:// addresses, and without a tree's name."""
    return [f.split(".root:")[0] + ".root" if ".root:" in f else f for f in files if "://" not in f]


def shards(imageset):
    """Image shards of an image set."""
    sample = SETTINGS.images[imageset].sample
    jobs = -(-len(SOURCES[sample]) // SETTINGS.samples[sample].files_per_job)
    return [f"{OUT}/images/{imageset}/{k:04d}.h5" for k in range(jobs)]


def task_shards(wildcards):
    return shards(SETTINGS.tasks[wildcards.task].images)


def methods(task):
    """Networks and baselines of a task, in the order of the tables."""
    return [*SETTINGS.tasks[task].networks, *SETTINGS.tasks[task].baselines]


def table_files(task):
    return table_paths(f"{OUT}/tasks/{task}/tables", methods(task))


def depends(model, **more):
    """Exactly the settings that a rule depends on, as a parameter that Snakemake compares."""
    return json.dumps({**model.model_dump(mode="json"), **more}, sort_keys=True)


rule settings:
    # The resolved configuration, for every command. Rules take it as ancient: what they depend on
    # of it is among their parameters, so that an edit reruns what it must and nothing more.
    output:
        CONFIG,
    params:
        text=SETTINGS.model_dump_json(indent=2),
    log:
        f"{OUT}/logs/settings.log",
    shell:
        "printf '%s\n' {params.text:q} > {output} 2> {log}"
