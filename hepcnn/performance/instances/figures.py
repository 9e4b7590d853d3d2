"""Figures of merit of clusters, as measured and in bootstrap samples of events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.average_precision import AVERAGES, THRESHOLDS, average_precisions
from hepcnn.performance.bootstrap import Merits, joined, ratio
from hepcnn.performance.instances.overlaps import MIN_PIXELS, Overlaps
from hepcnn.performance.intervals import Floats

#: Names of the figures of merit and their titles.
FIGURES = {
    "efficiency": "efficiency",
    "purity": "purity",
    "pixel_efficiency": "pixel efficiency",
    "pixel_purity": "pixel purity",
    "ari": "adjusted Rand index",
    **AVERAGES,
}


def figures(found: Overlaps, times: NDArray[np.int16]) -> Merits:
    """The figures of merit, in the order of `FIGURES`.

    Parameters
    ----------
    found : Overlaps
        Of N events.
    times : ndarray, (1 + samples, N)
        See `hepcnn.performance.bootstrap.draw`.
    """
    instance = found.instances["size"] >= MIN_PIXELS
    cluster = found.clusters["size"] >= MIN_PIXELS

    def mean(columns: str, name: str, own: NDArray[np.bool_]) -> Merits:
        table = {"instances": found.instances, "clusters": found.clusters}[columns]
        event = table["event"][own]
        return ratio(times, _sums(found, event, table[name][own]), _sums(found, event))

    rand = found.images
    return joined(
        [
            mean("instances", "found", instance),
            mean("clusters", "right", cluster),
            mean("instances", "share", instance),
            mean("clusters", "share", cluster),
            ratio(times, _sums(found, rand["event"], rand["ari"]), _sums(found, rand["event"])),
            precisions(found, times),
        ]
    )


def _sums(found: Overlaps, event: np.ndarray, values: np.ndarray | None = None) -> Floats:
    """Sum by event of values, or of ones."""
    return np.bincount(event, values, found.n_events).astype(np.float64)


def precisions(found: Overlaps, times: NDArray[np.int16]) -> Merits:
    """AP@.5 and AP@[.5:.95] of the clusters, (2,).

    Above an IoU of 0.5 a cluster has one instance and the instance one cluster at most, for neither
    share pixels: no order of matching is needed.
    """
    clusters, instances = found.clusters, found.instances
    match = clusters["iou"][:, np.newaxis] > THRESHOLDS
    large = (clusters["match_size"] >= MIN_PIXELS)[:, np.newaxis]
    small = (clusters["size"] < MIN_PIXELS)[:, np.newaxis]
    counted = instances["event"][instances["size"] >= MIN_PIXELS]
    return average_precisions(
        times,
        clusters["event"],
        clusters["score"],
        right=match & large,
        skipped=np.where(match, ~large, small),
        truth=np.bincount(counted, minlength=found.n_events),
    )
