"""Voxels of energy deposits: sums, truth, labels, windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from hepcnn.config import LArTPCSample, VoxelImages
from hepcnn.config.steps import Step
from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES
from hepcnn.detector.tpc import load_tpc
from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.imaging.steps import apply_steps
from hepcnn.imaging.voxels import deposits_inside, voxel_header, voxel_images
from hepcnn.store.images import ImageSet

TPC = load_tpc("microboone")
VALUES = TypeAdapter(list[Step])
N, PARTICLES, DEPOSITS = 4, 5, 400
PDG = (13, 11, 2212, 11, 22)


def settings(**changes):
    return VoxelImages(sample="s", maker="voxels", **{"shape": (32, 24, 40), **changes})


@pytest.fixture
def events():
    """Neutrino events with deposits about (100, 0, 500) cm; the second without any."""
    rng = np.random.default_rng(1)
    key = np.zeros(N, EVENT_KEY)
    key["event"] = np.arange(N)
    counts = np.array([DEPOSITS, 0, DEPOSITS, 1])
    position = rng.normal((100, 0, 500), 8, (counts.sum(), 3)).astype(np.float32)
    chunk = LArTPCEvents(
        key=key,
        truth={
            "neutrino_pdg": np.full(N, 14, np.int32),
            "charged_current": np.ones(N, np.int8),
            "neutrino_energy": np.full(N, 1000, np.float32),
            "vertex": np.tile(np.float32([102, 1, 497]), (N, 1)),
        },
        hit_offsets=np.zeros(N + 1, np.int64),
        hits={
            name: np.empty(0, kind)
            for name, kind in (
                ("plane", np.int8), ("wire", np.int32), ("time", np.float32),
                ("charge", np.float32), ("rms", np.float32), ("particle", np.int32),
            )
        },
        particle_offsets=np.arange(N + 1) * PARTICLES,
        particles={
            "pdg": np.tile(np.int32(PDG), N),
            "parent": np.tile(np.int32([-1, 0, -1, 0, -1]), N),
            "process": np.tile(np.int8([0, 1, 0, 2, 0]), N),
            "origin": np.zeros(N * PARTICLES, np.int8),
            "energy": rng.uniform(1, 500, N * PARTICLES).astype(np.float32),
            "start": rng.normal((100, 0, 500), 3, (N * PARTICLES, 3)).astype(np.float32),
            "end": rng.normal((100, 0, 500), 30, (N * PARTICLES, 3)).astype(np.float32),
        },
        deposit_offsets=np.concatenate([[0], np.cumsum(counts)]),
        deposits={
            "position": position,
            "energy": rng.gamma(2.0, 0.5, counts.sum()).astype(np.float32),
            # The last particle leaves nothing.
            "particle": rng.integers(-1, PARTICLES - 1, counts.sum()).astype(np.int32),
        },
    )  # fmt: skip
    chunk.validate()
    return chunk


def dense(sparse, shape, column=None, empty=0.0):
    image = np.repeat(np.arange(len(sparse)), np.diff(sparse.offsets))
    full = np.full((len(sparse), np.prod(shape)), empty)
    full[image, sparse.pixel.astype(np.int64)] = sparse.value[:, 0] if column is None else column
    return full.reshape(-1, *shape)


def expected(events, images, shape, voxel, particle=None):
    """The sums by numpy."""
    full = np.zeros((N, *shape))
    for i in range(N):
        own = slice(*events.deposit_offsets[i : i + 2])
        place = 10.0 * events.deposits["position"][own] - images.truth["corner"][i]
        weight = events.deposits["energy"][own].astype(float)
        if particle is not None:
            weight = weight * (events.deposits["particle"][own] == particle)
        edges = [np.arange(bins + 1) * voxel for bins in shape]
        full[i] = np.histogramdd(place, edges, weights=weight)[0]
    return full


@pytest.mark.parametrize(
    "changes",
    [{}, {"voxel": 7.0}, {"region": "vertex"}, {"shape": (64, 64, 64)}, {"shape": (8, 8, 8)}],
)
def test_voxels_are_sums_of_deposits(changes, events):
    chosen = settings(**changes)
    header = voxel_header(chosen, TPC)
    images, _ = voxel_images(events, TPC, chosen)
    sparse = images.views["xyz"]
    np.testing.assert_allclose(
        dense(sparse, chosen.shape),
        expected(events, images, chosen.shape, chosen.voxel),
        rtol=1e-5,
        atol=1e-6,
    )
    assert header.shape == chosen.shape
    assert sparse.pixel.dtype == header.pixel_type
    flat = sparse.pixel + np.repeat(np.arange(N), np.diff(sparse.offsets)) * header.pixels
    assert (np.diff(flat) > 0).all()
    np.testing.assert_allclose(
        images.features["energy_xyz"], dense(sparse, chosen.shape).sum(axis=(1, 2, 3)), rtol=1e-5
    )


def test_the_owner_left_most_of_the_energy(events):
    chosen = settings(voxel=30.0)
    images, _ = voxel_images(events, TPC, chosen)
    sparse, table = images.views["xyz"], images.tables["particles"]
    shares = np.stack(
        [expected(events, images, chosen.shape, 30.0, owner) for owner in range(-1, PARTICLES)]
    )
    most = shares.argmax(axis=0) - 1
    image = np.repeat(np.arange(N), np.diff(sparse.offsets))
    instance = sparse.truth["instance"]
    row = table.offsets[image] + instance
    owner = np.where(instance < 0, -1, table.columns["id"][np.where(instance < 0, 0, row)])
    got = dense(sparse, chosen.shape, owner, empty=-9)
    occupied = got > -9
    np.testing.assert_array_equal(got[occupied], most[occupied])
    named = [PIXEL_CLASSES[k] for k in sparse.truth["semantic"]]
    by_owner = {-1: "other", 0: "mip", 1: "michel", 2: "hip", 3: "delta"}
    assert named == [by_owner[k] for k in owner]


def test_particles_that_have_a_voxel(events):
    chosen = settings()
    images, _ = voxel_images(events, TPC, chosen)
    sparse, table = images.views["xyz"], images.tables["particles"]
    columns = table.columns
    assert {name: column.dtype for name, column in columns.items()} == {
        name: np.dtype(kind)
        for name, (kind, _) in voxel_header(chosen, TPC).tables["particles"].items()
    }
    np.testing.assert_array_equal(columns["id"][: table.offsets[1]], [0, 1, 2, 3])
    image = np.repeat(np.arange(N), np.diff(sparse.offsets))
    row = table.offsets[image] + sparse.truth["instance"]
    place = np.stack(np.unravel_index(sparse.pixel, chosen.shape), axis=1)
    for k in range(table.offsets[-1]):
        own = (row == k) & (sparse.truth["instance"] >= 0)
        low, high = place[own].min(axis=0), place[own].max(axis=0) + 1
        np.testing.assert_array_equal(columns["box"][k], [*low, *high])
        assert columns["deposited"][k] == pytest.approx(sparse.value[own].sum(), rel=1e-5)
    event = np.repeat(np.arange(N), np.diff(table.offsets))
    for name in ("start", "end"):
        back = columns[name] * 10.0 + images.truth["corner"][event]
        np.testing.assert_allclose(back, 10 * columns[f"{name}_xyz"], atol=0.01)


def test_steps_of_values(events):
    """What is below a threshold is left out, and boxes hold what is left."""
    images, _ = voxel_images(events, TPC, settings())
    header, median = voxel_header(settings(), TPC), np.median(images.views["xyz"].value)
    steps = VALUES.validate_python(
        [{"step": "threshold", "minimum": median}, {"step": "log", "scale": 0.5}]
    )
    after = apply_steps(steps, header, images)
    before, sparse = images.views["xyz"], after.views["xyz"]
    kept = before.value[:, 0] >= np.float32(median)
    np.testing.assert_array_equal(sparse.pixel, before.pixel[kept])
    np.testing.assert_allclose(sparse.value, np.log1p(2 * before.value[kept]), rtol=1e-6)
    image = np.repeat(np.arange(N), np.diff(sparse.offsets))
    table = after.tables["particles"]
    row = table.offsets[image] + sparse.truth["instance"]
    place = np.stack(np.unravel_index(sparse.pixel, header.shape), axis=1)
    for k, box in enumerate(table.columns["box"]):
        own = place[(row == k) & (sparse.truth["instance"] >= 0)]
        expected = [*own.min(axis=0), *(own.max(axis=0) + 1)] if len(own) else [np.nan] * 6
        np.testing.assert_array_equal(box, expected)


def test_truth_of_events(events):
    images, counts = voxel_images(events, TPC, settings(region="vertex"))
    assert {INTERACTIONS[k] for k in images.truth["interaction"]} == {"numu_cc"}
    middle = np.floor(images.truth["vertex_pixel"])
    np.testing.assert_array_equal(middle, np.tile([16, 12, 20], (N, 1)))
    assert counts["events read"] == counts["kept"] == N
    assert counts["deposits read"] == 2 * DEPOSITS + 1
    assert counts["kept, without a deposit in the image"] >= 1


def test_the_cube_about_the_deposits_holds_them(events):
    images, _ = voxel_images(events, TPC, settings(shape=(96, 96, 96)))
    assert (images.features["n_deposits"] > [DEPOSITS - 5, -1, DEPOSITS - 5, 0]).all()
    np.testing.assert_array_equal(images.features["n_deposits"][1], 0)


def test_an_event_without_a_vertex_is_taken_about_its_deposits(events):
    events.truth["vertex"][2] = np.nan
    about, _ = voxel_images(events, TPC, settings(region="vertex"))
    charge, _ = voxel_images(events, TPC, settings())
    np.testing.assert_array_equal(about.truth["corner"][2], charge.truth["corner"][2])
    assert np.isnan(about.truth["vertex_pixel"][2]).all()


def test_the_whole_volume(events):
    chosen = settings(region="whole", shape=None, voxel=50.0)
    header = voxel_header(chosen, TPC)
    assert header.shape == (52, 47, 208)
    images, _ = voxel_images(events, TPC, chosen)
    assert images.features["n_deposits"].sum() == 2 * DEPOSITS + 1
    # 3 mm make 2.3e9 voxels.
    with pytest.raises(InputError, match="voxels are more than"):
        voxel_header(settings(region="whole", shape=None, voxel=3.0), TPC)


def test_what_is_missing_is_named(events):
    with pytest.raises(InputError, match="no energy deposits"):
        voxel_images(replace(events, deposits={}), TPC, settings())
    truth = {name: events.truth[name] for name in ("neutrino_pdg", "charged_current")}
    with pytest.raises(InputError, match="no vertex"):
        voxel_images(replace(events, truth=truth), TPC, settings(region="vertex"))


def test_more_energy_than_there_can_be(events):
    energy = events.deposits["energy"].copy()
    energy[-1] = 3e38
    changed = replace(events, deposits=events.deposits | {"energy": energy})
    with pytest.raises(InputError, match=r"event \d+:\d+:\d+: deposit_energy: 3e\+38 MeV in all"):
        voxel_images(changed, TPC, settings())


def test_deposits_without_particles(events):
    unknown = np.full_like(events.deposits["particle"], -1)
    anonymous = replace(
        events,
        truth={},
        particles={},
        particle_offsets=np.zeros(N + 1, np.int64),
        deposits=events.deposits | {"particle": unknown},
    )
    images, _ = voxel_images(anonymous, TPC, settings())
    assert (images.views["xyz"].truth["instance"] == -1).all()
    assert len(images.tables["particles"].columns["box"]) == 0
    assert (images.truth["interaction"] == -1).all()


def test_no_events(events):
    images, _ = voxel_images(events.part(0, 0), TPC, settings())
    assert len(images) == 0


def test_files_become_shards(events, tmp_path):
    write_events(tmp_path / "events.root", [events], {})
    sample = LArTPCSample(detector="lartpc", files=["unused.root"])
    counts = convert([str(tmp_path / "events.root")], sample, settings(), tmp_path / "voxels.h5")
    images = ImageSet([tmp_path / "voxels.h5"])
    direct, expected_counts = voxel_images(events, TPC, settings())
    assert counts == expected_counts
    read = images.read(0, N)
    np.testing.assert_array_equal(read.views["xyz"].value, direct.views["xyz"].value)
    np.testing.assert_array_equal(
        read.tables["particles"].columns["box"], direct.tables["particles"].columns["box"]
    )


def test_deposits_that_are_not_in_the_detector_are_told(events):
    """The cube about them is filled wherever they are; that of the whole volume is not."""
    far = replace(events, deposits=events.deposits | {"position": 10 * events.deposits["position"]})
    whole = settings(region="whole", shape=None)
    chosen = settings(shape=(400, 400, 400))
    for made in (events, far):
        inside = deposits_inside(made, voxel_images(made, TPC, chosen)[0], TPC, chosen)
        assert inside.inside > 0
        if made is events:
            assert not list(inside.check())
            continue
        with pytest.raises(InputError, match=r"only 0 of .* lie where they should"):
            list(inside.check())
    far = replace(
        events, deposits=events.deposits | {"position": 50 + 40 * events.deposits["position"]}
    )
    inside = deposits_inside(far, voxel_images(far, TPC, whole)[0], TPC, whole)
    high = 10 * far.deposits["position"][:, 0].max()
    with pytest.raises(InputError, match=rf"x .* to {high:,.0f} mm \(images: 0 to 2,560 mm\)"):
        list(inside.check())
