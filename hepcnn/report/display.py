"""Displays of single examples: their images with truth, and what networks make of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError, nearest
from hepcnn.report import style
from hepcnn.report.bands import Band, Scores, charge, stacked, truth
from hepcnn.report.example import Example, Marks, Panel, find, read_example
from hepcnn.report.found_events import found_events
from hepcnn.report.found_pictures import picture_of
from hepcnn.report.found_ranks import Ranked
from hepcnn.report.network_bands import feature_maps, filters
from hepcnn.store.findings_file import holds_findings, open_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.shard import Axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hepcnn.learning.checkpoint import Checkpoint

#: What of the pixels' truth can be drawn.
TRUTHS = ("semantic", "instance")


def display(
    shards: Sequence[Path],
    event: Sequence[int],
    output: Path,
    *,
    truth_of: str | None = None,
    predictions: Sequence[Path] = (),
    checkpoint: Path | None = None,
    layers: Sequence[str] = (),
    with_filters: bool = False,
) -> None:
    """Draw an example into a file.

    Parameters
    ----------
    shards : sequence of Path
        Image shards.
    event : sequence of int
        Run, subrun, event and, where an event has several examples, object.
    output : Path
        The figure, .png or .pdf.
    truth_of : {"semantic", "instance"}, optional
        Draw this truth of the pixels too.
    predictions : sequence of Path
        Predictions whose scores are drawn; or one file of what was found in the images, which is
        drawn beside the truth and in the place of all else.
    checkpoint : Path, optional
        A trained network: draw what it sees.
    layers : sequence of str
        Layers of it whose feature maps are drawn.
    with_filters : bool
        Draw its first filters.

    Raises
    ------
    InputError
        If the event, the truth, a prediction or a layer is not there, or a file is not what it
        should be.
    """
    if output.suffix not in (".png", ".pdf"):
        raise InputError(f"{output}: a figure must end in .png or .pdf")
    images = ImageSet(shards)
    if any(map(holds_findings, predictions)):
        if len(predictions) > 1:
            raise InputError("what was found in images is drawn from one file at a time")
        style.write(found_figure(predictions[0], images, event, checkpoint), output)
        return
    example = read_example(images, find(images, event))
    scores = [_scores_in(path, images, example) for path in predictions]
    bands = example_bands(example, truth_of, scores)
    if checkpoint is not None:
        from hepcnn.learning.checkpoint import Checkpoint

        trained = Checkpoint.load(checkpoint)
        bands += network_bands(trained, images, example, layers)
        if with_filters:
            bands.append(filter_band(trained))
    style.write(stacked(headline(example), len(example.panels), bands), output)


def found_figure(
    path: Path, images: ImageSet, event: Sequence[int], checkpoint: Path | None = None
) -> Figure:
    """Draw what a method found in an event, beside the truth.

    Parameters
    ----------
    path : Path
        Findings.
    images : ImageSet
        What they are of.
    event : sequence of int
        Run, subrun and event.
    checkpoint : Path, optional
        The network, where the method is one with processing steps.

    Raises
    ------
    InputError
        If the event is not among the findings, or not in the images.
    """
    findings = open_findings(path)
    key = findings.key[["run", "subrun", "event"]]
    (at,) = np.nonzero(key == np.array([tuple(event[:3])], key.dtype))
    if not len(at):
        name = ":".join(map(str, event[:3]))
        raise InputError(f"{path}: nothing of event {name}: it is not in the scored part")
    ranked = [Ranked(int(at[0]), "chosen", "")]
    return picture_of(found_events(findings, ranked, images, checkpoint)[0])


def example_bands(
    example: Example, truth_of: str | None = None, scores: Sequence[Scores] = ()
) -> list[Band]:
    """Bands of an example's channels, of its truth, and of what methods say of it.

    Raises
    ------
    InputError
        If its pixels have no such truth, or the methods do not know the same classes.
    """
    known = example.panels[0].truth
    if truth_of is not None and truth_of not in known:
        raise InputError(f"the pixels have no truth '{truth_of}'; {nearest(truth_of, known)}")
    if len({one.classes for one in scores}) > 1:
        methods = ", ".join(one.method for one in scores)
        raise InputError(f"the predictions of {methods} are not of the same classes")
    bands = [
        charge(example.panels, c, name, () if c else scores)
        for c, name in enumerate(example.channels)
    ]
    return bands if truth_of is None else [*bands, truth(example, truth_of)]


def network_bands(
    trained: Checkpoint, images: ImageSet, example: Example, layers: Sequence[str]
) -> list[Band]:
    """Bands of an example as a network sees it, and of what some layers make of it.

    Raises
    ------
    InputError
        As `hepcnn.learning.feature_maps.respond`.
    """
    from hepcnn.learning.feature_maps import respond

    response = respond(trained, images, example.index, layers)
    seen = trained.preprocessing
    views = [view.upper() for view in seen.views]
    panels = [_seen(title, image) for title, image in zip(views, response.images, strict=True)]
    own = Scores(trained.name, _classes(trained), response.scores)
    bands = [
        charge(panels, c, f"{name}, as {trained.name} sees it", () if c else [own])
        for c, name in enumerate(seen.channels)
    ]
    for layer, maps in response.maps.items():
        bands.append(feature_maps(layer, maps, _titles(layer, len(maps), views)))
    return bands


def _scores_in(path: Path, images: ImageSet, example: Example) -> Scores:
    """What predictions say of an example, if they are of such images and of this event."""
    predictions = read_predictions(path)
    classes = images.header.classes
    target = next((t for t in classes if classes[t] == predictions.classes), None)
    if target is None:
        raise InputError(
            f"{path}: scores of the classes {', '.join(predictions.classes)}, by which "
            f"{images.paths[0]} does not part its images"
        )
    key = np.array([example.key], predictions.key.dtype)[0]
    (found,) = np.nonzero(predictions.key == key)
    if not len(found):
        raise InputError(
            f"{path}: no scores of {example.name}: it is not in the scored part of the split"
        )
    there, here = int(predictions.label[found[0]]), int(images.labels(target)[example.index])
    if there != here:
        raise InputError(
            f"{path}: made of other events: its {example.name} is of the class "
            f"{_named(there, predictions.classes)}, that of {images.paths[0]} of "
            f"{_named(here, predictions.classes)}"
        )
    return Scores(predictions.method, predictions.classes, predictions.scores[found[0]])


def _named(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label >= 0 else "none"


def _classes(trained: Checkpoint) -> tuple[str, ...]:
    return trained.preprocessing.header.classes[trained.target]


def _seen(title: str, image: NDArray[np.float32]) -> Panel:
    """A view as a network sees it, in pixels."""
    rows, columns = (
        Axis(name, "pixels", 0.0, float(n), n)
        for name, n in zip(("row", "column"), image.shape[1:], strict=True)
    )
    nowhere = Marks(np.full(2, np.nan), *(np.empty((0, n)) for n in (2, 2, 4)))
    return Panel(title, rows, columns, image.astype(np.float64), {}, nowhere)


def _titles(layer: str, count: int, views: Sequence[str]) -> list[str]:
    """Which images a layer sees: all views in turn, one of them, or all together."""
    if count == len(views):
        return list(views)
    parts = layer.split(".")
    if parts[0] == "towers" and len(parts) > 1:
        return [views[int(parts[1])]]
    return ["all views"]


def filter_band(trained: Checkpoint) -> Band:
    """A band of a network's first filters.

    Raises
    ------
    InputError
        If it has no convolution of images.
    """
    from hepcnn.learning.feature_maps import first_filters

    weights = first_filters(trained)
    views = [view.upper() for view in trained.preprocessing.views]
    return filters(weights, views if len(weights) == len(views) else ["all views"])


def headline(example: Example) -> str:
    """Which example it is, its classes and its energy, as a figure shows it."""
    what = [style.SYMBOL.get(name, style.plain(name)) for name in example.classes.values()]
    if not np.isnan(example.energy):
        what.append(f"{example.energy:,.0f} MeV")
    return example.name + (f":  {', '.join(what)}" if what else "")
