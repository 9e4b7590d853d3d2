"""What can be known of a run before its first stage: from the configuration and the first file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from hepcnn.config import AnySample, Config, LArTPCSample, Network, Task, entry, trials
from hepcnn.config.images import AnyImages
from hepcnn.errors import InputError
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.reading import FileSpec, expand_files, n_entries
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.convert import EMPTY, try_first_events
from hepcnn.imaging.known_truth import missing_branches
from hepcnn.imaging.makers import maker_of
from hepcnn.imaging.steps import step_header
from hepcnn.learning.heads.choosing import head_for
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.networks.registry import build, require
from hepcnn.progress import note
from hepcnn.store.findings import TARGETS
from hepcnn.store.header import Header


def check(config: Config, files: Sequence[str] = ()) -> None:
    """Refuse what would stop a later stage, as far as it can be known before the first.

    Every network, and every trial of one, is built, without weights, for the images that it will
    see. Of each sample of the user's, images of the first events of its first file are made; tasks
    that learn from them need their truth.

    Parameters
    ----------
    config : Config
        The configuration.
    files : sequence of str
        Files that stand in the place of the sample's own: then only one sample can have files.

    Raises
    ------
    InputError
        It names the key of the configuration, or the file, and what would be right.
    """
    headers: dict[str, Header] = {}
    for name, images in config.images.items():
        with _at(f"images.{name}"):
            sample = config.samples[images.sample]
            read = _larcv_files(sample, files)
            headers[name] = maker_of(sample, images, read).header
    for name, task in config.tasks.items():
        for method, network in task.networks.items():
            with _at(f"tasks.{name}.networks.{method}"):
                _check_network(task, method, network, headers[task.images_of(method)])
        for method in task.search:
            for trial in trials(task, method, config.seed).values():
                with _at(f"tasks.{name}.{trial.place}"):
                    header = headers[task.images_of(method)]
                    _check_network(trial.task, method, trial.network, header)
    own = [name for name, sample in config.samples.items() if sample.files]
    if files and len(own) != 1:
        raise InputError(
            "files are given to be looked into, and the configuration has "
            f"{len(own)} samples with 'files'; it must have one"
        )
    for name in own:
        _check_files(config, name, files or config.samples[name].files)


def _larcv_files(sample: AnySample, files: Sequence[str]) -> list[FileSpec]:
    """The files that say how large the images of a sample are, if it is LArCV's."""
    if not isinstance(sample, LArTPCSample) or sample.reader != "larcv":
        return []
    return expand_files(files or sample.files)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Say in errors which part of the configuration they are of."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def _check_network(task: Task, name: str, network: Network, header: Header) -> None:
    """Build a network as its training will, but for its weights."""
    architecture = network.architecture or name
    require(architecture)
    seen = Preprocessing.unscaled(header, network)
    if task.target in TARGETS:
        settings = task.train_of(name).model_dump()
        after = step_header(seen.steps, header)
        outputs = head_for(task.target, architecture, settings, after).outputs
    else:
        outputs = len(header.classes[task.target])
    with torch.device("meta"):
        build(architecture, seen.shape, outputs, **network.options)


def _check_files(config: Config, name: str, files: Sequence[str]) -> None:
    """Make images of the first events of a sample's first file that can be read."""
    sample = entry(config.samples, name, "sample")
    with _at(f"samples.{name}"):
        specs = expand_files(files)
        for images in _images_of(config, name):
            _try_files(specs, sample, config.images[images], _learnt_from(config, images))


def _images_of(config: Config, sample: str) -> list[str]:
    """Image sets made of a sample, also as one that methods are only tried on."""
    chosen = {name for name, images in config.images.items() if images.sample == sample}
    for task in config.tasks.values():
        if sample in task.robustness:
            chosen |= {task.images_of(method) for method in task.methods}
    return [name for name in config.images if name in chosen]


def _learnt_from(config: Config, images: str) -> dict[str, str]:
    """Targets that are learnt from an image set, by their tasks."""
    return {
        name: task.target
        for name, task in config.tasks.items()
        if any(task.images_of(method) == images for method in task.networks)
    }


def _try_files(
    specs: Sequence[FileSpec], sample: AnySample, images: AnyImages, targets: Mapping[str, str]
) -> None:
    """Make images of a first file with events; of the next one where bad files are skipped."""
    for number, spec in enumerate(specs, start=1):
        try:
            if number < len(specs) and not n_entries(spec, sample.tree):
                note(f"{spec}: {EMPTY}")
                continue
            events = try_first_events(spec, sample, images)
        except InputError as error:
            if sample.on_bad_file == "fail" or number == len(specs):
                raise
            note(f"{spec} will be skipped: {error}")
            continue
        if events is not None:
            _check_truth(events, spec, sample, targets, alone=len(specs) == 1)
        return


def _check_truth(
    events: RichEvents | LArTPCEvents,
    spec: FileSpec,
    sample: AnySample,
    targets: Mapping[str, str],
    *,
    alone: bool,
) -> None:
    """Refuse a file alone without what tasks learn from; of several, others may have it."""
    for task, target in targets.items():
        if not (lacking := missing_branches(events, target)):
            continue
        # LArCV's images are read without any truth, so there is nothing to map.
        larcv = isinstance(sample, LArTPCSample) and sample.reader == "larcv"
        mapped = "" if larcv else f"map {lacking}, or "
        words = (
            f"{spec}: no truth of '{target}', which the task '{task}' learns from: {mapped}"
            "train on other events and `hepcnn predict` on these"
        )
        if alone:
            raise InputError(words)
        note(f"{words}; if the other files have none either, the training will refuse them")
