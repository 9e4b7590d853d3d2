"""LArCV's trees, made up as RNTuples: uproot writes no lists of lists into a TTree."""

import re
from collections import Counter

import awkward as ak
import numpy as np
import pytest
import uproot

from hepcnn.config import LArTPCSample
from hepcnn.detector.tpc import load_tpc
from hepcnn.errors import InputError
from hepcnn.events.larcv import NEGATIVE, PARTICLE_TREE, kinetic_energy
from hepcnn.events.larcv_frame import image_planes
from hepcnn.events.reading import read_lartpc
from hepcnn.events.sources import FileSpec

SAMPLE = LArTPCSample(detector="lartpc", files=["x"], reader="larcv", tree="image2d_wire_tree")


def in_version_1(origin, size, n=(2, 2)):
    """Origin (wire, tick) and size (wires, ticks), the same of all images; so many an event."""
    names = ("origin.x", "origin.y", "width", "height")
    return {k: [[v] * m for m in n] for k, v in zip(names, (*origin, *size), strict=True)}


def in_version_2(low, high, unit=2, n=(2, 2)):
    """Lowest and highest (x, y), of all images; units: 1 centimetres, 2 wires and ticks."""
    values = {"p1.x": low[0], "p1.y": low[1], "p2.x": high[0], "p2.y": high[1], "unit": unit}
    return {k: [[v] * m for m in n] for k, v in values.items()}


def key(n):
    return {"_run": np.full(n, 1), "_subrun": np.full(n, 2), "_event": 10 + np.arange(n)}


def larcv_file(
    path, images, planes, particles=None, version=1, rows=3, columns=2, names=None, places=None
):
    """Write images: for each event a list of images, each of them column after column.

    `places`: the rest of their meta; by default pixels of one wire and one tick, from 0.
    """
    meta = "_image_v._meta._"
    sizes = {"row_count": rows, "col_count": columns}
    if places is None:
        places = in_version_1 if version == 1 else in_version_2
        places = places((0, 0), (columns, rows), n=[len(event) for event in planes])
    arrays = {
        **(names or key(len(images))),
        "_image_v._img": ak.values_astype(ak.Array(images), "f4"),
        **{f"{meta}{name}": ak.values_astype(ak.Array(planes) * 0 + n, "u8")
           for name, n in sizes.items()},
        **{f"{meta}{name}": ak.values_astype(ak.Array(values), "i4" if name == "unit" else "f8")
           for name, values in places.items()},
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


# --- where images lie ---------------------------------------------------------------------------


def planes_of(path, **settings):
    return image_planes(FileSpec(str(path)), SAMPLE.model_copy(update=settings))


@pytest.mark.parametrize("version", [1, 2])
def test_wires_and_ticks_are_those_of_the_geometry(tmp_path, version):
    """Two columns of 1 wire from wire 40, three rows of 6 ticks from tick 2400."""
    places = {
        1: in_version_1((40, 2400), (2, 18)),
        2: in_version_2((40, 2400), (42, 2418)),
    }[version]
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=version, places=places)
    events, planes = read(path), planes_of(path)
    np.testing.assert_array_equal(events.hits["wire"], [40, 40, 41, 40])
    np.testing.assert_array_equal(events.hits["time"], [401.5, 402.5, 402.5, 400.5])
    assert planes.first == (400, 40)
    assert planes.shape == (3, 2)
    plain, tpc = load_tpc("microboone"), planes.tpc
    assert tpc.mm_per_tick == pytest.approx(6 * plain.mm_per_tick)
    assert (tpc.pitch, tpc.planes) == (plain.pitch, plain.planes)
    # The same charge comes from the same place, in mm.
    ticks = 6 * events.hits["time"].astype(float)
    np.testing.assert_allclose(tpc.x_of(events.hits["time"]), plain.x_of(ticks), rtol=1e-6)


def test_columns_of_several_wires_keep_the_wires_places(tmp_path):
    """Two columns of 4 wires from wire 40: the first one's middle is at the coordinate 41.5."""
    places = in_version_1((40, 0), (8, 3))
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, places=places)
    events, tpc, plain = read(path), planes_of(path).tpc, load_tpc("microboone")
    np.testing.assert_array_equal(events.hits["wire"], [10, 10, 11, 10])
    assert tpc.pitch == pytest.approx(4 * plain.pitch)
    z = (41.5 - plain.plane("y").offset) * plain.pitch
    assert plain.wire("y", 0, z) == pytest.approx(41.5)
    assert tpc.wire("y", 0, z) == pytest.approx(10)


def test_centimetres_are_a_plane_of_its_own(tmp_path):
    places = in_version_2((-62.5, 129), (-61.5, 130.2), unit=1)
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=2, places=places)
    events, planes = read(path), planes_of(path)
    np.testing.assert_array_equal(events.hits["wire"], [0, 0, 1, 0])
    np.testing.assert_array_equal(events.hits["time"], [1.5, 2.5, 2.5, 0.5])
    tpc = planes.tpc
    assert (tpc.mm_per_tick, tpc.pitch) == pytest.approx((4, 5))
    assert (tpc.wires("u"), tpc.readout.ticks, tpc.readout.trigger) == (2, 3, 0)
    assert (planes.first, planes.shape) == ((0, 0), (3, 2))


def test_images_at_different_places_are_covered_all(tmp_path):
    places = in_version_1((40, 24), (2, 18))
    places["origin.x"][1][0], places["origin.y"][1][1] = 30, 60
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, places=places)
    planes = planes_of(path)
    assert planes.first == (4, 30)
    assert planes.shape == (9, 12)


@pytest.mark.parametrize(
    "places",
    [
        {},
        in_version_1((0, 0), (0, 0)),
        in_version_1((0, np.nan), (2, 3)),
        in_version_2((0, 0), (2, 3), unit=0),
        in_version_2((0, 0), (2, -3), unit=1),
    ],
)
def test_images_without_a_size_demand_one_in_the_configuration(tmp_path, places):
    version = 2 if "unit" in places else 1
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=version, places=places)
    message = "a.root: event 1:2:10: image 0 does not say how long its pixels are: give `pixel: ["
    for read_it in (planes_of, read):
        with pytest.raises(InputError, match=re.escape(message)):
            read_it(path)
    planes = planes_of(path, pixel=(4.0, 3.0))
    assert (planes.tpc.mm_per_tick, planes.tpc.pitch) == pytest.approx((4, 3))
    assert (planes.first, planes.shape) == ((0, 0), (3, 2))


def test_the_configuration_says_nothing_else_than_the_file(tmp_path):
    places = in_version_2((0, 0), (1, 1.2), unit=1)
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=2, places=places)
    assert planes_of(path, pixel=(4.0, 5.0)) == planes_of(path)
    message = "has pixels of 4 mm × 5 mm by the file itself, and the configuration says `pixel: [5"
    with pytest.raises(InputError, match=re.escape(message)):
        planes_of(path, pixel=(5.0, 5.0))


@pytest.mark.parametrize(("name", "value"), [("p2.y", 3), ("unit", 2)])
def test_images_that_are_not_alike_are_refused(tmp_path, name, value):
    places = in_version_2((0, 0), (1, 1.5), unit=1)
    places[name][1][1] = value
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=2, places=places)
    message = "event 1:2:11: image 1 has pixels of another size or unit than the file's first image"
    with pytest.raises(InputError, match=message):
        read(path)


def test_charge_beyond_the_wires_is_refused(tmp_path):
    places = in_version_1((2399, 0), (2, 3))  # the second column is no wire of plane 0
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, places=places)
    with pytest.raises(InputError, match=r"a\.root: event 1:2:10: hit 2 has hit_wire = 2400"):
        read(path)


def test_pixels_below_0_are_counted(tmp_path):
    counts = Counter()
    read(larcv_file(tmp_path / "a.root", IMAGES, PLANES), counts=counts)
    assert counts == {NEGATIVE: 1}


# --- the order of rows --------------------------------------------------------------------------


def read_down(path):
    [events] = read_lartpc(FileSpec(str(path)), SAMPLE.model_copy(update={"rows": "down"}))
    return events


def test_rows_down_count_from_the_last_tick_of_version_1(tmp_path):
    """As in LArbys/LArCV: row = (origin.y - tick) / height of a row, here 3 rows of 6 ticks."""
    places = in_version_1((40, 8448), (2, 18))
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, places=places)
    events, planes = read_down(path), planes_of(path, rows="down")
    rows = (8448 - 6 * events.hits["time"]) / 6
    np.testing.assert_array_equal(np.floor(rows), [1, 2, 2, 0])
    np.testing.assert_array_equal(events.hits["wire"], [40, 40, 41, 40])
    np.testing.assert_array_equal(events.hits["charge"], [1, 2, 3, 4.5])
    assert (planes.first, planes.shape) == (((8448 - 18) / 6, 40), (3, 2))


def test_rows_down_turn_images_of_version_2_where_they_are(tmp_path):
    """These say themselves where they begin and end."""
    places = in_version_2((40, 2400), (42, 2418))
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=2, places=places)
    np.testing.assert_array_equal(read_down(path).hits["time"], [401.5, 400.5, 400.5, 402.5])
    assert planes_of(path, rows="down") == planes_of(path)


@pytest.mark.parametrize(
    ("rows", "origin", "said"),
    [("up", 8448, ("8448 to 14496", "2400 to 8448")),
     ("down", 2400, ("-3648 to 2400", "2400 to 8448"))],
)  # fmt: skip
def test_images_beyond_the_readout_are_refused(tmp_path, rows, origin, said):
    """MicroBooNE's 1008 rows of 6 ticks, read in the other's order: one of four images."""
    places = in_version_1((0, 0), (1, 6048))
    right = 2400 if rows == "up" else 8448
    places["origin.y"] = [[right, right], [right, origin]]
    images = [[[0.0] * 1008] * 2] * 2
    path = larcv_file(tmp_path / "a.root", images, PLANES, rows=1008, columns=1, places=places)
    with pytest.raises(InputError, match=r"a\.root: event 1:2:11: image 1 covers") as error:
        planes_of(path, rows=rows)
    text = str(error.value)
    assert f"covers the ticks {said[0]}, beyond the geometry's readout, 0 to 9600" in text
    up, down = said if rows == "up" else said[::-1]
    assert f"count up from the origin: ticks {up}; with `rows: down`" in text
    assert f"down from it: ticks {down}" in text


def test_an_image_may_end_within_its_last_row(tmp_path):
    places = in_version_1((0, 9588), (2, 18))  # the third row would begin where the readout ends
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, places=places)
    with pytest.raises(InputError, match="9588 to 9606"):
        read(path)
    places = in_version_1((0, 9587), (2, 18))
    path = larcv_file(tmp_path / "b.root", IMAGES, PLANES, places=places)
    assert len(read(path)) == 2


# --- pixels and damage --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "first"), [(66, 33), (67, 34), (68, 34), (69, 35), (68.9, 34), (65, 33)]
)
@pytest.mark.parametrize("rows", ["up", "down"])
def test_images_that_begin_inside_a_pixel_are_moved_to_a_whole_one(tmp_path, wire, first, rows):
    """Of two wires; so are those that begin in a row of six ticks."""
    low, high = (wire, 2403), (wire + 4, 2403 + 18)
    places = in_version_2(low, high)
    path = larcv_file(tmp_path / "a.root", IMAGES, PLANES, version=2, places=places)
    [events] = read_lartpc(FileSpec(str(path)), SAMPLE.model_copy(update={"rows": rows}))
    planes = planes_of(path, rows=rows)
    assert (planes.first, planes.shape) == ((401, first), (3, 2))
    np.testing.assert_array_equal(events.hits["wire"] - first, [0, 0, 1, 0])
    up = np.array([1.5, 2.5, 2.5, 0.5])
    np.testing.assert_array_equal(events.hits["time"] - 401, up if rows == "up" else 3 - up)


def damaged(path, **changes):
    """A file whose meta are not one of each image."""
    ones = [[1], [1, 1]]
    meta = dict.fromkeys(
        ("row_count", "col_count", "origin.x", "origin.y", "width", "height"), ones
    )
    lists = {f"_image_v._meta._{k}": ak.Array(v) for k, v in (meta | changes).items()}
    image = ak.values_astype(ak.Array([[[1.0]], [[1.0], [1.0]]]), "f4")
    planes = {"_image_v._meta._plane": ak.Array([[0], [0, 1]])}
    with uproot.recreate(path) as file:
        file.mkrntuple("image2d_wire_tree", key(2) | {"_image_v._img": image} | lists | planes)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"col_count": [[1], [1]]},
         "event 1:2:11: there are 2 of '_image_v._meta._row_count' and 1 of '_image_v._meta._col_"),
        ({"col_count": [[1, 1], [1]]}, "event 1:2:10: there are 1 of '_image_v._meta._row_count'"),
        ({"width": [[1], [1]]}, "and 1 of '_image_v._meta._width': one of each image is needed"),
        ({"origin.x": [1, 2]}, "'_image_v._meta._origin.x' is no list: one number of each image"),
        ({"row_count": [1, 2]}, "'_image_v._meta._row_count' is no list: one number of each im"),
        ({"width": [["a"], ["b", "c"]]}, "cannot read LArCV's images: "),
    ],
)  # fmt: skip
def test_damaged_meta_are_no_traceback(tmp_path, changes, message):
    path = damaged(tmp_path / "a.root", **changes)
    for read_it in (planes_of, read):
        with pytest.raises(InputError, match=r"a\.root: ") as error:
            read_it(path)
        assert message in str(error.value)


def test_meta_of_one_number_an_image_are_read(tmp_path):
    """What is damaged above, whole."""
    assert read(damaged(tmp_path / "a.root")).hits["charge"].tolist() == [1, 1, 1]
