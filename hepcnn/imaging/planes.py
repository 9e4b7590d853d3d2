"""LArTPC events → images of the wire planes: one example an event, one view a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config import PlaneImages
from hepcnn.detector.labels import (
    INTERACTIONS,
    OTHER,
    PIXEL_CLASSES,
    SINGLE_PARTICLES,
    UNKNOWN_ORIGIN,
)
from hepcnn.detector.tpc import TPC
from hepcnn.errors import InputError
from hepcnn.events.columns import event_name
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.imaging.inside import Inside, Span
from hepcnn.imaging.lengths import units_of
from hepcnn.imaging.plane_kernels import Pixels, count_seen, merge_hits
from hepcnn.imaging.plane_labels import (
    PIXEL_TRUTH,
    event_truth,
    join_short_deltas,
    label_pixels,
    particle_columns,
    to_pixels,
    truth_columns,
    vertices,
)
from hepcnn.imaging.windows import views_of, window_shape, windows
from hepcnn.store.shard import KEY, Axis, Header, Images, Sparse

#: The step of the cutflow that counts the hits each of which is in one pixel.
NO_WIDTH = "hits without a width"
PARTICLES, NO_ORIGIN = "particles in the image", "particles in the image, of unknown origin"
#: Pixels of an image: 32 bits number them.
MAX_PIXELS = 1 << 31
#: Classes by the truth that indexes them.
CLASSES = {
    "interaction": INTERACTIONS,
    "particle": tuple(SINGLE_PARTICLES),
    "semantic": PIXEL_CLASSES,
}


def plane_header(settings: PlaneImages, tpc: TPC) -> Header:
    """What all images made with these settings have in common, before their processing steps.

    Raises
    ------
    InputError
        If the images are too large.
    """
    rows, columns = window_shape(settings, tpc)
    if rows * columns > MAX_PIXELS:
        raise InputError(f"shape: {rows} × {columns} pixels are more than {MAX_PIXELS}")
    axes = (
        Axis("time", "ticks", 0.0, rows * settings.ticks_per_pixel, rows),
        Axis("wire", "wires", 0.0, float(columns * settings.wires_per_pixel), columns),
    )
    views = tuple(settings.planes)
    return Header(
        detector="lartpc",
        views=views,
        shape=(rows, columns),
        channels=("charge",),
        axes=dict.fromkeys(views, axes),
        classes=CLASSES,
        # The sample's name says nothing about the images: the same settings make one image set.
        maker=settings.model_dump(mode="json", exclude={"sample"}) | units_of(tpc),
        features=dict.fromkeys(("n_hits", *(f"charge_{view}" for view in views))),
        truth=truth_columns(len(views)),
        values="float32",
        pixel_truth=dict(PIXEL_TRUTH),
        tables={"particles": particle_columns(len(views))},
    )


def plane_images(
    events: LArTPCEvents, tpc: TPC, settings: PlaneImages
) -> tuple[Images, dict[str, int]]:
    """Make the images of all events, before their processing steps.

    Every event is an example, also one without hits.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    tpc : TPC
        The detector.
    settings : PlaneImages
        What the images are.

    Returns
    -------
    images : Images
        In the order of the events.
    counts : dict of str to int
        The cutflow of the chunk; the keys do not depend on the events.

    Raises
    ------
    InputError
        If the charges of an event cannot be added, or images about the vertex are asked for and
        the file gives none.
    """
    events = join_short_deltas(events)
    place = vertices(events, tpc, settings)
    if settings.region == "vertex" and not {"vertex", "vertex_wire"} & set(events.truth):
        raise InputError(
            "no vertex, which the region 'vertex' needs: map it, or choose another region"
        )
    rows, columns = window_shape(settings, tpc)
    corner = windows(events, place, tpc, settings)
    pixels, inside = _pixels(events, corner, (rows, columns), settings)
    labels, particles = label_pixels(events, pixels, corner, columns, tpc, settings)
    names: list[str] = list(settings.planes)
    views = {
        view: Sparse(own.offsets, own.pixel, own.charge[:, None], truth)
        for view, own, truth in zip(names, pixels, labels, strict=True)
    }
    charge: npt.NDArray[np.float64] = np.stack(
        [_sums(own.offsets, own.charge) for own in pixels], axis=1
    )
    features = {f"charge_{view}": own for view, own in zip(names, charge.T, strict=True)}
    features["n_hits"] = inside
    images = Images(
        key=example_keys(events),
        views=views,
        truth=event_truth(events)
        | {
            "vertex_pixel": to_pixels(place, corner, settings),
            "corner": corner.reshape(len(events), 2 * len(names)).astype(np.float32),
        },
        features={name: column.astype(np.float32) for name, column in features.items()},
        tables={"particles": particles},
    )
    return images, _counts(events, images, inside, charge.sum(), settings)


def plane_hits_inside(
    events: LArTPCEvents, images: Images, tpc: TPC, settings: PlaneImages
) -> Inside:
    """Count the hits inside of their images, and find where they lie.

    Windows leave hits out as they should: there hits should lie in the readout and on the wires,
    and in images of the whole drift they should be inside.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    images : Images
        Theirs, before their processing steps.
    tpc : TPC
        The detector.
    settings : PlaneImages
        What the images are.
    """
    planes = settings.planes
    pixel = (settings.ticks_per_pixel, settings.wires_per_pixel)
    corner = images.truth["corner"].reshape(len(images), len(planes), 2).astype(np.float64)
    low, high = corner.min(axis=0, initial=np.inf), corner.max(axis=0, initial=-np.inf)
    size = np.multiply(window_shape(settings, tpc), pixel)
    image = allowed = np.stack([low, high + size], axis=2)
    if settings.region != "whole":
        ends = [(tpc.readout.ticks, tpc.wires(plane)) for plane in planes]
        allowed = np.stack([np.zeros((len(planes), 2)), np.array(ends, np.float64)], axis=2)
    # A window about the charge is put where there is some: it could be anywhere.
    image = allowed if settings.region == "charge" else image
    hits = events.hits
    data, number, right, filled = _hit_ranges(
        events.hit_offsets, hits["plane"], hits["wire"], hits["time"], views_of(settings), allowed
    )
    inside = images.features["n_hits"]
    return Inside(
        what="hits",
        where=words_of(settings),
        read=events.n_hits,
        seen=int(number),
        allowed=int(right),
        inside=int(inside.sum(dtype=np.int64)),
        images=int(filled.sum()),
        empty=int((filled & (inside == 0)).sum()),
        spans=_spans(planes, data, allowed, image),
    )


def words_of(settings: PlaneImages) -> str:
    """What images are, for messages: their region and planes."""
    planes = ", ".join(plane.upper() for plane in settings.planes)
    return f"region '{settings.region}', planes {planes}"


def _spans(planes: Sequence[str], *ranges: npt.NDArray[np.float64]) -> tuple[Span, ...]:
    """The time of all planes and the wires of each, of ranges (V, 2, 2)."""
    time = ((r[:, 0, 0].min(), r[:, 0, 1].max()) for r in ranges)
    return (
        Span("time", "ticks", *time),
        *(
            Span(f"wire {plane.upper()}", "", *((r[view, 1, 0], r[view, 1, 1]) for r in ranges))
            for view, plane in enumerate(planes)
        ),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _hit_ranges(offsets, plane, wire, time, views, allowed):  # type: ignore[no-untyped-def]
    """Ranges (V, 2, 2) of the hits' times and wires, how many are on the planes seen, how many of
    these in the ranges allowed, and which events have any."""
    data = np.empty(allowed.shape)
    data[:, :, 0], data[:, :, 1] = np.inf, -np.inf
    filled = np.zeros(len(offsets) - 1, np.bool_)
    number = right = 0
    for event in range(len(offsets) - 1):
        for i in range(offsets[event], offsets[event + 1]):
            view = views[plane[i]]
            if view < 0:
                continue
            number += 1
            filled[event] = True
            own, ends = data[view], allowed[view]
            own[0, 0], own[0, 1] = min(own[0, 0], time[i]), max(own[0, 1], time[i])
            own[1, 0], own[1, 1] = min(own[1, 0], wire[i]), max(own[1, 1], wire[i])
            if ends[0, 0] <= time[i] < ends[0, 1] and ends[1, 0] <= wire[i] < ends[1, 1]:
                right += 1
    return data, number, right, filled


def _pixels(
    events: LArTPCEvents,
    corner: npt.NDArray[np.float64],
    shape: tuple[int, int],
    settings: PlaneImages,
) -> tuple[list[Pixels], npt.NDArray[np.int64]]:
    try:
        return merge_hits(
            events.hits,
            events.hit_offsets,
            views_of(settings),
            corner,
            (settings.ticks_per_pixel, settings.wires_per_pixel),
            shape,
            settings.threshold,
        )
    except ValueError as error:
        problem, event = error.args
        raise InputError(f"{event_name(events.key[event])}: {problem}") from error


@njit(cache=True, nogil=True)
def _sums(offsets, charge):  # type: ignore[no-untyped-def]
    """Charge of each image, (n,) float64."""
    sums = np.zeros(len(offsets) - 1)
    for i in range(len(sums)):
        for k in range(offsets[i], offsets[i + 1]):
            sums[i] += charge[k]
    return sums


def count_truth(images: Images) -> dict[str, int]:
    """The cutflow of vertices and of the particles in images."""
    known = np.isfinite(images.truth["vertex"]).all(axis=1)
    known |= np.isfinite(images.truth["vertex_pixel"]).all(axis=1)
    particles = images.tables["particles"].columns
    unknown = int((particles["semantic"] == PIXEL_CLASSES.index("other")).sum())
    return {
        "kept, without a vertex": int((~known).sum()),
        PARTICLES: len(particles["semantic"]),
        NO_ORIGIN: int((particles["origin"] == UNKNOWN_ORIGIN).sum()),
        "particles in the image, of no class (unknown process or parent)": unknown,
    }


def example_keys(events: LArTPCEvents) -> npt.NDArray[np.void]:
    """Names of the examples."""
    key = np.zeros(len(events), KEY)
    for name in ("run", "subrun", "event"):
        key[name] = events.key[name]
    return key


def _counts(
    events: LArTPCEvents,
    images: Images,
    inside: npt.NDArray[np.int64],
    charge: float,
    settings: PlaneImages,
) -> dict[str, int]:
    """The cutflow; charges in whole ADC × tick."""
    seen, charge_seen = count_seen(events.hits["plane"], events.hits["charge"], views_of(settings))
    counts = {
        "events read": len(events),
        "hits read": events.n_hits,
        "hits on the planes seen": seen,
        NO_WIDTH: int((events.hits["rms"] == 0).sum()),
        "hits in the image": int(inside.sum()),
        "charge on the planes seen": round(charge_seen),
        "charge in the image": round(charge),
        "kept": len(events),
        "kept, without a hit in the image": int((inside == 0).sum()),
    }
    if settings.region == "vertex":
        lost = ~np.isfinite(images.truth["vertex_pixel"]).all(axis=1)
        counts["kept, without a vertex and about the charge"] = int(lost.sum())
    for target in ("interaction", "particle"):
        counts[f"kept, of no {target} class"] = int((images.truth[target] == OTHER).sum())
    return counts | count_truth(images)
