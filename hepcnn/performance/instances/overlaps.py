"""How the clusters of a method overlap with the true particles, image by image.

An instance is a true particle in one view, with its pixels there; a cluster is what a method takes
for one. Neither instances nor clusters share pixels. Pixels of no known particle are in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import Findings

#: Instances and clusters of fewer pixels count neither as found nor as missed nor as wrong.
MIN_PIXELS = 10
_OTHER = PIXEL_CLASSES.index("other")


@dataclass(frozen=True, eq=False)
class Overlaps:
    """The instances, clusters and images of N events; all columns begin with ``event``.

    Attributes
    ----------
    n_events : int
        N.
    instances : dict of str to ndarray
        ``size`` (pixels), ``kind`` (class of most of them), ``found`` (one cluster has at least
        half of its pixels, and they are at least half of the cluster's), ``share`` (largest
        fraction of its pixels in one cluster).
    clusters : dict of str to ndarray
        ``size``, ``kind`` and ``score``; ``right`` (as ``found``), ``share`` (largest fraction of
        its pixels of one instance); ``iou``, the greatest intersection over union with an
        instance, and that instance's ``match_size`` and ``match_kind``.
    images : dict of str to ndarray
        ``ari``, of the images of two pixels or more: the adjusted Rand index.
    """

    n_events: int
    instances: Mapping[str, np.ndarray]
    clusters: Mapping[str, np.ndarray]
    images: Mapping[str, np.ndarray]

    @classmethod
    def join(cls, parts: Sequence[Overlaps]) -> Overlaps:
        """Put the events of several blocks after one another, numbered anew."""
        starts = np.cumsum([0, *(part.n_events for part in parts)])
        joined = []
        for name in ("instances", "clusters", "images"):
            columns = [getattr(part, name) for part in parts]
            own = {n: np.concatenate([column[n] for column in columns]) for n in columns[0]}
            lengths = [len(column["event"]) for column in columns]
            joined.append({**own, "event": own["event"] + np.repeat(starts[:-1], lengths)})
        return cls(int(starts[-1]), *joined)

    def take(self, events: NDArray[np.bool_]) -> Overlaps:
        """Some of the events, (N,) bool, numbered anew."""
        number = np.cumsum(events) - 1
        parts = []
        for columns in (self.instances, self.clusters, self.images):
            own = _where(columns, events[columns["event"]])
            parts.append({**own, "event": number[own["event"]]})
        return Overlaps(int(events.sum()), *parts)

    def of_class(self, kind: int) -> Overlaps:
        """The instances of a class, and the clusters most of whose pixels are of it.

        A cluster that matches an instance of another class matches none.
        """
        clusters = _where(self.clusters, self.clusters["kind"] == kind)
        iou = np.where(clusters["match_kind"] == kind, clusters["iou"], 0.0)
        instances = _where(self.instances, self.instances["kind"] == kind)
        return Overlaps(self.n_events, instances, {**clusters, "iou": iou}, self.images)


def _where(columns: Mapping[str, np.ndarray], own: NDArray[np.bool_]) -> dict[str, np.ndarray]:
    return {name: column[own] for name, column in columns.items()}


def overlaps(findings: Findings) -> Overlaps:
    """Compare clusters and instances."""
    pixels, views = findings.tables["pixels"].columns, len(findings.views)
    own = (pixels["instance"] >= 0) & (pixels["semantic"] != _OTHER)
    image, semantic = findings.image_of("pixels")[own], pixels["semantic"][own]
    instance_of, instances = _groups(image, pixels["instance"][own], semantic, views)
    in_cluster = pixels["found"][own] >= 0
    cluster_of, clusters = _groups(
        image[in_cluster], pixels["found"][own][in_cluster], semantic[in_cluster], views
    )
    clusters["score"] = _scores(findings, clusters)
    # The pairs that share pixels, and how many.
    several = max(len(clusters["size"]), 1)
    names = instance_of[in_cluster] * several + cluster_of
    pairs, shared = np.unique(names, return_counts=True)
    i, c = np.divmod(pairs, several)
    _match(instances, clusters, i, c, shared)
    n_images = len(findings) * views
    both = np.bincount(instances["image"][i], _pairs(shared), n_images).astype(np.float64)
    every = _pairs(np.bincount(image, minlength=n_images))
    images = _rand(instances, clusters, both, every, views)
    return Overlaps(len(findings), instances, clusters, images)


def _match(
    instances: dict[str, np.ndarray],
    clusters: dict[str, np.ndarray],
    i: NDArray[np.int64],
    c: NDArray[np.int64],
    shared: NDArray[np.int64],
) -> None:
    """Add the columns that come from the pairs of instance i and cluster c that share pixels."""
    size_i, size_c = instances["size"][i], clusters["size"][c]
    matched = (2 * shared >= size_i) & (2 * shared >= size_c)
    for columns, name, k, size in (
        (instances, "found", i, size_i),
        (clusters, "right", c, size_c),
    ):
        columns[name] = np.zeros(len(columns["size"]), dtype=bool)
        columns[name][k[matched]] = True
        columns["share"] = np.zeros(len(columns["size"]))
        np.maximum.at(columns["share"], k, shared / size)
    iou = shared / (size_i + size_c - shared)
    # In order of rising IoU the last of a cluster's pairs is the one that stays.
    rising = np.argsort(iou, kind="stable")
    best = {"iou": iou, "match_size": size_i, "match_kind": instances["kind"][i]}
    for name, values in best.items():
        clusters[name] = np.zeros(len(clusters["size"]), values.dtype)
        clusters[name][c[rising]] = values[rising]


def _groups(
    image: NDArray[np.int64], number: np.ndarray, semantic: np.ndarray, views: int
) -> tuple[NDArray[np.int64], dict[str, np.ndarray]]:
    """The group of each pixel, and of each group its image, event, number, size and class."""
    most = int(number.max(initial=0)) + 1
    names, group, size = np.unique(image * most + number, return_inverse=True, return_counts=True)
    c = len(PIXEL_CLASSES)
    classes = np.bincount(group * c + semantic, minlength=len(names) * c).reshape(-1, c)
    own_image, own_number = np.divmod(names, most)
    return group, {
        "event": own_image // views,
        "image": own_image,
        "number": own_number,
        "size": size,
        "kind": classes.argmax(axis=1),
    }


def _scores(findings: Findings, clusters: Mapping[str, np.ndarray]) -> NDArray[np.float32]:
    """The scores of the clusters that have pixels, from the table of all."""
    table, image = findings.tables["clusters"].columns, findings.image_of("clusters")
    most = max(int(a.max(initial=0)) for a in (table["cluster"], clusters["number"])) + 1
    name = image * most + table["cluster"]
    order = np.argsort(name)
    place = np.searchsorted(name[order], clusters["image"] * most + clusters["number"])
    return np.asarray(table["score"][order][place])


def _pairs(n: NDArray[np.int64]) -> Floats:
    """Pairs of n pixels."""
    return np.asarray(n * (n - 1) / 2.0)


def _rand(
    instances: Mapping[str, np.ndarray],
    clusters: Mapping[str, np.ndarray],
    both: Floats,
    every: Floats,
    views: int,
) -> dict[str, np.ndarray]:
    """The adjusted Rand index of each image of two pixels or more.

    Of the pairs of pixels of an image (`every`) those are counted that are together in an
    instance (a), in a cluster (b), and in `both`. A pixel in no cluster is one by itself.

    References
    ----------
    L. Hubert and P. Arabie, Journal of Classification 2 (1985) 193.
    """
    own = np.flatnonzero(every)
    a, b = (
        np.bincount(group["image"], _pairs(group["size"]), len(every))[own]
        for group in (instances, clusters)
    )
    expected, most = a * b / every[own], (a + b) / 2
    # Both put all pixels together, or each by itself: they agree.
    same = (a == b) & ((a == 0) | (a == every[own]))
    ari = np.where(same, 1.0, (both[own] - expected) / np.where(same, 1.0, most - expected))
    return {"event": own // views, "ari": ari}
