"""Images in Cherenkov coordinates, and the features of the reconstruction beside them."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml

from hepcnn.config import PolarImages, RichSample, RichSimulation
from hepcnn.detector import geometry as geometry_module
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError
from hepcnn.events.writing import write_events
from hepcnn.imaging import cherenkov
from hepcnn.imaging.cherenkov import theta_phi_images
from hepcnn.imaging.convert import convert
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.reconstruction.reconstruct import EventCandidates, reconstruct
from hepcnn.reconstruction.resolution import angle_sigma
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.batches import Batches
from hepcnn.store.hdf5 import open_hdf5
from hepcnn.store.images import ImageSet
from hepcnn.store.rich import FEATURES, LOGARITHMS, analytic_features
from hepcnn.validation.rich.setup import IDEAL

GEOMETRY = load_geometry("lhcb-run3")
SHAPE = (64, 24)
BOTH = ["rich1", "rich2"]
CHANNELS = ["hits", "expected_other"]


def settings(**options):
    common = {
        "sample": "rich", "coordinates": "cherenkov", "rich": BOTH, "shape": SHAPE,
        "channels": CHANNELS,
    }  # fmt: skip
    return PolarImages(**(common | options))


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(5)
    return simulate_chunk(RichSimulation(tracks=25), GEOMETRY, rng, 6)


@pytest.fixture(scope="module")
def images(events):
    return rich_images(events, GEOMETRY, settings(required=["rich1"]))[0]


def dense(sparse, shape=SHAPE):
    """(n, C, rows, columns); checks the form of the sparse images on the way."""
    found = np.zeros((len(sparse), sparse.value.shape[1], shape[0] * shape[1]), int)
    assert len(sparse.pixel) == len(sparse.value) == sparse.offsets[-1]
    assert sparse.value.any(axis=1).all()
    for i, (start, stop) in enumerate(pairwise(sparse.offsets)):
        assert (np.diff(sparse.pixel[start:stop].astype(int)) > 0).all()
        found[i, :, sparse.pixel[start:stop]] = sparse.value[start:stop]
    return found.reshape(*found.shape[:2], *shape)


def made_up(counts, seed=1):
    """Candidates of tracks drawn at random, some beyond 60 mrad."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    n = offsets[-1]
    theta, phi = 0.07 * np.sqrt(rng.random(n)), rng.uniform(-math.pi, math.pi, n)
    columns = (theta, phi, rng.exponential(0.3, n))
    return EventCandidates(
        offsets, rng.integers(0, 999, n).astype(np.int32), *(c.astype(np.float32) for c in columns)
    )


def rows_of(key, events):
    """Rows of tracks by their keys."""
    event = np.array([int(np.flatnonzero(events.key["event"] == e)[0]) for e in key["event"]], int)
    return events.track_offsets[event] + key["object"]


@pytest.mark.parametrize("shape", [SHAPE, (5, 7), (1, 1), (300, 400)])
def test_images_are_histograms_of_the_candidates(shape):
    """Counts, and the sum of what else is expected in thousandths; no candidate is lost."""
    found = made_up([40, 0, 700, 1])
    tracks = np.array([3, 2, 1, 0])
    limits = ((0, 0.06), (-math.pi, math.pi))
    # A photon's share is larger where there are few bins: not beyond 65 in one.
    found = replace(found, other=found.other / 10)
    images = theta_phi_images(found, tracks, np.zeros(4, bool), 1, 0.06, shape, CHANNELS)
    assert images.pixel.dtype == (np.uint32 if shape[0] > 255 else np.uint16)
    for track, image in zip(tracks, dense(images, shape), strict=True):
        own = slice(found.offsets[track], found.offsets[track + 1])
        theta, phi, other = (c[own].astype(float) for c in (found.theta, found.phi, found.other))
        count = np.histogram2d(theta, phi, shape, limits)[0]
        total = np.histogram2d(theta, phi, shape, limits, weights=other)[0]
        np.testing.assert_array_equal(image[0], count)
        np.testing.assert_array_equal(image[1], np.rint(1000 * total))
        assert image[0].sum() == (theta < 0.06).sum()


@pytest.mark.parametrize("split", [0, 1])
def test_phi_is_mirrored_in_the_split_plane(split):
    """φ → −φ for a mirror in y; φ → π − φ in x. Only for the tracks that are mirrored."""
    found = made_up([300, 300])
    phi = -found.phi if split == 1 else math.pi - found.phi
    turned = replace(found, phi=np.angle(np.exp(1j * phi.astype(float))).astype(np.float32))
    tracks, which = np.arange(2), np.array([True, False])
    plain, other = (
        dense(theta_phi_images(f, tracks, np.zeros(2, bool), split, 0.06, SHAPE))
        for f in (found, turned)
    )
    mirrored = dense(theta_phi_images(found, tracks, which, split, 0.06, SHAPE))
    np.testing.assert_array_equal(mirrored, np.stack([other[0], plain[1]]))
    assert not np.array_equal(other, plain)


def test_channels_can_be_one_or_in_another_order():
    found = made_up([300])
    found.other[found.phi < 0] = 0
    tracks, not_ = np.arange(1), np.zeros(1, bool)
    both, turned, density = (
        dense(theta_phi_images(found, tracks, not_, 1, 0.06, SHAPE, channels))
        for channels in (CHANNELS, CHANNELS[::-1], CHANNELS[1:])
    )
    np.testing.assert_array_equal(both, turned[:, ::-1])
    np.testing.assert_array_equal(both[:, 1:], density)


@pytest.mark.parametrize(
    ("rich", "required"),
    [
        (["rich1"], None), (["rich2"], ["rich2"]), (BOTH, None), (BOTH, ["rich1"]),
        (BOTH, ["rich2"]), (BOTH, BOTH[::-1]),
    ],
)  # fmt: skip
def test_the_tracks_are_those_of_detector_coordinates(events, rich, required):
    """Whatever is required, and by the same cuts."""
    plain = PolarImages(sample="rich", rich=rich, required=required)
    expected, cuts = rich_images(events, GEOMETRY, plain)
    found, counts = rich_images(events, GEOMETRY, settings(rich=rich, required=required))
    np.testing.assert_array_equal(found.key, expected.key)
    tracks = [step for step in cuts if "hit" not in step]
    assert [(step, counts[step]) for step in tracks] == [(step, cuts[step]) for step in tracks]
    for name in ("species", "pdg"):
        np.testing.assert_array_equal(found.truth[name], expected.truth[name])
    for name in FEATURES:
        np.testing.assert_array_equal(found.features[name], expected.features[name])


@pytest.mark.parametrize("coordinates", ["detector", "cherenkov"])
def test_a_rich_that_is_not_required_can_be_missing(events, coordinates):
    """Its view is then empty, and the other one what it is without."""
    options = {"coordinates": coordinates, "channels": ["hits"]}
    loose = settings(required=["rich1"], **options)
    found, counts = rich_images(events, GEOMETRY, loose)
    alone, _ = rich_images(events, GEOMETRY, settings(rich=["rich1"], **options))
    strict, _ = rich_images(events, GEOMETRY, settings(**options))
    assert len(strict) < len(found) == len(alone)
    np.testing.assert_array_equal(found.key, alone.key)
    np.testing.assert_array_equal(dense(found.views["rich1"]), dense(alone.views["rich1"]))
    row, seen = rows_of(found.key, events), dense(found.views["rich2"]).any(axis=(1, 2, 3))
    crosses = np.isfinite(events.tracks["rich2_entry"][row, 0])
    assert not seen[~crosses].any()
    assert (~crosses).any()
    also = np.isin(found.key, strict.key)
    assert seen[also].mean() > 0.95
    for view in BOTH:
        np.testing.assert_array_equal(dense(found.views[view])[also], dense(strict.views[view]))
    steps = list(counts)
    assert not any("rich2" in step for step in steps[: steps.index("kept")])


def test_images_hold_the_candidates_of_both_panels(events, images):
    """All of them that are within the image, and some tracks' are on both panels."""
    found = reconstruct(events, GEOMETRY, BOTH)
    row = rows_of(images.key, events)
    for view, high in (("rich1", 0.064), ("rich2", 0.036)):
        candidates = found.candidates[view]
        total = dense(images.views[view])[:, 0].sum(axis=(1, 2))
        split = 0
        for i, track in enumerate(row):
            own = slice(candidates.offsets[track], candidates.offsets[track + 1])
            assert total[i] == (candidates.theta[own] < high).sum()
            split += len(np.unique(events.hits["panel"][candidates.hit[own]])) == 2
        assert split > 0


def mirror(events, axis, rich):
    """The events reflected in the plane where a coordinate is 0."""

    def negated(column):
        column = column.copy()
        column[:, axis] *= -1
        return column

    tracks = {n: negated(c) if c.ndim == 2 else c for n, c in events.tracks.items()}
    hits = {**events.hits, "position": negated(events.hits["position"])}
    swap = events.hits["rich"] == int(rich[-1])
    hits["panel"] = np.where(swap, 1 - hits["panel"], hits["panel"]).astype(np.int8)
    return replace(events, tracks=tracks, hits=hits)


@pytest.mark.parametrize(("rich", "axis"), [("rich1", 1), ("rich2", 0)])
def test_both_halves_look_alike(events, rich, axis):
    """An event reflected in the plane between the halves has the same images."""
    one = settings(rich=[rich], shape=(32, 24))
    found, expected = (
        rich_images(e, GEOMETRY, one)[0] for e in (mirror(events, axis, rich), events)
    )
    np.testing.assert_array_equal(found.key, expected.key)
    a, b = (dense(i.views[rich], (32, 24)) for i in (found, expected))
    # Rounding may move a candidate at the edge of a bin.
    assert np.abs(a - b)[:, 0].sum() <= 1e-3 * b[:, 0].sum()
    assert np.abs(a - b)[:, 1].sum() <= 5e-3 * b[:, 1].sum()
    for name in analytic_features([rich]):
        near = np.isclose(found.features[name], expected.features[name], rtol=1e-3, atol=1e-2)
        assert near.mean() > 0.99
    assert (events.hits["panel"] == 1).any()


def test_rings_lie_at_their_expected_row():
    """Fast electrons without background: most light is within a row of the expected one."""
    clean = RichSimulation(
        tracks=2, unreconstructed=0, dark_hits=0, mixture={"electron": 1.0},
        momentum_range=(20000, 60000), spectrum="flat", tracking=False, **IDEAL,
    )  # fmt: skip
    events = simulate_chunk(clean, GEOMETRY, np.random.default_rng(1), 40)
    images, _ = rich_images(events, GEOMETRY, settings())
    assert len(images) > 20
    for view, high, angle in (("rich1", 64.0, 53.1), ("rich2", 36.0, 30.4)):
        expected = images.features[f"angle_{view}"][:, SPECIES.index("electron")]
        np.testing.assert_allclose(1000 * expected, angle, atol=0.1)
        rows = dense(images.views[view])[:, 0].sum(axis=(0, 2))
        peak = 1000 * expected.mean() / high * SHAPE[0]
        assert abs(rows.argmax() + 0.5 - peak) < 1
        assert rows[int(peak) - 3 : int(peak) + 4].sum() > 0.7 * rows.sum()
        assert abs(np.median(images.features[f"theta_mean_{view}"] - expected)) < 5e-4


def test_features_are_those_of_the_obvious_way(events, images):
    found = reconstruct(events, GEOMETRY, BOTH)
    row = rows_of(images.key, events)
    for rich in BOTH:
        candidates, angle = found.candidates[rich], found.angle[rich].astype(float)
        sigma = angle_sigma(GEOMETRY[rich].resolution, angle, events.tracks["p"][:, None])
        for i, track in enumerate(row):
            own = slice(candidates.offsets[track], candidates.offsets[track + 1])
            theta, other = candidates.theta[own].astype(float), candidates.other[own]
            inside = np.abs(theta[:, None] - angle[track]) < 3 * sigma[track]
            near = inside.any(axis=1)
            for name, expected in (
                ("angle", np.nan_to_num(angle[track])),
                ("photons", found.photons[rich][track]),
                ("counts", inside.sum(axis=0)),
                ("expected_other", (inside * other[:, None]).sum(axis=0)),
                ("theta_mean", theta[near].mean() if near.any() else 0),
            ):
                value = images.features[f"{name}_{rich}"][i]
                np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5, err_msg=name)
    for name in LOGARITHMS:
        np.testing.assert_array_equal(images.features[name], getattr(found, name)[row])
    assert images.features.keys() == rich_header(settings()).features.keys()


def test_permuted_hits_make_the_same_images(events, images):
    rng = np.random.default_rng(2)
    order = np.concatenate(
        [rng.permutation(np.arange(a, b)) for a, b in pairwise(events.hit_offsets)]
    )
    hits = {name: column[order] for name, column in events.hits.items()}
    loose = settings(required=["rich1"])
    permuted, _ = rich_images(replace(events, hits=hits), GEOMETRY, loose)
    for view in BOTH:
        a, b = dense(permuted.views[view]), dense(images.views[view])
        np.testing.assert_array_equal(a[:, 0], b[:, 0])
        # The order of a sum can turn the last of the thousandths.
        assert np.abs(a - b)[:, 1].max() <= 1
    for name, column in images.features.items():
        np.testing.assert_allclose(permuted.features[name], column, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "option",
    [
        {"rich": ["rich1"]},
        {"required": ["rich1"]},
        {"shape": (32, 24)},
        {"angle": {"rich1": 60.0, "rich2": 36.0}},
        {"angle": {"rich1": 90.0, "rich2": 36.0}},
        {"channels": ["hits"]},
        {"coordinates": "detector", "channels": ["hits"]},
        {"momentum_range": (20000.0, 100000.0)},
    ],
    ids=str,
)
def test_every_option_changes_the_images(events, option):
    first, second = (rich_images(events, GEOMETRY, settings(**o))[0] for o in ({}, option))
    same = len(first) == len(second) and all(
        np.array_equal(getattr(first.views[v], part), getattr(second.views[v], part))
        for v in second.views
        for part in ("offsets", "pixel", "value")
    )
    assert not same or first.views.keys() != second.views.keys()
    assert rich_header(settings()) != rich_header(settings(**option))


def test_images_reach_as_far_as_is_asked(events):
    """Up to any angle; the features do not depend on it."""
    wide, _ = rich_images(events, GEOMETRY, settings(angle={"rich1": 128.0, "rich2": 36.0}))
    plain, _ = rich_images(events, GEOMETRY, settings())
    rows = dense(wide.views["rich1"])[:, 0].sum(axis=(0, 2))
    assert rows[:32].sum() == dense(plain.views["rich1"])[:, 0].sum()
    # The outer half is three times as large; some of it is off the panels.
    assert rows[32:].sum() > 1.2 * rows[:32].sum()
    assert rows[60:].sum() > 0
    near, _ = rich_images(events, GEOMETRY, settings(angle={"rich1": 20.0, "rich2": 10.0}))
    for name, column in plain.features.items():
        for other in (wide, near):
            np.testing.assert_allclose(other.features[name], column, rtol=1e-4, atol=1e-3)


def test_too_much_in_a_bin_names_the_track(events, monkeypatch):
    def crowded(*args):
        found = reconstruct(*args)
        for candidates in found.candidates.values():
            candidates.other[:] *= 1000
        return found

    monkeypatch.setattr(cherenkov, "reconstruct", crowded)
    with pytest.raises(
        InputError,
        match=r"event \d+:\d+:\d+: track \d+: a bin of rich1 .* 65.5 photons .* needs more bins",
    ):
        rich_images(events, GEOMETRY, settings())


def without(events, tracks=False, hits=None):
    """The events without their tracks, or without the hits in a RICH (0: in either)."""
    if tracks:
        none = {name: column[:0] for name, column in events.tracks.items()}
        return replace(events, tracks=none, track_offsets=np.zeros_like(events.track_offsets))
    stay = (events.hits["rich"] != hits) & (hits != 0)
    offsets = np.concatenate([[0], np.cumsum(stay)])[events.hit_offsets]
    left = {name: column[stay] for name, column in events.hits.items()}
    return replace(events, hits=left, hit_offsets=offsets)


def test_events_without_tracks_or_hits(events, images):
    """No events, no tracks; hits in one RICH only, or in none: empty views."""
    loose = settings(required=["rich1"])
    for nothing in (events.part(0, 0), without(events, tracks=True)):
        found, counts = rich_images(nothing, GEOMETRY, loose)
        assert len(found) == counts["kept"] == 0
        assert found.views["rich2"].value.shape == (0, 2)
        assert found.features["log_global"].shape == (0, 7)
        assert found.features["theta_mean_rich1"].shape == (0,)
    for number, empty in ((1, ["rich1"]), (2, ["rich2"]), (0, BOTH)):
        found, _ = rich_images(without(events, hits=number), GEOMETRY, loose)
        np.testing.assert_array_equal(found.key, images.key)
        for rich in BOTH:
            total = dense(found.views[rich])[:, 0].sum()
            expected = 0 if rich in empty else dense(images.views[rich])[:, 0].sum()
            assert total == expected
            assert (found.features[f"counts_{rich}"].sum() == 0) == (rich in empty)


def test_projections_alone_are_not_enough(events, tmp_path):
    """The branches that are needed are named, and nothing is written."""
    write_events(tmp_path / "native.root", [events], {})
    with uproot.open(tmp_path / "native.root") as file:
        columns = file["events"].arrays(library="ak")
    with uproot.recreate(tmp_path / "a.root") as file:
        # The exit stands for the projection.
        file["events"] = {
            name.replace("exit", "projection"): columns[name]
            for name in columns.fields
            if "entry" not in name and "direction" not in name
        }
    sample, output = RichSample(files=["*.root"]), tmp_path / "out" / "a.h5"
    with pytest.raises(InputError, match=r"a\.root: .*track_rich2_entry_x.*track_rich2_exit_z"):
        convert([str(tmp_path / "a.root")], sample, settings(rich=["rich2"]), output)
    assert not output.parent.exists()  # the folder was made for the shard


def test_a_shard_holds_images_and_features(events, images, tmp_path):
    """File to file, and what a network is given of it."""
    write_events(tmp_path / "a.root", [events], {})
    loose = settings(required=["rich1"])
    convert([str(tmp_path / "a.root")], RichSample(files=["*.root"]), loose, tmp_path / "a.h5")
    shard = ImageSet(tmp_path / "a.h5")
    found = shard.read(0, len(shard))
    np.testing.assert_array_equal(found.key, images.key)
    for view in BOTH:
        for part in ("offsets", "pixel", "value"):
            mine, theirs = (getattr(i.views[view], part) for i in (found, images))
            np.testing.assert_array_equal(mine, theirs)
    assert found.features.keys() == images.features.keys()
    for name, column in images.features.items():
        np.testing.assert_array_equal(found.features[name], column)
    axis = shard.header.axes["rich2"][0]
    assert (axis.name, axis.unit, axis.high) == ("theta", "mrad", 36.0)
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file["features/counts_rich2"].shape == (len(images), 6)
    batch = next(Batches(shard, np.arange(8), 8, channels=["expected_other"]).epoch())
    assert batch["images"].shape == (8, 2, 1, *SHAPE)
    angle = images.features["angle_rich1"][:8]
    row = np.where(angle > 0, angle * 1000, -1)  # 64 rows to 64 mrad
    np.testing.assert_allclose(batch["expected"][:, 0, :, 0], row, rtol=1e-6)
    np.testing.assert_array_equal(
        batch["expected"][:, 1, :, 1], images.features["photons_rich2"][:8]
    )


def test_the_resolution_is_part_of_a_shards_origin(events, tmp_path):
    """Windows and likelihoods depend on it: other constants make other images."""
    source = Path(geometry_module.__file__).parent / "lhcb-run3.yaml"
    layout = yaml.safe_load(source.read_text(encoding="utf-8"))
    write_events(tmp_path / "a.root", [events.part(0, 1)], {})
    made = []
    for scattering in (3.0, 6.0):
        layout["rich1"]["resolution"]["tracking_scattering"] = scattering
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(layout), encoding="utf-8")
        sample = RichSample(files=["*.root"], geometry=str(tmp_path / "own.yaml"))
        path = tmp_path / f"{scattering}.h5"
        convert([str(tmp_path / "a.root")], sample, settings(), path)
        made.append(ImageSet(path))
    assert made[0].ids != made[1].ids
    counts = [images.features("counts_rich1") for images in made]
    assert counts[0].sum() < counts[1].sum()
