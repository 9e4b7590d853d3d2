# What the rules share: the checked configuration, the names of files, and what each stage depends on.
import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hepcnn.config import validate
from hepcnn.detector.geometry import geometry_names
from hepcnn.errors import InputError
from hepcnn.events.reading import FileSpec, expand_files
from hepcnn.networks.registry import require
from hepcnn.performance.evaluate import table_paths
from hepcnn.provenance import code_version


# Rules call `hepcnn`: that of the environment that snakemake runs in, activated or not.
shell.prefix(f'set -euo pipefail; export PATH="{Path(sys.executable).parent}:$PATH"; ')


def _checked(build):
    # An InputError is the user's to mend: its message without a traceback.
    try:
        return build()
    except InputError as error:
        raise WorkflowError(str(error)) from None


SETTINGS = _checked(lambda: validate(config, "config.yaml"))
OUT = SETTINGS.output.rstrip("/")
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
    return [FileSpec.parse(file).path for file in files if "://" not in file]


def geometry(sample):
    """The geometry of a sample, where it is a file of the user's."""
    name = SETTINGS.samples[sample].geometry
    return [] if name in geometry_names() else [name]


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


def learned(task):
    """What training and prediction make for a task."""
    made = [f"{network}/{file}" for network in SETTINGS.tasks[task].networks for file in ("checkpoint.ckpt", "history.csv")]
    made += [f"{method}/predictions.h5" for method in methods(task)]
    return [f"{OUT}/tasks/{task}/{file}" for file in made]


def table_files(task):
    """All tables of a task."""
    return table_paths(f"{OUT}/tasks/{task}/tables", SETTINGS.tasks[task])


def part(**sections):
    """Exactly the configuration that a rule depends on, as JSON for its command's standard input.

    It is a parameter, which Snakemake compares: an edit reruns what it must and nothing more, and
    a command cannot read a setting that its rule does not depend on.
    """
    empty = {"images": {}, "tasks": {}}
    return json.dumps(empty | sections, sort_keys=True, default=lambda m: m.model_dump(mode="json"))


def task_part(task, *settings, **more):
    """The part of a task: those of its settings, and the images and the sample it stands on."""
    whole = SETTINGS.tasks[task]
    images = SETTINGS.images[whole.images]
    chosen = {"images": whole.images} | {name: getattr(whole, name) for name in settings} | more
    return part(
        samples={images.sample: SETTINGS.samples[images.sample]},
        images={whole.images: images},
        tasks={task: chosen},
        split=SETTINGS.split,
        seed=SETTINGS.seed,
    )
