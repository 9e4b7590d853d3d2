"""LArCV's trees, made up as RNTuples: uproot writes no lists of lists into a TTree."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepcnn.config import LArTPCSample
from hepcnn.errors import InputError
from hepcnn.events.larcv import PARTICLE_TREE, kinetic_energy
from hepcnn.events.reading import read_lartpc
from hepcnn.events.sources import FileSpec

SAMPLE = LArTPCSample(detector="lartpc", files=["x"], reader="larcv", tree="image2d_wire_tree")


def key(n):
    return {"_run": np.full(n, 1), "_subrun": np.full(n, 2), "_event": 10 + np.arange(n)}


def larcv_file(path, images, planes, particles=None, version=1, rows=3, columns=2, names=None):
    """Write images: for each event a list of images, each of them column after column."""
    meta = "_image_v._meta._"
    sizes = {"row_count": rows, "col_count": columns}
    arrays = {
        **(names or key(len(images))),
        "_image_v._img": ak.values_astype(ak.Array(images), "f4"),
        **{f"{meta}{name}": ak.values_astype(ak.Array(planes) * 0 + n, "u8")
           for name, n in sizes.items()},
        f"{meta}{'plane' if version == 1 else 'id'}": ak.values_astype(ak.Array(planes), "u2"),
    }  # fmt: skip
    with uproot.recreate(path) as file:
        file.mkrntuple("image2d_wire_tree", arrays)
        if particles:
            file.mkrntuple(PARTICLE_TREE, particles)
    return path


def particle_arrays(processes, **changes):
    """Particles of 0.5 GeV: for each event the list of their processes."""
    names = ak.Array(processes)
    flat = {"pdg": 2212, "energy_init": 1.0645, "px": 0.0, "py": 300.0, "pz": 400.0,
            "vtx._x": 1.0, "vtx._y": 2.0, "vtx._z": 3.0}  # fmt: skip
    counts = ak.num(names)
    lists = {f"_part_v._{k}": ak.unflatten(np.full(ak.sum(counts), v), counts)
             for k, v in flat.items()}  # fmt: skip
    return {**key(len(names)), "_part_v._process": names, **lists, **changes}


def read(path, **options):
    [events] = read_lartpc(FileSpec(str(path)), SAMPLE, **options)
    events.validate()
    return events


EMPTY = [0.0] * 6
#: Two events: images of the planes 0 and 2, then two empty ones.
IMAGES = [[[0, 1, 2, 0, 0, 3], [4.5, 0, 0, 0, -1, 0]], [EMPTY, EMPTY]]
PLANES = [[0, 2], [1, 0]]


@pytest.mark.parametrize("version", [1, 2])
def test_pixels_above_0_are_hits(tmp_path, version):
    events = read(larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=version))
    assert events.key.tolist() == [(1, 2, 10), (1, 2, 11)]
    np.testing.assert_array_equal(events.hit_offsets, [0, 4, 4])
    np.testing.assert_array_equal(events.hits["plane"], [0, 0, 0, 2])
    np.testing.assert_array_equal(events.hits["wire"], [0, 0, 1, 0])
    np.testing.assert_array_equal(events.hits["time"], [1.5, 2.5, 2.5, 0.5])
    np.testing.assert_array_equal(events.hits["charge"], [1, 2, 3, 4.5])
    assert not events.truth
    assert not events.particles


def test_events_without_numbers_are_named_by_file_and_entry(tmp_path):
    """In many of LArCV's files each event is −1:−1:−1."""
    none = dict.fromkeys(("_run", "_subrun", "_event"), np.full(2, -1))
    particles = particle_arrays([["primary"], ["hIoni"]], **none)
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, particles, names=none)
    naming = {"run": "$file", "subrun": "_subrun + 1", "event": "$entry"}
    sample = SAMPLE.model_copy(update={"branches": naming})
    events = list(read_lartpc(FileSpec(str(path)), sample, step=1))
    keys = np.concatenate([e.key for e in events])
    assert keys["event"].tolist() == [0, 1]
    assert keys["subrun"].tolist() == [0, 0]
    assert keys["run"][0] == keys["run"][1] > 0
    assert [len(e.particles["pdg"]) for e in events] == [1, 0]


@pytest.mark.parametrize(
    ("images", "planes", "message"),
    [
        ([[EMPTY], [EMPTY, EMPTY[1:]]], [[0], [0, 1]], "event 1:2:11: image 1 has not rows times"),
        ([[EMPTY], [EMPTY, EMPTY]], [[0], [2, 2]], "event 1:2:11: image 1 is not the only one"),
        ([[EMPTY, EMPTY], [EMPTY]], [[0, 3], [0]], "event 1:2:10: image 1 is not the only one"),
        ([[EMPTY], [[np.nan] * 6]], [[0], [0]], "event 1:2:11: hit 0 has hit_charge = nan"),
        ([[EMPTY], [[np.inf] * 6]], [[0], [0]], "event 1:2:11: hit 0 has hit_charge = inf"),
    ],
)
def test_broken_images_are_named(tmp_path, images, planes, message):
    path = larcv_file(tmp_path / "a.root", images, planes)
    with pytest.raises(InputError, match=r"a\.root") as error:
        read(path)
    assert message in str(error.value)


def test_primaries_are_the_particles(tmp_path):
    particles = particle_arrays([["eIoni", "primary", "primary"], ["hIoni"]])
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, particles)
    events = read(path)
    np.testing.assert_array_equal(events.particle_offsets, [0, 2, 2])
    np.testing.assert_array_equal(events.particles["pdg"], [2212, 2212])
    np.testing.assert_array_equal(events.truth["vertex"], [[1, 2, 3], [np.nan] * 3])
    assert np.isnan(events.truth["vertex_wire"]).all()
    assert not read(path, truth=False).particles


def test_particles_of_other_events_are_refused(tmp_path):
    other = particle_arrays([["primary"], ["primary"]], _event=np.array([10, 12]))
    with pytest.raises(InputError, match="event 1:2:11: the entry of 'particle_mctruth_tree'"):
        read(larcv_file(tmp_path / "a.root", IMAGES, PLANES, other))
    fewer = particle_arrays([["primary"]])
    with pytest.raises(InputError, match="not as many entries as images"):
        read(larcv_file(tmp_path / "b.root", IMAGES, PLANES, fewer))


def test_images_have_no_deposits(tmp_path):
    with pytest.raises(InputError, match="no energy deposits"):
        read(larcv_file(tmp_path / "a.root", IMAGES, PLANES), deposits=True)


def test_other_trees_are_refused(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("image2d_wire_tree", {"_run": np.arange(3)})
    with pytest.raises(InputError, match="no branch '_subrun'"):
        read(tmp_path / "a.root")


@pytest.mark.parametrize("unit", [1, 1000])
def test_kinetic_energy_in_either_unit(unit):
    """Of an electron, a photon, a proton at rest and a slow one."""
    p = np.array([[300.0, 0, 400], [0, 20, 0], [0, 0, 0], [0, 0, 30]])
    mass = np.array([0.511, 0, 938.272, 938.272])
    total = np.hypot(np.linalg.norm(p, axis=1), mass)
    np.testing.assert_allclose(kinetic_energy(total / unit, p), total - mass, atol=1e-3)
