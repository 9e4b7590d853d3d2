"""What a set's images are like: kept of a training's, and compared with those to be scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hepcnn.imaging.lengths import UNITS, bin_width
from hepcnn.progress import note
from hepcnn.store.blocks import Selection, read_blocks
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Sparse

#: Of each view what its images are like, by name.
Statistics: TypeAlias = dict[str, dict[str, float]]

#: Images that are looked at: enough for medians to a few percent, read in a moment.
IMAGES = 200
#: Two sets part where a median of one is more than so many times the other's. Event samples of one
#: detector differ by tens of percent; hits in one pixel instead of pulses, by a factor of eight.
APART = 1.5
#: And where the edges of their pixels differ by more than this part.
EDGES_APART = 0.05

#: What usually parts images, and where it is set.
_CAUSES = (
    "another geometry or pixel size; hits without a width (hit_rms); another unit of charge, "
    "threshold or noise; other events (selection)"
)

#: How a pixel's edge is named, with the axis.
_EDGE = "pixel along "


def image_statistics(images: ImageSet, which: NDArray[np.int64]) -> Statistics:
    """Measure what the images of some examples are like.

    Parameters
    ----------
    images : ImageSet
        The images, as they are stored.
    which : int array
        Indices of the examples, strictly increasing; `IMAGES` of them, evenly spread, are read.

    Returns
    -------
    dict of dicts of float
        For each view: the edges of its pixels (mm where the geometry is known, else in the unit of
        the axis); and the medians, over the images with anything in the view, of the number of
        occupied pixels, of each channel's sum and mean in an occupied pixel, and of the mean
        length of unbroken runs of occupied pixels along the first axis: how wide pulses are.
    """
    header, some = images.header, which[_spread(len(which))]
    found: dict[str, list[NDArray[np.float64]]] = {view: [] for view in header.views}
    for block in read_blocks(images, some, Selection.of(images, None, None)):
        for view, sparse in zip(header.views, block.views, strict=True):
            found[view].append(_of_each(sparse, header, view))
    statistics = {}
    for view, parts in found.items():
        rows = np.concatenate(parts)
        medians = np.median(rows, axis=0) if len(rows) else np.full(rows.shape[1], np.nan)
        named = zip(_names(header, view), medians.tolist(), strict=True)
        statistics[view] = {**_edges(header, view), **dict(named)}
    return statistics


def compare_images(training: Mapping[str, Mapping[str, float]], here: Statistics) -> Iterator[str]:
    """Find where images part from those of a training.

    Parameters
    ----------
    training, here : dict of dicts of float
        As `image_statistics` gives them, of the same views and channels.

    Yields
    ------
    str
        One sentence for each view and number in which they part.
    """
    for view, numbers in here.items():
        for name, value in numbers.items():
            trained = training[view].get(name, np.nan)
            limit = 1 + EDGES_APART if name.startswith(_EDGE) else APART
            # Comparisons with "not known" are false: then they part too, if it is of one alone.
            alike = abs(value - trained) <= (limit - 1) * min(abs(value), abs(trained))
            if not alike and not (np.isnan(value) and np.isnan(trained)):
                yield f"{view}: {name}: {value:.3g} here, {trained:.3g} in the training"


def say_likeness(training: Mapping[str, Mapping[str, float]], here: Statistics) -> None:
    """Print both sets' numbers side by side, and a warning for each in which they part."""
    rows = [
        (view, name, f"{training[view].get(name, np.nan):.4g}", f"{value:.4g}")
        for view, numbers in here.items()
        for name, value in numbers.items()
    ]
    table = [("view", "of an image (median)", "training", "here"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for view, name, trained, value in table:
        v, n, t, h = widths
        note(f"  {view:{v}}  {name:{n}}  {trained:>{t}}  {value:>{h}}")
    apart = list(compare_images(training, here))
    for text in apart:
        note(f"warning: not like the images of the training: {text}")
    if apart:
        note(f"warning: scores of such images may be wrong; what usually parts them: {_CAUSES}")


def _spread(n: int) -> NDArray[np.int64]:
    """Indices of at most `IMAGES` of n examples, evenly spread."""
    few = min(n, IMAGES)
    return np.arange(few) * n // max(few, 1)


def _edges(header: Header, view: str) -> dict[str, float]:
    """Edges of a view's pixels, named with axis and unit."""
    mm = header.maker.get(UNITS, {})
    edges = {}
    for axis in header.axes[view]:
        unit = "mm" if axis.unit in mm else axis.unit
        edges[f"{_EDGE}{axis.name} ({unit})"] = bin_width(axis) * mm.get(axis.unit, 1.0)
    return edges


def _names(header: Header, view: str) -> list[str]:
    """What `_of_each` measures."""
    named = [text for channel in header.channels for text in (channel, f"{channel} a pixel")]
    return ["occupied pixels", *named, f"run along {header.axes[view][0].name} (pixels)"]


def _of_each(sparse: Sparse, header: Header, view: str) -> NDArray[np.float64]:
    """The numbers (n, S) of the images that have anything in them."""
    occupied = np.diff(sparse.offsets)
    some = np.flatnonzero(occupied)
    starts = sparse.offsets[some]
    counts = occupied[some].astype(np.float64)
    columns = [counts]
    for value in sparse.value.T.astype(np.float64):
        total = np.add.reduceat(value, starts) if len(some) else counts
        columns += [total, total / counts]
    image = np.repeat(np.arange(len(occupied), dtype=np.int64), occupied)
    place = image * header.pixels + sparse.pixel
    step = header.pixels // header.shape[0]
    # A pixel goes on where the one before it along the first axis is occupied too.
    goes_on = np.isin(place - step, place) & (sparse.pixel >= step)
    broken = counts - np.bincount(image[goes_on], minlength=len(occupied))[some]
    return np.column_stack([*columns, counts / broken])
