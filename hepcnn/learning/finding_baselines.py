"""What methods without a network find in images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.detector.labels import POINTS
from hepcnn.learning.examples import column
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.learning.heads.site_truth import boundary
from hepcnn.learning.vertices import vertex_columns
from hepcnn.networks.sparse.sites import Sites
from hepcnn.progress import progress
from hepcnn.reconstruction.clusters import PlaneImage, image_components
from hepcnn.reconstruction.controls import frequencies
from hepcnn.reconstruction.key_points import cluster_ends
from hepcnn.reconstruction.pixel_trees import pixel_tree
from hepcnn.reconstruction.vertex_finders import FINDERS
from hepcnn.store.blocks import read_whole
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.points import key_points
from hepcnn.store.shard import Images, Rows

Columns = dict[str, NDArray[Any]]
Tables = dict[str, Rows]


@dataclass(frozen=True, eq=False)
class Given:
    """What a baseline is given: images, which of them it is fitted on and which are asked for.

    Attributes
    ----------
    images, fitted : ImageSet
        Those asked for, and those fitted on.
    which, train, validation : int array
        Indices into them, strictly increasing.
    box : float
        Sides of the true boxes about a vertex (mm).
    seed : int
        The configuration\'s.
    """

    images: ImageSet
    which: NDArray[np.int64]
    fitted: ImageSet
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    box: float
    seed: int


def find_without(target: str, name: str, given: Given) -> tuple[Columns, Tables]:
    """Let a baseline find what is asked for.

    Parameters
    ----------
    target, name : str
        What is asked, and the baseline\'s name.
    given : Given
        The images.

    Returns
    -------
    columns, tables
        As of `hepcnn.store.findings.Findings`, in the order of the examples.
    """
    header = given.images.header
    tables = _FIND[target](name, given, header)
    columns = {n: column(given.images, n)[given.which] for n in ("energy", "n_hits")}
    if target == "vertex":
        columns |= vertex_columns(
            tables["candidates"], given.images, given.which, header.views, None, given.box
        )
    return columns, tables


def _over(given: Given, name: str, tables: Callable[[Images], Tables]) -> Tables:
    """Make tables of the images asked for, block by block, one after the other."""
    parts: list[Tables] = []
    with progress(f"{name}: find", len(given.which), "examples") as advance:
        for index, made in read_whole(given.images, given.which):
            parts.append(tables(made))
            advance(len(index))
    return {n: join_rows([part[n] for part in parts]) for n in parts[0]}


def pixel_rows(made: Images, header: Header) -> Rows:
    """The occupied pixels of all views with their truth: the table that findings have.

    Parameters
    ----------
    made : Images
        A block of examples.
    header : Header
        Of them.
    """
    views = [made.views[view] for view in header.views]
    example = np.concatenate([np.repeat(np.arange(len(v)), np.diff(v.offsets)) for v in views])
    columns = {
        "view": np.repeat(np.arange(len(views), dtype=np.uint8), [len(v.pixel) for v in views]),
        "pixel": np.concatenate([v.pixel for v in views]).astype(np.uint32),
        "value": np.concatenate([v.value[:, 0] for v in views]).astype(np.float32),
    }
    columns |= {n: np.concatenate([v.truth[n] for v in views]) for n in ("semantic", "instance")}
    # Views stand one after the other: within an example they stay so.
    return grouped(example, columns, len(made))


def _boundaries(pixels: Rows, header: Header) -> NDArray[np.bool_]:
    """Which pixels have a neighbour of another class."""
    views = len(header.views)
    example = np.repeat(np.arange(len(pixels)), np.diff(pixels.offsets))
    image = torch.from_numpy(example * views + pixels.columns["view"])
    place = np.stack(np.unravel_index(pixels.columns["pixel"], header.shape), axis=1)
    sites = Sites(image, torch.from_numpy(place), len(pixels) * views, header.shape)
    semantic = pixels.columns["semantic"].astype(np.int64)
    semantic[semantic == len(SegmentationHead.classes)] = -1
    return boundary(sites, torch.from_numpy(semantic)).numpy()


def _semantic(name: str, given: Given, header: Header) -> Tables:
    """The class of each pixel."""
    classes = len(SegmentationHead.classes)
    if name == "majority":
        counts = np.zeros(classes, np.int64)
        for _, made in read_whole(given.fitted, given.train):
            semantic = pixel_rows(made, header).columns["semantic"]
            counts += np.bincount(semantic, minlength=classes + 1)[:classes]
        prior = ((counts + 1) / (counts + 1).sum()).astype(np.float16)

        def score(made: Images) -> NDArray[np.float16]:
            pixels = sum(len(made.views[view].pixel) for view in header.views)
            return np.tile(prior, (pixels, 1))
    else:
        score = pixel_tree(given.fitted, given.train, given.validation, given.seed)

    def tables(made: Images) -> Tables:
        pixels = pixel_rows(made, header)
        more = {"boundary": _boundaries(pixels, header), "scores": score(made)}
        return {"pixels": Rows(pixels.offsets, pixels.columns | more)}

    return _over(given, name, tables)
