"""Images that hold little of what was read: refused or said, by the real command line."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hand_made_planes import TPC, hand_made, particle, random_events

from hepcnn.cli.main import main
from hepcnn.config import PolarImages, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.errors import InputError
from hepcnn.events.writing import write_events
from hepcnn.imaging.inside import NOWHERE, Inside, Span
from hepcnn.imaging.rich import rich_hits_inside, rich_images
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet


def run(tmp_path, events, images, sample=None, status=0):
    """Convert by the command line; returns what it says on standard error."""
    write_events(tmp_path / "a.root", [events], {})
    lartpc = images.get("maker", "polar") != "polar"
    sample = {"files": ["unused"]} | ({"detector": "lartpc"} if lartpc else {}) | (sample or {})
    config = {"samples": {"s": sample}, "images": {"i": {"sample": "s"} | images}, "tasks": {}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    paths = [str(tmp_path / name) for name in ("a.root", "c.yaml", "a.h5")]
    result = CliRunner().invoke(
        main, ["convert", paths[0], "--config", paths[1], "--images", "i", "-o", paths[2]]
    )
    assert result.exit_code == status, result.output
    assert (tmp_path / "a.h5").exists() == (status == 0)
    return result.stderr


def planes(region, **options):
    shape = None if region == "whole" else [64, 64]
    return {"maker": "planes", "region": region, "shape": shape} | options


def later(events, factor=1.0, ticks=0.0, which=slice(None)):
    """The events with the times of some hits multiplied and moved."""
    time = events.hits["time"].copy()
    time[which] = time[which] * factor + ticks
    return replace(events, hits=events.hits | {"time": time})


def test_the_cutflow_is_shown_on_every_run(tmp_path):
    """One step a line, their counts in one column."""
    said = run(tmp_path, random_events(), planes("charge"))
    lines = [line for line in said.splitlines() if line.startswith("  ")]
    shown = {line[:-15].strip(): int(line[-15:].replace(",", "")) for line in lines}
    assert shown == ImageSet(tmp_path / "a.h5").cutflow
    assert shown["hits read"] == 1600
    assert len({len(line) for line in lines}) == 1
    assert "warning" not in said


@pytest.mark.parametrize("region", ["whole", "charge", "fixed"])
def test_times_in_another_unit_are_refused_with_both_ranges(tmp_path, region):
    events = later(random_events(), 500)
    said = run(tmp_path, events, planes(region), status=1)
    low, high = (f"{t:,.0f}" for t in (events.hits["time"].min(), events.hits["time"].max()))
    end = {
        "whole": TPC.readout.trigger + np.ceil(TPC.full_drift / 6) * 6,
        "charge": TPC.readout.ticks,
        "fixed": 64 * 6,
    }[region]
    assert f"none of 1,600 hits lies inside the images (region '{region}'" in said
    assert f"time {low} to {high} ticks (images: " in said
    assert f"to {end:,.0f} ticks)" in said
    assert "hits read" in said


def test_hardly_any_hit_where_it_should_be_is_refused_too(tmp_path):
    """As one that is near tick 0 in any unit."""
    events = random_events()
    which = np.arange(events.n_hits) > 5
    said = run(tmp_path, later(events, 500, which=which), planes("charge"), status=1)
    assert f"only 6 of {events.n_hits:,} hits lie where they should" in said


def test_a_vertex_in_another_unit_is_refused_with_its_windows(tmp_path):
    """The hits are in the readout; the windows are far from them."""
    events = random_events()
    truth = events.truth | {"vertex": events.truth["vertex"] * 100}
    said = run(tmp_path, replace(events, truth=truth), planes("vertex"), status=1)
    assert "region 'vertex'" in said
    assert "wire Y" in said


def test_hits_on_no_plane_that_is_seen_are_refused(tmp_path):
    events = hand_made([[(0, 10, 4000.0, 5.0, 3.0, -1)] * 3])
    said = run(tmp_path, events, planes("charge", planes=["y"]), status=1)
    assert "none of 3 hits" in said
    assert "wire Y nothing" in said


def test_few_hits_in_the_readout_is_a_warning_that_is_kept(tmp_path):
    """In windows about the charge too, which are smaller than the detector as they should."""
    events = random_events(hits=300)
    which = np.arange(events.n_hits) % 3 > 0
    said = run(tmp_path, later(events, ticks=1e6, which=which), planes("charge"))
    (warning,) = (line for line in said.splitlines() if line.startswith("warning: "))
    assert f"only {np.sum(~which):,} of {events.n_hits:,} hits lie where they should" in warning
    assert "(should be in: 0 to 9,600 ticks)" in warning
    images = ImageSet(tmp_path / "a.h5")
    assert [(path, warning.endswith(text)) for path, text in images.warnings] == [
        (tmp_path / "a.h5", True)
    ]


@pytest.mark.parametrize(("wide", "branches"), [(True, {}), (False, {}), (False, {"hit_rms": "3"})])
def test_hits_without_a_width_are_said_with_one_to_suppose(tmp_path, wide, branches):
    """And not where there is one, or it is supposed."""
    said = run(tmp_path, random_events(wide=wide), planes("charge"), {"branches": branches})
    images = ImageSet(tmp_path / "a.h5")
    narrow = not wide and not branches
    assert ("branches: {hit_rms: 3}" in said) == narrow
    assert [text in said for _, text in images.warnings] == [True] * narrow
    assert images.cutflow["hits without a width"] == (1600 if narrow else 0)


def test_particles_of_unknown_origin_are_said(tmp_path):
    """Of which most have none; what to write is in the message."""
    muons = [[particle(13, origin=origin)] for origin in (-1, -1, 0)]
    events = hand_made([[(2, 1000, 4000.0, 5.0, 2.0, 0)]] * 3, muons)
    said = run(tmp_path, events, planes("charge"))
    assert "2 of 3 particles are of unknown origin" in said
    assert "particle_origin: 0 if all are of the beam" in said
    assert ImageSet(tmp_path / "a.h5").cutflow["particles in the image, of unknown origin"] == 2


def test_windows_smaller_than_the_event_are_no_fault(tmp_path):
    """Half of the hits and more are outside of them, and within the readout."""
    said = run(tmp_path, random_events(), planes("charge", shape=[8, 8]))
    cutflow = ImageSet(tmp_path / "a.h5").cutflow
    assert 0 < cutflow["hits in the image"] < cutflow["hits read"] / 2
    assert "warning" not in said


def test_empty_events_are_no_fault(tmp_path):
    assert "warning" not in run(tmp_path, hand_made([[], [], []]), planes("charge"))


def test_most_windows_without_a_hit_is_a_warning(tmp_path):
    """As of vertices that are wrong in most of the events."""
    events = random_events(n=8)
    vertex = events.truth["vertex"].copy()
    vertex[1:] *= 100
    events = replace(events, truth=events.truth | {"vertex": vertex})
    said = run(tmp_path, events, planes("vertex", shape=[800, 800]))
    assert "6 of 7 images hold none of the hits (region 'vertex'" in said


@pytest.fixture(scope="module")
def rich_events():
    geometry = load_geometry("lhcb-run3")
    return simulate_chunk(RichSimulation(tracks=30), geometry, np.random.default_rng(4), 12)


@pytest.mark.parametrize(
    ("options", "axis", "end"),
    [
        ({"radius": {"rich1": 0.01}}, "distance of the hits", "0 to 0.01 mm"),
        ({"coordinates": "cherenkov", "angle": {"rich1": 1e-3}}, "angle of the hits", "0.001 mrad"),
    ],
)
def test_hits_outside_of_all_rings_are_refused(tmp_path, rich_events, options, axis, end):
    said = run(tmp_path, rich_events, options, status=1)
    assert f"none of {rich_events.n_hits:,} hits lies inside the images (rich1" in said
    assert axis in said
    assert end in said


def test_the_distance_is_that_of_the_hits(rich_events):
    """Moved away from all tracks, by so much that the nearest is known."""
    geometry = load_geometry("lhcb-run3")
    settings = PolarImages(sample="s", radius={"rich1": 130.0})
    position = rich_events.hits["position"].copy()
    position[:, 0] = 5000
    events = replace(rich_events, hits=rich_events.hits | {"position": position})
    _, counts = rich_images(events, geometry, settings)
    *_, inside = rich_hits_inside(events, geometry, counts, settings)
    (span,) = inside.spans
    assert 3000 < span.data[0] < span.data[1] < 7000
    with pytest.raises(InputError, match=r"distance of the hits .* \(images: 0 to 130 mm\)"):
        list(inside.check())


def test_momenta_in_gev_are_refused_with_the_remedy(tmp_path, rich_events):
    p = rich_events.tracks["p"] / np.float32(1000)
    events = replace(rich_events, tracks=rich_events.tracks | {"p": p})
    said = run(tmp_path, events, {}, status=1)
    assert "tracks lies inside the images (momentum_range)" in said
    assert f"track_p {p.min():.2g} to {p.max():,.0f} MeV (images: 3,000 to 100,000 MeV)" in said
    assert "1000 * BRANCH" in said


def test_a_range_of_momenta_that_no_track_has_leaves_nothing(tmp_path, rich_events):
    """As in a job of few events; it is said which step of the cutflow left none."""
    said = run(tmp_path, rich_events, {"momentum_range": [1.5e5, 2e5]})
    images = ImageSet(tmp_path / "a.h5")
    crossing = images.cutflow["projected on a panel of rich1"]
    assert "nothing was kept: of " in said
    assert f"{crossing:,} 'projected on a panel of rich1' none is 'in the momentum range'" in said
    ((_, warning),) = images.warnings
    assert warning in said
    assert "MeV (images: 150,000 to 200,000 MeV)" in warning


def segments(events, change):
    """The events with their segments in RICH1 changed."""
    changed = {
        f"rich1_{part}": change(part, events.tracks[f"rich1_{part}"])
        for part in ("entry", "direction", "exit")
    }
    return replace(events, tracks=events.tracks | changed)


@pytest.mark.parametrize("coordinates", ["detector", "cherenkov"])
def test_segments_in_cm_are_refused(tmp_path, rich_events, coordinates):
    """They project somewhere all the same."""

    def in_cm(part, values):
        return values if part == "direction" else values / np.float32(10)

    said = run(tmp_path, segments(rich_events, in_cm), {"coordinates": coordinates}, status=1)
    assert "segments of tracks lie where they should (the gas of rich1)" in said
    assert "z of the middle " in said
    assert "(should be in: 890 to 2,257 mm)" in said


def test_directions_that_do_not_lead_from_entry_to_exit_are_refused(tmp_path, rich_events):
    def exchanged(part, values):
        return values[:, [1, 2, 0]] if part == "direction" else values

    said = run(tmp_path, segments(rich_events, exchanged), {}, status=1)
    assert "directions of tracks lie where they should (the gas of rich1)" in said
    assert "should be in: 0 to 100 mrad" in said


def test_some_tracks_of_another_unit_are_a_warning(tmp_path, rich_events):
    def some(part, values):
        values = values.copy()
        values[::3] /= 10 if part != "direction" else 1
        values[::5] /= 10 if part != "direction" else 1
        return values

    assert "warning" not in run(tmp_path, segments(rich_events, some), {})

    def most(part, values):
        values = values.copy()
        values[: 2 * len(values) // 3] /= 10 if part != "direction" else 1
        return values

    assert "warning: " in run(tmp_path, segments(rich_events, most), {})


def test_hits_of_another_rich_only(tmp_path, rich_events):
    hits = rich_events.hits
    keep = hits["rich"] == 2
    count = np.add.reduceat(keep, rich_events.hit_offsets[:-1])
    events = replace(
        rich_events,
        hits={name: column[keep] for name, column in hits.items()},
        hit_offsets=np.cumsum([0, *count]).astype(np.int64),
    )
    said = run(tmp_path, events, {}, status=1)
    assert "rich1, detector coordinates, 0 with its hit_rich" in said


def test_few_tracks_may_all_be_without_a_hit(tmp_path, rich_events):
    """Two tracks without light are no fault of the file."""
    events = rich_events.part(0, 1)
    keep = np.arange(events.n_tracks) < 2
    events = replace(
        events,
        tracks={name: column[keep] for name, column in events.tracks.items()},
        track_offsets=np.array([0, 2]),
    )
    assert "warning" not in run(tmp_path, events, {"radius": {"rich1": 0.01}})


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A geometry whose photon plane is centred at 0 and stands across the beam."""
    folder = tmp_path_factory.mktemp("flat")
    geometry = load_geometry("lhcb-run3")["rich1"].model_dump(mode="json")
    geometry["photon_plane"] |= {"centre": [0.0, 0.0, 1500.0], "normal": [0.0, 0.0, 1.0]}
    (folder / "flat.yaml").write_text(yaml.safe_dump({"rich1": geometry, "rich2": geometry}))
    return str(folder / "flat.yaml")


def on_a_flat_plane(events, panel):
    """The events with all that is in RICH1 on that plane, on both sides of its middle."""
    rng = np.random.default_rng(1)

    def somewhere(n):
        return np.column_stack([rng.uniform(-200, 200, (n, 2)), np.full(n, 1500)]).astype("f4")

    position = somewhere(events.n_hits)
    names = [name for name in events.tracks if not name.startswith("rich")]
    tracks = {n: events.tracks[n] for n in names} | {"rich1_projection": somewhere(events.n_tracks)}
    hits = {
        "position": position,
        "rich": np.ones(events.n_hits, np.int8),
        "panel": panel(position[:, 1]).astype(np.int8),
    }
    return replace(events, tracks=tracks, hits=hits)


def test_hits_on_one_side_and_a_panel_of_the_other_are_refused(tmp_path, rich_events, flat):
    """Half of the images would be empty."""
    events = on_a_flat_plane(rich_events, np.zeros_like)
    below = int((events.hits["position"][:, 1] < 0).sum())
    said = run(tmp_path, events, {}, {"geometry": flat}, status=1)
    assert "a.root: event 1:0:0: hit" in said
    assert f"as {below:,} of {events.n_hits:,} hits of rich1 are not" in said
    assert "hit_panel must be 0 where hit_y is above 0, and 1 where it is below" in said
    run(tmp_path, on_a_flat_plane(rich_events, lambda y: y < 0), {}, {"geometry": flat})


@pytest.mark.parametrize("options", [{}, {"coordinates": "cherenkov"}, {"rich": ["rich2"]}])
def test_panels_of_lhcb_that_are_exchanged_are_refused(tmp_path, rich_events, options):
    hits = rich_events.hits | {"panel": 1 - rich_events.hits["panel"]}
    said = run(tmp_path, replace(rich_events, hits=hits), options, status=1)
    axis = "x" if options.get("rich") else "y"
    assert f"hit_panel must be 0 where hit_{axis} is above 0" in said


def test_axes_of_parts_are_joined():
    """Of parts in which nothing was amiss there is none."""
    first = Inside("hits", "w", 10, 9, 8, 7, 6, 5, (Span("t", "mm", NOWHERE, (0, 1), (2, 3)),))
    second = Inside("hits", "w", 1, 1, 1, 1, 1, 1, (Span("t", "mm", (4, 5), (0, 2), (2, 3)),))
    both = first.join(second).join(replace(second, spans=()))
    assert (both.read, both.seen, both.allowed, both.inside) == (12, 11, 10, 9)
    assert (both.images, both.empty) == (8, 7)
    assert both.spans == (Span("t", "mm", (4, 5), (0, 2), (2, 3)),)
