"""What methods without a network find in images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import ImageTask, Split
from hepcnn.learning.examples import indices
from hepcnn.learning.finding import Part
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.learning.heads.site_truth import NONE, boundary
from hepcnn.learning.pixel_tables import sites_of
from hepcnn.progress import progress
from hepcnn.reconstruction import boosted
from hepcnn.reconstruction.cluster_ends import cluster_ends
from hepcnn.reconstruction.clusters import PlaneImage, image_components
from hepcnn.reconstruction.pixel_trees import image_features, training_pixels
from hepcnn.reconstruction.trees import PIXEL_TREE_IMAGES, PIXEL_TREE_PIXELS
from hepcnn.reconstruction.vertex_finders import FINDERS
from hepcnn.store.blocks import read_whole
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.pixels import pixel_rows
from hepcnn.store.points import true_points
from hepcnn.store.shard import Images, Rows

#: Pixels of one cluster are at most so far apart.
_REACH = 2
#: Examples whose boundaries are found together.
_FEW = 16

_CLASSES = len(SegmentationHead.classes)

Columns = dict[str, NDArray[Any]]
Tables = dict[str, Rows]
#: What a baseline, once fitted, finds in images.
_Find = Callable[[Images], Tables]
_Score = Callable[[Images], NDArray[np.floating[Any]]]


@dataclass(frozen=True, eq=False)
class Given:
    """What a baseline is given: images, which of them it is fitted on and which are asked for.

    Attributes
    ----------
    images, fitted : ImageSet
        Those asked for, and those fitted on.
    which : int array
        Indices of those asked for, strictly increasing.
    split : Split
        Fractions of the events.
    seed : int
        The configuration's.
    """

    images: ImageSet
    which: NDArray[np.int64]
    fitted: ImageSet
    split: Split
    seed: int

    def part(self, name: str) -> NDArray[np.int64]:
        """Indices of a part of the split of those fitted on."""
        return indices(self.fitted, self.split, name)


def find_without(task: ImageTask, name: str, given: Given) -> Iterator[Part]:
    """Let a baseline find what is asked for.

    Parameters
    ----------
    task : ImageTask
        What is asked.
    name : str
        The baseline's name.
    given : Given
        The images.

    Yields
    ------
    indices, tables
        Of a block of examples.
    """
    find = _FIND[task.target](name, given, given.images.header)
    with progress(f"{name}: find", len(given.which), "examples") as advance:
        for index, made in read_whole(given.images, given.which):
            yield index, find(made)
            advance(len(index))


def _boundaries(pixels: Rows, header: Header) -> NDArray[np.bool_]:
    """Which pixels have a neighbour of another class; few examples at a time, to save memory."""
    parts = [np.zeros(0, bool)]
    for start in range(0, len(pixels), _FEW):
        part = pixels.take(np.arange(start, min(start + _FEW, len(pixels))))
        parts.append(_boundaries_in(part, header))
    return np.concatenate(parts)


def _boundaries_in(pixels: Rows, header: Header) -> NDArray[np.bool_]:
    """Boundaries of a few examples: each needs as much memory as a dense image."""
    views = len(header.views)
    example = pixels.example
    image = example * views + pixels.columns["view"]
    sites, truth = sites_of(pixels.columns, image, len(pixels) * views, header.shape)
    return boundary(sites, truth.semantic).numpy()


def _semantic(name: str, given: Given, header: Header) -> _Find:
    """The class of each pixel."""
    score = _majority(given, header) if name == "majority" else _tree(given, header)

    def tables(made: Images) -> Tables:
        pixels = pixel_rows(made, header.views)
        more = {"boundary": _boundaries(pixels, header), "scores": score(made).astype(np.float16)}
        return {"pixels": Rows(pixels.offsets, pixels.columns | more)}

    return tables


def _majority(given: Given, header: Header) -> _Score:
    """The abundances of the classes among the training pixels."""
    counts = np.ones(_CLASSES, np.int64)
    for _, made in read_whole(given.fitted, given.part("train")):
        semantic = pixel_rows(made, header.views).columns["semantic"]
        counts += np.bincount(semantic, minlength=_CLASSES + 1)[:_CLASSES]
    prior = counts / counts.sum()
    return lambda made: np.tile(prior, (sum(len(v.pixel) for v in made.views.values()), 1))


def _tree(given: Given, header: Header) -> _Score:
    """A boosted tree on the surroundings of each pixel."""
    rng = np.random.default_rng(given.seed)

    def numbers(made: Images) -> NDArray[np.float32]:
        parts = [image_features(made.views[view], header, view) for view in header.views]
        return np.concatenate(parts)[_by_example(made, header)]

    def sample(which: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen = np.sort(rng.permutation(which)[:PIXEL_TREE_IMAGES])
        features, labels = [], []
        for _, made in read_whole(given.fitted, chosen):
            features.append(numbers(made))
            labels.append(pixel_rows(made, header.views).columns["semantic"].astype(np.int64))
        label = np.concatenate(labels)
        label[label == _CLASSES] = NONE
        drawn = training_pixels(label, PIXEL_TREE_PIXELS, rng)
        return np.concatenate(features)[drawn], label[drawn]

    train, validation = sample(given.part("train")), sample(given.part("validation"))
    tree = boosted.fit(*train, *validation, _CLASSES, given.seed)
    return lambda made: boosted.scores(tree, numbers(made))


def _by_example(made: Images, header: Header) -> NDArray[np.int64]:
    """From pixels view after view to the order of `pixel_rows`."""
    views = [made.views[view] for view in header.views]
    example = [view.example for view in views]
    return np.argsort(np.concatenate(example), kind="stable")


def _instance(name: str, given: Given, header: Header) -> _Find:
    """The particle of each pixel: what hangs together."""
    width = header.shape[-1]

    def tables(made: Images) -> Tables:
        parts = [image_components(made.views[view], width, _REACH) for view in header.views]
        found = np.concatenate(parts)[_by_example(made, header)]
        pixels = pixel_rows(made, header.views)
        own = np.repeat(np.arange(len(made)), np.diff(pixels.offsets))
        each, size = np.unique(
            np.stack([own, pixels.columns["view"], found], axis=1), axis=0, return_counts=True
        )
        clusters: Columns = {
            "view": each[:, 1].astype(np.uint8),
            "cluster": each[:, 2].astype(np.int32),
            # The larger a cluster the surer.
            "score": (size / (size + _REACH)).astype(np.float32),
        }
        return {
            "pixels": Rows(pixels.offsets, pixels.columns | {"found": found}),
            "clusters": Rows.grouped(each[:, 0], clusters, len(made)),
        }

    return tables


def _candidates(
    made: Images, header: Header, find: Callable[[PlaneImage], NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[Any]]:
    """What a finder finds in each view of each example: example, view and the finder's rows."""
    found, example, view = [], [], []
    for i in range(len(made)):
        for v, name in enumerate(header.views):
            own = find(PlaneImage.of(made.views[name], header, name, i))
            found.append(own)
            example.append(np.full(len(own), i))
            view.append(np.full(len(own), v, np.int8))
    return np.concatenate(example), np.concatenate(view), np.concatenate(found)


def _vertex(name: str, given: Given, header: Header) -> _Find:
    """Candidates of the vertex in each plane."""

    def tables(made: Images) -> Tables:
        example, view, found = _candidates(made, header, FINDERS[name])
        row, col, score = found.T.astype(np.float32)
        box = np.full((len(found), 4), np.nan, np.float32)
        columns = {"view": view, "row": row, "column": col, "score": score, "box": box}
        return {"candidates": Rows.grouped(example, columns, len(made))}

    return tables


def _points(name: str, given: Given, header: Header) -> _Find:
    """Ends of what hangs together."""

    def tables(made: Images) -> Tables:
        example, view, found = _candidates(
            made, header, lambda image: np.column_stack(cluster_ends(image))
        )
        row, col, score, kind = found.T
        columns: Columns = {
            "view": view,
            "row": row.astype(np.float32),
            "column": col.astype(np.float32),
            "score": score.astype(np.float32),
            "kind": kind.astype(np.uint8),
        }
        true = true_points(made, header)
        place = true.columns["place"]
        points = {
            "view": true.columns["view"].astype(np.int8),
            "row": place[:, 0],
            "column": place[:, 1],
            "kind": true.columns["kind"],
        }
        return {
            "candidates": Rows.grouped(example, columns, len(made)),
            "points": Rows(true.offsets, points),
        }

    return tables


_FIND: Mapping[str, Callable[[str, Given, Header], _Find]] = {
    "semantic": _semantic,
    "instance": _instance,
    "vertex": _vertex,
    "points": _points,
}
