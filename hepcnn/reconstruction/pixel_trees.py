"""What a boosted tree sees of each pixel: the shape of the charge about it, and of its cluster.

The tree itself is `hepcnn.reconstruction.boosted`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hepcnn.reconstruction.clusters import Floats, PlaneImage, components, surroundings
from hepcnn.reconstruction.segments import REACH, axis_of
from hepcnn.store.shard import Header, Sparse

#: Radii (mm) within which the charge about a pixel is looked at: the width of a track, its
#: straightness, the spread of a shower.
RADII = (10.0, 25.0, 60.0)
#: The numbers, in order. ``charge``: of the pixel. Within each radius ``linearity``, 1 − λ₂/λ₁ of
#: the charge's covariance, ``pixels``, and ``density``, the charge of one of them. Of its cluster
#: ``cluster_pixels``, ``cluster_charge``, ``cluster_length`` and ``cluster_width`` (mm; from end to
#: end along its principal axis, RMS about it), ``cluster_density`` (charge of a pixel). ``to_end``:
#: along its cluster's axis to the nearer end (mm).
FEATURES = (
    "charge",
    *(f"{name}_{radius:g}" for radius in RADII for name in ("linearity", "pixels", "density")),
    "cluster_pixels", "cluster_charge", "cluster_length", "cluster_width", "cluster_density",
    "to_end",
)  # fmt: skip


def pixel_features(image: PlaneImage) -> npt.NDArray[np.float32]:
    """`FEATURES` of the pixels of an image, (n, F)."""
    columns = [image.charge]
    for radius in RADII:
        near = surroundings(image, radius)
        columns += [near.linearity, near.pixels, near.charge / np.maximum(near.pixels, 1)]
    return np.column_stack([*columns, _of_clusters(image)]).astype(np.float32)


def image_features(sparse: Sparse, header: Header, view: str) -> npt.NDArray[np.float32]:
    """`FEATURES` of the pixels of all images of a view, (nnz, F)."""
    parts = [
        pixel_features(PlaneImage.of(sparse, header, view, example))
        for example in range(len(sparse))
    ]
    return np.concatenate([np.empty((0, len(FEATURES)), np.float32), *parts])


def training_pixels(
    labels: npt.NDArray[np.integer], most: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw the pixels that a tree is fitted on.

    Parameters
    ----------
    labels : int array (n,)
        Classes of pixels; −1: none, never drawn.
    most : int
        Pixels drawn, at most; all classes at their own abundances.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    int64 array
        Indices, increasing.
    """
    known = np.flatnonzero(labels >= 0)
    return known if len(known) <= most else np.sort(rng.choice(known, most, replace=False))


def _of_clusters(image: PlaneImage) -> Floats:
    """The last six of `FEATURES`, (n, 6)."""
    columns = np.zeros((len(image.row), 6))
    cluster = components(image.row, image.column, image.reach(REACH))
    order = np.argsort(cluster, kind="stable")
    place = image.place
    for own in np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1) if len(order) else []:
        charge = image.charge[own]
        total, apart = charge.sum(), place[own] - place[own[0]]
        axis = axis_of(place[own], charge)
        along, across = apart @ axis, apart @ (-axis[1], axis[0])
        mean = charge @ across / total
        along -= along.min()
        columns[own, 0], columns[own, 1], columns[own, 2] = len(own), total, along.max()
        columns[own, 3] = np.sqrt(charge @ (across - mean) ** 2 / total)
        columns[own, 4] = total / len(own)
        columns[own, 5] = np.minimum(along, along.max() - along)
    return columns
