"""Files that others wrote, with other programs; they are not part of the project."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from hepcnn.config import LArTPCSample
from hepcnn.detector.tpc import CM, load_tpc
from hepcnn.errors import InputError
from hepcnn.events.reading import read_lartpc
from hepcnn.events.sources import FileSpec, expand_files

REAL = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files: {REAL} is not there")

SBND = {
    "geometry": "sbnd",
    "tree": "ana/AnaTPCTree",
    "channel_map": str(REAL / "sbnd_ntuple" / "mapping.csv"),
    "branches": {
        "run": "RunID", "subrun": "SubRunID", "event": "EventID",
        "neutrino_pdg": 14, "charged_current": 1, "neutrino_energy": "1000 * TrueVEnergy",
        "vertex_x": "TrueVx", "vertex_y": "TrueVy", "vertex_z": "TrueVz",
        "vertex_channel_u": "TrueVU", "vertex_channel_v": "TrueVV", "vertex_channel_y": "TrueVC",
        "vertex_tick": "TrueVTimeTick",
        "hit_channel": "HitsChannel", "hit_time": "HitsPeakTime", "hit_charge": "HitsIntegral",
        "deposit_x": "EnDepX", "deposit_y": "EnDepY", "deposit_z": "EnDepZ",
        "deposit_energy": "EnDepE",
    },
}  # fmt: skip


def chunks(path, **settings):
    sample = LArTPCSample(detector="lartpc", files=["unused.root"], **settings)
    return read_lartpc(FileSpec(str(path)), sample, deposits="channel_map" in settings)


def read(path, **settings):
    [events] = chunks(path, **settings)
    events.validate()
    return events


@pytest.mark.parametrize(("file", "hits", "nowhere"), [("SR1-1", 8910, [9]), ("SR2-2", 7526, [1])])
def test_sbnd_like_hits_are_read_and_vertices_lie_on_them(file, hits, nowhere):
    events = read(REAL / "sbnd_ntuple" / f"analyzeItOutput_R2-2_{file}.root", **SBND)
    assert len(events) == 10
    assert events.n_hits == hits
    wire, tick = events.truth["vertex_wire"], events.truth["vertex_tick"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(wire).all(axis=1)), nowhere)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(tick)), nowhere)
    assert np.isfinite(events.truth["vertex"]).all()
    for i in np.flatnonzero(np.isfinite(tick)):
        seen = events.part(i, i + 1).hits
        for plane in range(3):
            near = (seen["plane"] == plane) & (np.abs(seen["wire"] - wire[i, plane]) <= 3)
            assert np.abs(seen["time"][near] - tick[i]).min() < 10, (events.key[i], plane)
    # The deposits of 2 m on either side of the cathode, 4 m high, 5 m long.
    low, high = events.deposits["position"].min(axis=0), events.deposits["position"].max(axis=0)
    assert (low > [-202, -204, -1]).all()
    assert (high < [202, 204, 510]).all()
    assert events.deposits["energy"].max() < 20


def test_wires_and_ticks_of_sbnd_follow_from_positions():
    """Of all true vertices of the ntuple, which LArSoft put on channels and ticks itself."""
    compared = 0
    for path in sorted((REAL / "sbnd_ntuple").glob("*.root")):
        truth = read(path, **SBND).truth
        tick, wire = load_tpc("sbnd").seen(truth["vertex"].astype(float) * CM)
        seen = np.isfinite(truth["vertex_wire"])
        np.testing.assert_allclose(wire[seen], truth["vertex_wire"][seen], atol=1)
        known = np.isfinite(truth["vertex_tick"])
        np.testing.assert_allclose(tick[known], truth["vertex_tick"][known], atol=3)
        compared += int(seen.all(axis=1).sum())
    assert compared == 18


def images_of(path, tree):
    """Images by event and plane, row by row, and limits of their axes by event and plane."""
    with uproot.open(path) as file:
        branch = f"{tree.removesuffix('_tree')}_branch/_image_v/_image_v._"
        pixels = file[tree][f"{branch}img"].array()
        rows, columns = (
            file[tree][f"{branch}meta._{name}_count"].array().to_numpy() for name in ("row", "col")
        )
        return [
            [np.asarray(v).reshape(c, r).T for v, r, c in zip(*event, strict=True)]
            for event in zip(pixels, rows, columns, strict=True)
        ]


@pytest.mark.parametrize(
    ("file", "tree", "tick", "ticks"),
    [
        ("microboone_larcv/out_larcv_test.root", "image2d_wire_tree", 2400, 6),
        ("larcv_tutorial/electron.root", "image2d_data_tree", 0, 1),
        ("larcv_tutorial/proton.root", "image2d_data_tree", 0, 1),
    ],
)
def test_larcv_hits_are_the_images_pixels(file, tree, tick, ticks):
    """From the tick of the image's first row, if the file gives ticks."""
    events = read(REAL / file, reader="larcv", tree=tree)
    images = images_of(REAL / file, tree)
    assert len(events) == len(images)
    for i, planes in enumerate(images):
        hits = events.part(i, i + 1).hits
        for plane, image in enumerate(planes):
            on = hits["plane"] == plane
            again = np.zeros_like(image)
            row = hits["time"][on] - tick / ticks
            again[row.astype(int), hits["wire"][on]] = hits["charge"][on]
            np.testing.assert_array_equal(again, image)
            assert on.sum() == (image > 0).sum() > 0


def test_larcv1_has_the_event_of_the_experiment():
    path = REAL / "microboone_larcv" / "out_larcv_test.root"
    events = read(path, reader="larcv", tree="image2d_wire_tree")
    assert events.key[0].tolist() == (6324, 94, 4707)
    assert not events.particles
    widest = [int(events.hits["wire"][events.hits["plane"] == p].max()) for p in range(3)]
    assert np.all(widest < np.array([2400, 2400, 3456]))  # the wires of MicroBooNE's planes


@pytest.mark.parametrize(("name", "pdg", "energies"), [("electron", 11, (200, 900)),
                                                       ("proton", 2212, (50, 500))])  # fmt: skip
def test_larcv2_particles_start_where_the_images_say(name, pdg, energies):
    path, tree = REAL / "larcv_tutorial" / f"{name}.root", "image2d_data_tree"
    events = read(path, reader="larcv", tree=tree)
    np.testing.assert_array_equal(events.particle_offsets, np.arange(11))
    assert (events.particles["pdg"] == pdg).all()
    energy = events.particles["energy"]
    assert (energy > energies[0]).all(), energy
    assert (energy < energies[1]).all(), energy
    with uproot.open(path) as file:
        meta = "image2d_data_branch/_image_v/_image_v._meta._"
        low, high = (
            np.stack([file[tree][f"{meta}{p}.{x}"].array().to_numpy() for x in "xy"], axis=-1)
            for p in ("p1", "p2")
        )
    for i, vertex in enumerate(events.truth["vertex"]):
        hits = events.part(i, i + 1).hits
        for plane, axes in enumerate(([0, 1], [1, 2], [2, 0])):  # x-y, y-z and z-x
            column, row = (vertex[axes] - low[i, plane]) / (high[i, plane] - low[i, plane]) * 256
            on = hits["plane"] == plane
            away = np.hypot(hits["wire"][on] + 0.5 - column, hits["time"][on] - row)
            assert away.min() < 1, (i, plane)


def test_larcv_steps_keep_events_and_particles_together():
    settings = {"reader": "larcv", "tree": "image2d_data_tree"}
    path = REAL / "larcv_tutorial" / "proton.root"
    whole = read(path, **settings)
    sample = LArTPCSample(detector="lartpc", files=["unused.root"], **settings)
    parts = list(read_lartpc(FileSpec(str(path)), sample, step=3))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    for name in ("pdg", "energy"):
        joined = np.concatenate([part.particles[name] for part in parts])
        np.testing.assert_array_equal(joined, whole.particles[name])
    assert sum(part.n_hits for part in parts) == whole.n_hits
    assert not any(part.particles for part in read_lartpc(FileSpec(str(path)), sample, truth=False))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("events", "no tree 'events'"),
        ("particle_mctruth_tree", "no branch '_image_v._img'"),
    ],
)
def test_larcv_files_need_a_tree_of_images(tree, message):
    with pytest.raises(InputError, match=message):
        read(REAL / "larcv_tutorial" / "proton.root", reader="larcv", tree=tree)


def test_argoneut_planes_are_joined():
    branches = {
        "subrun": 0, "hit_plane": [0, 2],
        "hit_wire": ["i_hitwires", "c_hitwires"], "hit_time": ["i_hittimes", "c_hittimes"],
        "hit_charge": ["i_hitcharges", "c_hitcharges"],
    }  # fmt: skip
    files = expand_files([str(REAL / "argoneut_anatree" / "*.root")])
    assert len(files) == 6
    for spec in files:
        events = read(spec.path, tree="dedx_ana", branches=branches)
        with uproot.open(spec.path) as file:
            arrays = file["dedx_ana"].arrays()
        assert len(events) == len(arrays)
        for i, entry in enumerate(arrays):
            hits = events.part(i, i + 1).hits
            for plane, letter in ((0, "i"), (2, "c")):
                on = hits["plane"] == plane
                np.testing.assert_array_equal(hits["wire"][on], entry[f"{letter}_hitwires"])
                np.testing.assert_allclose(hits["charge"][on], entry[f"{letter}_hitcharges"])
