# What the rules share: the checked configuration, the names of files, and what each stage depends on.
import json
import os
import re
import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

from hepcnn.config import network_of, number_of, read_mapping, trained, validate, without_trial
from hepcnn.detector.geometry import geometry_names
from hepcnn.detector.tpc import tpc_names
from hepcnn.errors import InputError
from hepcnn.events.reading import FileSpec, expand_files
from hepcnn.networks.registry import is_sparse, require
from hepcnn.performance.evaluate import table_paths
from hepcnn.performance.search import SEARCH
from hepcnn.performance.table import FORMATS
from hepcnn.provenance import code_version
from hepcnn.store.manifest import MANIFEST, shard_name


# Rules call `hepcnn`: that of the environment that snakemake runs in, activated or not.
shell.prefix(f'set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:"$PATH"; ')


def _checked(build):
    # An InputError is the user's to mend: its message without a traceback.
    try:
        return build()
    except InputError as error:
        raise WorkflowError(str(error)) from None


# Snakemake's own reading keeps the last of keys that are there twice.
for _file in workflow.overwrite_configfiles or ["config.yaml"]:
    _checked(lambda: read_mapping(_file))
SETTINGS = _checked(lambda: validate(config, "config.yaml"))


#: Wildcards are in braces; records of files are lines, in UTF-8.
_NOT_CARRIED = re.compile("[{}\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
#: A command of more than 64 kB becomes a script, whose path Snakemake gives a shell in double quotes.
_NOT_QUOTED = re.compile(r'["$`\\]')


def carried(key, paths):
    """The paths that a key gives, or an error if Snakemake cannot carry one of them."""
    for path in paths:
        if found := _NOT_CARRIED.search(path):
            raise WorkflowError(
                f"{key}: {path!r} has {found[0]!r}: Snakemake takes no braces, line ends or other "
                "control characters in a path, and no text but UTF-8; rename it"
            )
    return paths


if _found := _NOT_QUOTED.search(os.getcwd()):
    raise WorkflowError(
        f"the working folder {os.getcwd()!r} has {_found[0]!r}, which a shell would read as its own; "
        "run in a folder without"
    )
(OUT,) = carried("output", [SETTINGS.output.rstrip("/")])
#: The tasks with all that is trained: trials stand in the place of the networks that are searched.
TRAINED = {name: trained(task, SETTINGS.seed) for name, task in SETTINGS.tasks.items()}
for _task in TRAINED.values():
    for _name, _network in _task.networks.items():
        _checked(lambda: require(_network.architecture or _name))
# Once, not in each job of a batch system; a dry run need not wait for the seconds that it takes.
if workflow.is_main_process and not workflow.output_settings.dryrun:
    from hepcnn.learning.checking import check

    _checked(lambda: check(SETTINGS))


def _altered(task):
    """Image sets of a task's methods, each made of one of its robustness samples."""
    for name in {task.images_of(method) for method in task.methods}:
        for sample in task.robustness:
            yield f"{name}@{sample}", SETTINGS.images[name].model_copy(update={"sample": sample})


#: Image sets by name: those of the configuration, and IMAGESET@SAMPLE for each robustness sample.
IMAGES = SETTINGS.images | {k: v for task in SETTINGS.tasks.values() for k, v in _altered(task)}


def _alternatives(names):
    # No name matches nothing: a wildcard must still have a pattern.
    return "|".join(sorted({re.escape(name) for name in names})) or "$^"


wildcard_constraints:
    sample=_alternatives(SETTINGS.samples),
    imageset=_alternatives(IMAGES),
    task=_alternatives(SETTINGS.tasks),
    network=_alternatives(n for t in SETTINGS.tasks.values() for n in t.trainings),
    baseline=_alternatives(b for t in SETTINGS.tasks.values() for b in t.baselines),
    # Nothing, or @ and the sample.
    altered="|" + _alternatives(f"@{s}" for t in SETTINGS.tasks.values() for s in t.robustness),
    detector=_alternatives(SETTINGS.validation),
    shard=r"[\w.-]+",


def simulated(sample):
    """Files of a simulated sample."""
    return [f"{OUT}/events/{sample}/{k:04d}.root" for k in range(SETTINGS.samples[sample].simulate.shards)]


# Expanded once: a glob is read from disk, and each rule's inputs must agree on it.
SOURCES = {
    name: simulated(name) if sample.simulate else _checked(lambda: [str(f) for f in expand_files(sample.files)])
    for name, sample in SETTINGS.samples.items()
}


def _parts(sample):
    """The files of a sample that are made into one image shard, by the shard's name."""
    files, size = SOURCES[sample], SETTINGS.samples[sample].files_per_job
    parts = [files[start : start + size] for start in range(0, len(files), size)]
    return {shard_name(part): part for part in parts}


PARTS = {sample: _parts(sample) for sample in SETTINGS.samples}


def sources(imageset, shard):
    """ROOT files that one image shard is made of."""
    return PARTS[IMAGES[imageset].sample][shard]


def local(files):
    """The files that Snakemake can watch: not root:// addresses, and without a tree's name."""
    return [FileSpec.parse(file).path for file in files if "://" not in file]


def geometry(sample):
    """The geometry of a sample and its channel map, where they are files of the user's."""
    settings = SETTINGS.samples[sample]
    known = {"rich": geometry_names, "lartpc": tpc_names}[settings.detector]()
    given = {key: getattr(settings, key, None) for key in ("geometry", "channel_map")}
    return [
        path
        for key, name in given.items()
        if name and name not in known
        for path in carried(f"samples.{sample}.{key}", [name])
    ]


for _sample in SETTINGS.samples:  # at once, not when a rule comes to them
    carried(f"samples.{_sample}.files", SOURCES[_sample]), geometry(_sample)


def shards(imageset):
    """Image shards of an image set."""
    return [f"{OUT}/images/{imageset}/{name}.h5" for name in PARTS[IMAGES[imageset].sample]]


def image_set(imageset):
    """The manifest of an image set, and its shards: all that is made of images depends on both."""
    return [f"{OUT}/images/{imageset}/{MANIFEST}", *shards(imageset)]


def method_images(task, method, altered=""):
    """The images that a method of a task sees, as `image_set`; of a robustness sample for @SAMPLE."""
    return image_set(SETTINGS.tasks[task].images_of(method) + altered)


def predictions(task):
    """Predictions of all trainings and baselines of a task, also on its robustness samples."""
    settings = SETTINGS.tasks[task]
    samples = ["", *(f"@{sample}" for sample in settings.robustness)]
    return [f"{OUT}/tasks/{task}/{m}/predictions{s}.h5" for m in settings.predictors for s in samples]


def trainings(task, names):
    """What trainings of a task leave."""
    return [f"{OUT}/tasks/{task}/{n}/{file}" for n in names for file in ("checkpoint.ckpt", "history.csv")]


def tried(task):
    """Trainings of the trials of a task."""
    return [name for name in TRAINED[task].trainings if without_trial(name) != name]


def chosen(task):
    """Trainings of a task that are those of the best trial of a network."""
    return list(dict.fromkeys(map(without_trial, tried(task))))


def searched(task):
    """What the choice of a task's trials makes."""
    tables = [f"{OUT}/tasks/{task}/tables/{SEARCH}.{suffix}" for suffix in FORMATS] if tried(task) else []
    return tables + trainings(task, chosen(task))


def learned(task):
    """What training, the choice of trials and prediction make for a task."""
    return trainings(task, TRAINED[task].trainings) + searched(task) + predictions(task)


def table_files(task):
    """All tables of a task."""
    return table_paths(f"{OUT}/tasks/{task}/tables", SETTINGS.tasks[task])


def validated(detector):
    """What the validation of a detector makes."""
    return [f"{OUT}/validation/{detector}/{file}" for file in (*(f"checks.{s}" for s in FORMATS), "figures")]


def part(**sections):
    """Exactly the configuration that a rule depends on, as JSON for its command's standard input.

    It is a parameter, which Snakemake compares: an edit reruns what it must and nothing more, and
    a command cannot read a setting that its rule does not depend on.
    """
    empty = {"images": {}, "tasks": {}}
    return json.dumps(empty | sections, default=lambda m: m.model_dump(mode="json"))


def task_part(task, *settings, images=None, **more):
    """The part of a task: those of its settings, and the image sets and samples they stand on.

    `images` stands in the place of the task's image set.
    """
    whole = SETTINGS.tasks[task]
    chosen = {"images": images or whole.images} | {name: getattr(whole, name) for name in settings} | more
    imagesets = {chosen["images"], *(n.images for n in chosen.get("networks", {}).values() if n.images)}
    samples = {SETTINGS.images[name].sample for name in imagesets} | set(chosen.get("robustness", []))
    # Sorted: sets have no order, and another text is another parameter.
    return part(
        samples={name: SETTINGS.samples[name] for name in sorted(samples)},
        images={name: SETTINGS.images[name] for name in sorted(imagesets)},
        tasks={task: chosen},
        split=SETTINGS.split,
        seed=SETTINGS.seed,
    )
