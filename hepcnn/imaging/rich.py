"""RICH events → track-centred images: one example a track, one view a RICH."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from hepcnn.config import PolarImages
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import on_panel, plane_coordinates, project_tracks
from hepcnn.detector.particles import OTHER, SPECIES, species_of
from hepcnn.errors import InputError
from hepcnn.events.chunk import Level, event_name
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.imaging.cherenkov import cherenkov_images
from hepcnn.imaging.inside import NOWHERE, Inside, Span
from hepcnn.imaging.panels import PANELS, PanelPoints, check_sides, panel_points
from hepcnn.imaging.polar import MAX_POINTS, check_shape, polar_counts
from hepcnn.imaging.sparse import merge_channels
from hepcnn.imaging.track_segments import segments_inside
from hepcnn.store.rich import FEATURES, TRUTH, WEIGHT, analytic_features
from hepcnn.store.shard import KEY, Axis, Header, Images, Sparse

#: Fewer tracks may all be without a hit by chance.
_FEW_TRACKS = 20
#: Momenta that are all so many times smaller or larger than those wanted are in another unit.
_FAR = 5.0
#: Tracks among which it is looked where hits lie that are in no image.
_SAMPLE = 256
#: What is looked at then, in the axis' unit: far beyond any image, in fine bins.
_WIDE = {"radius": (20_000.0, (4000, 1)), "angle": (400.0, (400, 1))}


def rich_header(settings: PolarImages, weighted: bool = False) -> Header:
    """What all images made with these settings have in common.

    Parameters
    ----------
    settings : PolarImages
        What the images are.
    weighted : bool
        Whether the tracks have weights.

    Raises
    ------
    InputError
        If the images are too large.
    """
    check_shape(settings.shape)
    rows, columns = settings.shape
    cherenkov = settings.coordinates == "cherenkov"
    analytic = analytic_features(settings.rich) if cherenkov else {}
    own = [*FEATURES, WEIGHT] if weighted else FEATURES
    return Header(
        detector="rich",
        views=tuple(settings.rich),
        shape=settings.shape,
        channels=tuple(settings.channels),
        axes={
            rich: (
                Axis("theta", "mrad", 0.0, settings.angle[rich], rows)
                if cherenkov
                else Axis("r", "mm", 0.0, settings.radius[rich], rows),
                Axis("phi", "rad", -math.pi, math.pi, columns),
            )
            for rich in settings.rich
        },
        classes={"species": SPECIES},
        # The sample's name says nothing about the images: the same settings make one image set.
        maker=settings.model_dump(mode="json", exclude={"sample"}),
        features=dict.fromkeys(own) | analytic,
        truth=dict(TRUTH),
    )


def rich_images(
    events: RichEvents, geometry: Mapping[str, RichGeometry], settings: PolarImages
) -> tuple[Images, dict[str, int]]:
    """Make the images of all tracks that pass the cuts.

    A track is kept if it crosses every RICH that is required, projects on a panel of each and is
    within the momentum range: the same tracks in both coordinates. In detector coordinates its
    image in a RICH is made of the points on that panel, and in a RICH where it projects on none it
    is empty. In Cherenkov coordinates it is made of the points on both panels that can be photons
    of the track, and empty if it does not cross the RICH. Points are all that there are: nothing
    is taken away that belongs to other tracks.

    Parameters
    ----------
    events : RichEvents
        A chunk of events.
    geometry : mapping of str to RichGeometry
        The RICHes by name.
    settings : PolarImages
        What the images are.

    Returns
    -------
    images : Images
        In the order of the events and their tracks.
    counts : dict of str to int
        The cutflow of the chunk; the keys do not depend on the events.

    Raises
    ------
    InputError
        If a bin or panel holds more than can be counted, or hits are not on the side of their
        panel, or the file does not give what Cherenkov coordinates need.
    """
    counts = {"events read": len(events), "tracks read": events.n_tracks}
    keep = np.ones(events.n_tracks, np.bool_)
    tracks, there = {}, {}
    for rich in settings.rich:
        check_sides(events, geometry[rich], rich)
        crosses, panel, point = _project(events, geometry[rich], rich)
        tracks[rich], there[rich] = (panel, point), crosses & (panel >= 0)
        if rich not in settings.must_cross:
            continue
        keep &= crosses
        counts[f"in {rich}"] = int(keep.sum())
        keep &= panel >= 0
        counts[f"projected on a panel of {rich}"] = int(keep.sum())
    low, high = settings.momentum_range
    keep &= (events.tracks["p"] >= low) & (events.tracks["p"] < high)
    counts["in the momentum range"] = int(keep.sum())

    kept = np.flatnonzero(keep)
    pdg = events.tracks["pdg"][kept]
    species = species_of(pdg)
    counts["kept"] = len(kept)
    counts["kept, of other species"] = int((species == OTHER).sum())
    features = {name: column[kept] for name, column in _features(events).items()}
    if settings.coordinates == "cherenkov":
        views, analytic = cherenkov_images(events, geometry, settings, kept)
        features |= analytic
    else:
        views = {
            rich: _view(events, geometry[rich], rich, kept, *tracks[rich], settings)
            for rich in settings.rich
        }
    counts["hits read"] = events.n_hits
    for rich in settings.rich if "hits" in settings.channels else ():
        counts |= _hit_counts(events, views[rich], there[rich][kept], rich, settings)
    images = Images(
        key=_keys(events)[kept],
        views=views,
        truth={"species": species, "pdg": pdg},
        features=features,
    )
    return images, counts


def _hit_counts(
    events: RichEvents,
    view: Sparse,
    there: npt.NDArray[np.bool_],
    rich: str,
    settings: PolarImages,
) -> dict[str, int]:
    """The cutflow of the hits in one RICH; `there` are the tracks that it sees."""
    hits = view.value[:, settings.channels.index("hits")]
    until = np.concatenate([[0], np.cumsum(hits, dtype=np.int64)])[view.offsets]
    empty = there & (np.diff(until) == 0)
    return {
        f"hits of {rich}": int((events.hits["rich"] == RICHES.index(rich) + 1).sum()),
        f"hits in the images of {rich}, once an image": int(until[-1]),
        f"kept, in {rich}": int(there.sum()),
        f"kept, in {rich}, without a hit in the image": int(empty.sum()),
    }


def rich_hits_inside(
    events: RichEvents,
    geometry: Mapping[str, RichGeometry],
    counts: Mapping[str, int],
    settings: PolarImages,
) -> list[Inside]:
    """How many tracks are in the momentum range and in the gas, and how many hits inside of images.

    If hits are few it is found where they lie.

    Parameters
    ----------
    events : RichEvents
        A chunk of events.
    geometry : mapping of str to RichGeometry
        The RICHes by name.
    counts : mapping of str to int
        Their cutflow.
    settings : PolarImages
        What the images are.
    """
    found = [_momenta(events, counts, settings)]
    for rich in settings.rich:
        found += segments_inside(events, geometry[rich], rich)
    for rich in settings.rich if "hits" in settings.channels else ():
        of_rich, images = counts[f"hits of {rich}"], counts[f"kept, in {rich}"]
        empty = counts[f"kept, in {rich}, without a hit in the image"]
        found.append(
            Inside(
                what="hits",
                where=f"{rich}, {settings.coordinates} coordinates, {of_rich:,} with its hit_rich",
                read=events.n_hits if images else 0,
                seen=of_rich,
                allowed=of_rich,
                inside=counts[f"hits in the images of {rich}, once an image"],
                images=images,
                empty=empty,
                spans=_where(events, geometry, rich, settings) if 2 * empty > images else (),
                few=_FEW_TRACKS,
            )
        )
    return found


def _momenta(events: RichEvents, counts: Mapping[str, int], settings: PolarImages) -> Inside:
    """The tracks before and after the cut on the momentum, which may leave none."""
    p = events.tracks["p"]
    crossing = min(counts[f"projected on a panel of {rich}"] for rich in settings.must_cross)
    data = (float(p.min()), float(p.max())) if len(p) else NOWHERE
    low, high = allowed = settings.momentum_range
    return Inside(
        what="tracks",
        where="momentum_range",
        read=crossing,
        seen=crossing,
        allowed=crossing,
        inside=counts["in the momentum range"],
        images=0,
        empty=0,
        spans=(Span("track_p", "MeV", data, allowed, allowed),),
        ask="track_p must be in MeV: of a branch in GeV it is 1000 * BRANCH",
        # Few tracks, or those of a narrow range, may all be outside; not in another unit.
        fatal=data[1] < low / _FAR or data[0] > high * _FAR,
    )


def _where(
    events: RichEvents, geometry: Mapping[str, RichGeometry], rich: str, settings: PolarImages
) -> tuple[Span, ...]:
    """The distances or angles at which some tracks have hits, wherever these are."""
    cherenkov = settings.coordinates == "cherenkov"
    bound = "angle" if cherenkov else "radius"
    name, unit = ("angle of the hits", "mrad") if cherenkov else ("distance of the hits", "mm")
    end, shape = _WIDE[bound]
    wide = settings.model_copy(
        update={"rich": [rich], "required": None, "channels": ["hits"], "shape": shape}
        | {bound: {rich: end}}
    )
    first = max(1, int(np.searchsorted(events.track_offsets, _SAMPLE)))
    images, _ = rich_images(events.part(0, min(first, len(events))), geometry, wide)
    data, rows = NOWHERE, images.views[rich].pixel
    if len(rows):
        data = (float(rows.min() * end / shape[0]), float((rows.max() + 1) * end / shape[0]))
    image = (0.0, getattr(settings, bound)[rich])
    return (Span(name, unit, data, image, image),)


def _project(
    events: RichEvents, geometry: RichGeometry, rich: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Whether tracks cross a RICH, the panel they project on (−1: none), and where (mm)."""
    columns = events.tracks
    if f"{rich}_projection" in columns:
        point = columns[f"{rich}_projection"].astype(np.float64)
        crosses = np.isfinite(point[:, 0])
        panel = (point[:, geometry.split] < 0).astype(np.int8)
        plane = plane_coordinates(geometry, point, panel)
        inside = on_panel(geometry, plane.astype(np.float64))
    else:
        segment = [columns[f"{rich}_{part}"] for part in ("entry", "direction", "exit")]
        crosses = np.isfinite(segment[0][:, 0])
        panel, point, inside = project_tracks(geometry, *segment)
    return crosses, np.where(inside, panel, -1).astype(np.int8), point


def _view(
    events: RichEvents,
    geometry: RichGeometry,
    rich: str,
    kept: npt.NDArray[np.int64],
    panel: npt.NDArray[np.int8],
    point: npt.NDArray[np.float64],
    settings: PolarImages,
) -> Sparse:
    """The images of the tracks to keep, in one RICH; empty for those on no panel."""
    side = np.full(len(panel), -1, np.int8)
    side[kept] = panel[kept]
    tracks, hits = partial(_place, events, "track"), partial(_place, events, "hit")
    centres = panel_points(geometry, point, side, events.track_offsets, tracks)
    image = np.full(len(panel), -1)
    image[centres.index] = np.arange(len(centres.index))
    channels = []
    for channel in settings.channels:
        if channel == "hits":
            seen = np.where(
                events.hits["rich"] == RICHES.index(rich) + 1, events.hits["panel"], np.int8(-1)
            )
            position = events.hits["position"]
            points = panel_points(geometry, position, seen, events.hit_offsets, hits)
        else:
            points = panel_points(geometry, point, panel, events.track_offsets, tracks)
        _check_number(events, points, f"{channel} on one panel of {rich}")
        offsets, pixel, count = polar_counts(
            points.plane,
            points.offsets,
            centres.plane,
            centres.offsets,
            settings.radius[rich],  # type: ignore[index]
            settings.shape,
            exclude_self=channel == "tracks",
        )
        channels.append(Sparse(offsets, pixel, count[:, None]).take(image[kept]))
    return merge_channels(channels)


def _place(events: RichEvents, level: Level, row: int) -> str:
    """A hit, or a track's projection, in words."""
    offsets = events.offsets(level)
    event = int(np.searchsorted(offsets, row, side="right")) - 1
    own = row - int(offsets[event])
    if level == "track":
        own = int(events.tracks["index"][row]) if "index" in events.tracks else own
    what = f"hit {own}" if level == "hit" else f"the projection of track {own}"
    return f"{event_name(events.key[event])}: {what}"


def _check_number(events: RichEvents, points: PanelPoints, what: str) -> None:
    number = np.diff(points.offsets)
    if number.size and number.max() > MAX_POINTS:
        event = event_name(events.key[int(number.argmax()) // PANELS])
        raise InputError(
            f"{event}: {number.max()} {what}; images count at most {MAX_POINTS}; `selection: "
            "{event: CONDITION}` leaves such events out"
        )


def _keys(events: RichEvents) -> npt.NDArray[np.void]:
    """Names of all tracks."""
    per_event = np.diff(events.track_offsets)
    key = np.empty(events.n_tracks, KEY)
    for name in ("run", "subrun", "event"):
        key[name] = np.repeat(events.key[name], per_event)
    key["object"] = events.tracks.get(
        "index", np.arange(events.n_tracks) - np.repeat(events.track_offsets[:-1], per_event)
    )
    return key


def _features(events: RichEvents) -> dict[str, npt.NDArray[np.float32]]:
    """Features of all tracks; η of the direction in the first RICH crossed, NaN if not known.

    The direction in RICH2 is that behind the magnet.
    """
    per_event = np.diff(events.track_offsets)
    eta = np.full(events.n_tracks, np.nan, np.float32)
    for rich in RICHES:
        if f"{rich}_direction" in events.tracks:
            x, y, z = events.tracks[f"{rich}_direction"].T.astype(np.float64)
            with np.errstate(divide="ignore"):
                here = np.arcsinh(z / np.hypot(x, y))  # of any length: float32 is not exactly 1
            eta = np.where(np.isnan(eta), here, eta).astype(np.float32)
    weight = {WEIGHT: events.tracks["weight"]} if "weight" in events.tracks else {}
    return weight | {
        "p": events.tracks["p"].astype(np.float32),
        "eta": eta,
        "charge": events.tracks["charge"].astype(np.float32),
        "n_tracks": np.repeat(per_event, per_event).astype(np.float32),
    }
