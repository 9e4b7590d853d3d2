"""Check 6: how busy the photon planes are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import plane_coordinates
from hepcnn.detector.pixels import pixel_centres
from hepcnn.report.style import styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import TITLES, Floats, Setup

#: Events, simulated so many at a time.
_EVENTS, _CHUNK = 60, 15
#: The busiest tubes, whose mean is the peak.
_BUSIEST = 10


def occupancy(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 6: occupancy of the tubes and hits an event, at the published multiplicity."""
    maps = {rich: np.zeros((2, *_pixels(g).shape)) for rich, g in setup.geometry.items()}
    hits: dict[str, list[int]] = {rich: [] for rich in setup.geometry}
    for _ in range(_EVENTS // _CHUNK):
        events = setup.simulate(rng, _CHUNK, tracks=setup.bands.tracks)
        event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
        for number, (rich, geometry) in enumerate(setup.geometry.items(), 1):
            mine = events.hits["rich"] == number
            panel = events.hits["panel"][mine]
            plane = plane_coordinates(geometry, events.hits["position"][mine], panel)
            np.add.at(maps[rich], (panel, *_cells(geometry, plane)), 1)
            hits[rich] += np.bincount(event[mine], minlength=len(events)).tolist()
    rows = []
    for number, (rich, geometry) in enumerate(setup.geometry.items(), 1):
        upper = maps[rich][0].sum() / maps[rich].sum()
        maps[rich] /= len(hits[rich]) * _pixels(geometry)
        if number == 1:
            peak = float(np.sort(maps[rich].ravel())[-_BUSIEST:].mean())
            quantity = f"{TITLES[rich]}: occupancy of the {_BUSIEST} busiest tubes"
            rows.append(Row(quantity, peak, *setup.bands.peak))
        band = setup.bands.riches[rich].hits
        rows += [
            Row(f"{TITLES[rich]}: hits an event", float(np.mean(hits[rich])), *band),
            Row(f"{TITLES[rich]}: fraction of the hits on panel 0", float(upper), 0.47, 0.53),
        ]
    return Check(
        "occupancy",
        f"Occupancy and hits an event are those of {setup.bands.tracks:g} long tracks",
        tuple(rows),
        lambda: _draw(setup.geometry, maps, hits),
    )


def _cells(geometry: RichGeometry, plane: NDArray[np.floating]) -> tuple[NDArray[np.int64], ...]:
    """Cells of a grid of the first type's tubes, along u and v, of points (n, 2) on a panel."""
    place = (plane + np.array(geometry.photon_plane.half_size)) / geometry.pixels[0].pitch
    return tuple(place.astype(np.int64).T)


def _pixels(geometry: RichGeometry) -> Floats:
    """Pixels in each cell of that grid; 0 where there is none."""
    u, v = _cells(geometry, pixel_centres(geometry)[0])
    count = np.zeros((u.max() + 1, v.max() + 1))
    np.add.at(count, (u, v), 1)
    return count


@styled
def _draw(
    geometry: Mapping[str, RichGeometry], maps: dict[str, Floats], hits: dict[str, list[int]]
) -> Figure:
    figure = Figure(figsize=(12.6, 3.8))
    panels = figure.subplots(1, 3, width_ratios=(1.3, 0.7, 1))
    for axes, (rich, seen) in zip(panels[:2], maps.items(), strict=True):
        plane = geometry[rich].photon_plane
        u, v = np.linspace(-1, 1, seen.shape[1] + 1), np.linspace(-1, 1, seen.shape[2] + 1)
        image = axes.pcolormesh(
            u * plane.half_size[0], v * plane.half_size[1], 100 * seen.mean(axis=0).T,
            cmap="viridis", rasterized=True,
        )  # fmt: skip
        axes.set(xlabel="$u$ [mm]", ylabel="$v$ [mm]", aspect="equal")
        axes.set_title(TITLES[rich])
        figure.colorbar(image, ax=axes, label="occupancy [%]", use_gridspec=False)
    for rich, number in hits.items():
        panels[2].hist(number, bins=15, histtype="step", label=TITLES[rich])
    panels[2].set(xlabel="hits", ylabel="events")
    panels[2].legend()
    return figure
