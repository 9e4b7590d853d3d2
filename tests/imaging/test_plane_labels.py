"""Labels of wire-plane images against events whose labels are known."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from hand_made_planes import NAN, TPC, dense, hand_made, particle, random_events

from hepcnn.config import PlaneImages
from hepcnn.detector.labels import (
    DELTA_ENERGY,
    INTERACTIONS,
    OTHER,
    PIXEL_CLASSES,
    PROCESSES,
    SINGLE_PARTICLES,
    UNKNOWN_ORIGIN,
    UNKNOWN_PARENT,
    UNKNOWN_PROCESS,
    pixel_class_of,
)
from hepcnn.detector.tpc import PLANES
from hepcnn.errors import InputError
from hepcnn.imaging import plane_labels
from hepcnn.imaging.planes import plane_images

SETTINGS = PlaneImages(sample="s", maker="planes", region="fixed", shape=(64, 96))
HIT = (2, 10, 30.0, 5.0, 0.0, -1)


def truth_of(particles=None, **known):
    """Truth of one event."""
    known = {name: np.array([value]) for name, value in known.items()}
    kinds = {"neutrino_pdg": "i4", "charged_current": "i1"}
    known = {name: column.astype(kinds.get(name, "f4")) for name, column in known.items()}
    events = hand_made([[HIT]], None if particles is None else [particles], **known)
    return {name: column[0] for name, column in plane_labels.event_truth(events).items()}


MUON, COSMIC = particle(13, energy=300.0), particle(-13, origin=1)


@pytest.mark.parametrize(
    ("particles", "known", "interaction"),
    [
        ([MUON], {"neutrino_pdg": 14, "charged_current": 1}, "numu_cc"),
        ([MUON, COSMIC], {"neutrino_pdg": -14, "charged_current": 1}, "numu_cc"),
        ([MUON], {"neutrino_pdg": 12, "charged_current": 1}, "nue_cc"),
        ([MUON], {"neutrino_pdg": 12, "charged_current": 0}, "nc"),
        ([MUON], {"neutrino_pdg": -16, "charged_current": 0}, "nc"),
        ([MUON], {"neutrino_pdg": 16, "charged_current": 1}, None),
        ([MUON], {"neutrino_pdg": 14}, None),
        ([MUON], {"neutrino_pdg": 0, "charged_current": 0}, None),
        ([MUON], {}, None),
        ([COSMIC], {"neutrino_pdg": 0, "charged_current": 0}, "cosmic"),
        ([COSMIC], {"neutrino_pdg": 0}, "cosmic"),
        ([COSMIC], {}, "cosmic"),
        ([], {"neutrino_pdg": 0, "charged_current": 0}, "cosmic"),
        (None, {"neutrino_pdg": 14, "charged_current": 1}, "numu_cc"),
        (None, {"neutrino_pdg": 0, "charged_current": 0}, "cosmic"),
        (None, {}, None),
        (None, {"charged_current": 0}, None),
    ],
)
def test_interactions(particles, known, interaction):
    label = -1 if interaction is None else INTERACTIONS.index(interaction)
    assert truth_of(particles, **known)["interaction"] == label


@pytest.mark.parametrize(
    ("particles", "known", "label", "pdg"),
    [
        ([MUON], {}, "muon", 13),
        ([particle(-13)], {"neutrino_pdg": 0}, "muon", -13),
        ([MUON, COSMIC, COSMIC], {}, "muon", 13),
        ([COSMIC, particle(22)], {}, "photon", 22),
        ([MUON, particle(11, parent=0, process=1)], {}, "muon", 13),
        ([particle(-211)], {}, "pion", -211),
        ([particle(2212)], {}, "proton", 2212),
        ([particle(11)], {}, "electron", 11),
        ([particle(321)], {}, None, 321),
        ([MUON, MUON], {}, None, 0),
        ([COSMIC], {}, None, 0),
        ([MUON], {"neutrino_pdg": 14, "charged_current": 1}, None, 0),
        ([], {}, None, 0),
        (None, {}, None, 0),
    ],
)
def test_single_particles(particles, known, label, pdg):
    truth = truth_of(particles, **known)
    assert truth["particle"] == (-1 if label is None else list(SINGLE_PARTICLES).index(label))
    assert truth["pdg"] == pdg


def test_energies():
    """The neutrino's, else that of the only particle, kinetic."""
    assert truth_of([MUON, COSMIC])["energy"] == 300
    known = {"neutrino_pdg": 14, "charged_current": 1}
    assert truth_of([MUON], **known, neutrino_energy=900)["energy"] == 900
    assert truth_of([MUON], neutrino_pdg=0, neutrino_energy=900)["energy"] == 300
    for unknown in (truth_of([MUON], **known), truth_of([MUON, MUON]), truth_of()):
        assert np.isnan(unknown["energy"])


def test_labels_of_each_event_are_its_own():
    events = hand_made(
        [[], [], [], []], [[MUON], [], [COSMIC, particle(22, energy=7.0)], [MUON, MUON]]
    )
    truth = plane_labels.event_truth(events)
    assert truth["pdg"].tolist() == [13, 0, 22, 0]
    assert truth["interaction"].tolist() == [-1, 3, -1, -1]
    np.testing.assert_array_equal(truth["energy"], np.float32([300, NAN, 7, NAN]))


def test_the_pixel_goes_to_the_particle_with_most_charge():
    """Of all its hits together; noise counts as nobody's."""
    made = [particle(13), particle(2212), particle(11, parent=0, process=1)]
    hits = [
        (0, 1, 1.0, 5.0, 0.0, 0), (0, 1, 2.0, 4.0, 0.0, 1), (0, 1, 3.0, 4.0, 0.0, 1),
        (0, 2, 1.0, 5.0, 0.0, 2), (0, 2, 2.0, 4.0, 0.0, -1),
        (0, 3, 1.0, 5.0, 0.0, -1), (0, 3, 2.0, 4.0, 0.0, 0),
        (0, 4, 2.0, 4.0, 0.0, 0),
    ]  # fmt: skip
    images, _ = plane_images(hand_made([hits], [made]), TPC, SETTINGS)
    sparse, table = images.views["u"], images.tables["particles"].columns
    assert sparse.pixel.tolist() == [1, 2, 3, 4]
    assert sparse.value[:, 0].tolist() == [13, 9, 9, 4]
    names = [PIXEL_CLASSES[k] for k in sparse.truth["semantic"]]
    assert names == ["hip", "michel", "other", "mip"]
    assert sparse.truth["instance"].tolist() == [1, 2, -1, 0]
    assert table["id"].tolist() == [0, 1, 2]
    assert table["charge"][:, 0].tolist() == [4, 13, 9]
    assert [PIXEL_CLASSES[k] for k in table["semantic"]] == ["mip", "hip", "michel"]


PRIMARY, DECAY, IONISATION, RADIATION, HADRONIC = range(len(PROCESSES))
NONE = 0


@pytest.mark.parametrize(
    ("parent", "process", "expected"),
    [
        (13, DECAY, "michel"),
        (13, IONISATION, "delta"),
        (13, RADIATION, "shower"),
        (-211, IONISATION, "delta"),
        (22, IONISATION, "shower"),
        (NONE, PRIMARY, "shower"),
        (13, UNKNOWN_PROCESS, "other"),
        (2212, UNKNOWN_PROCESS, "other"),
        (-11, UNKNOWN_PROCESS, "shower"),
        (22, UNKNOWN_PROCESS, "shower"),
        (111, UNKNOWN_PROCESS, "shower"),
        (NONE, UNKNOWN_PROCESS, "shower"),
        (None, UNKNOWN_PROCESS, "other"),
        (None, DECAY, "other"),
        (None, IONISATION, "other"),
        (None, RADIATION, "shower"),
        (None, PRIMARY, "shower"),
    ],
)
def test_electrons_by_what_is_known_of_them(parent, process, expected):
    """None: the parent is not known. What could be several things is of no class."""
    for pdg in (11, -11):
        label = pixel_class_of([pdg], [parent or NONE], [process], [parent is not None])
        assert PIXEL_CLASSES[label[0]] == expected
    for pdg, name in ((13, "mip"), (2212, "hip"), (22, "shower")):
        (label,) = pixel_class_of([pdg], [parent or NONE], [process], [parent is not None])
        assert PIXEL_CLASSES[label] == name


@pytest.mark.parametrize("missing", ["process", "parent"])
def test_truth_that_is_missing_is_not_guessed(missing):
    """Pixels of a Michel and of a δ electron are of no class, and are counted."""
    made = [
        particle(13),
        particle(11, parent=0, process=DECAY),
        particle(11, parent=0, process=IONISATION),
    ]
    hits = [(0, 1 + k, 1.0, 5.0, 0.0, k) for k in range(3)]
    events = hand_made([hits], [made])
    value = {"process": UNKNOWN_PROCESS, "parent": UNKNOWN_PARENT}[missing]
    events.particles[missing][:] = value
    images, counts = plane_images(events, TPC, SETTINGS)
    names = [PIXEL_CLASSES[k] for k in images.views["u"].truth["semantic"]]
    assert names == ["mip", "other", "other"]
    assert counts["particles in the image"] == 3
    unknown = next(step for step in counts if "unknown process" in step)
    assert counts[unknown] == 2


def test_charge_of_short_delta_electrons_is_their_tracks():
    """Together with the track's own it is more than that of another."""
    knocked_out = PROCESSES.index("ionisation")
    delta = functools.partial(particle, 11, parent=1, process=knocked_out)
    below = np.nextafter(np.float32(DELTA_ENERGY), np.float32(0))
    made = [particle(2212), particle(13), delta(energy=below), delta(energy=DELTA_ENERGY)]
    hits = [
        (0, 1, 1.0, 5.0, 0.0, 0), (0, 1, 2.0, 3.0, 0.0, 1), (0, 1, 3.0, 3.0, 0.0, 2),
        (0, 2, 1.0, 5.0, 0.0, 3), (0, 3, 1.0, 5.0, 0.0, -1),
    ]  # fmt: skip
    images, _ = plane_images(hand_made([[HIT], hits], [[MUON], made]), TPC, SETTINGS)
    sparse, table = images.views["u"], images.tables["particles"].columns
    names = [PIXEL_CLASSES[k] for k in sparse.truth["semantic"]]
    assert names == ["mip", "delta", "other"]
    assert sparse.truth["instance"].tolist() == [0, 1, -1]
    assert table["id"].tolist() == [1, 3]


def test_overlaps_by_brute_force():
    """Each particle's image made alone; where they overlap, the largest wins."""
    events = random_events(particles=6)
    chosen = SETTINGS.model_copy(
        update={"shape": (300, 600), "ticks_per_pixel": 24.0, "wires_per_pixel": 3}
    )
    images, _ = plane_images(events, TPC, chosen)
    layers = []
    for who in range(-1, 6):
        of_others = events.hits["particle"] != who
        hits = events.hits | {"charge": np.where(of_others, np.float32(0), events.hits["charge"])}
        layers.append(plane_images(replace(events, hits=hits), TPC, chosen)[0])
    table = images.tables["particles"]
    for view in PLANES:
        charge = np.stack([dense(layer.views[view], (300, 600)) for layer in layers])
        assert ((charge > 0).sum(axis=0) > 1).sum() > 20
        owner = charge.argmax(axis=0).reshape(len(events), -1) - 1
        sparse = images.views[view]
        event = np.repeat(np.arange(len(events)), np.diff(sparse.offsets))
        instance = sparse.truth["instance"]
        number = table.columns["id"][table.offsets[event] + np.maximum(instance, 0)]
        found = np.where(instance < 0, -1, number)
        np.testing.assert_array_equal(found, owner[event, sparse.pixel])


def test_particles_are_those_with_pixels():
    made = [particle(13), particle(2212), particle(22)]
    hits = [(0, 5, 5.0, 2.0, 0.0, 2), (2, 5, 5.0, 2.0, 0.0, 0), (1, 5, -50.0, 2.0, 0.0, 1)]
    events = hand_made([[HIT], hits, []], [[MUON], made, [MUON]])
    images, _ = plane_images(events, TPC, SETTINGS)
    table = images.tables["particles"]
    assert table.offsets.tolist() == [0, 0, 2, 2]
    assert table.columns["id"].tolist() == [0, 2]
    assert table.columns["pdg"].tolist() == [13, 22]
    seen = np.isfinite(table.columns["box"].reshape(2, 3, 4)).all(axis=2)
    assert seen.tolist() == [[False, False, True], [True, False, False]]
    assert images.views["y"].truth["instance"].tolist() == [-1, 0]
    assert images.views["u"].truth["instance"].tolist() == [1]


def test_boxes_hold_all_pixels_of_the_instance_and_no_more():
    events = random_events()
    chosen = SETTINGS.model_copy(update={"region": "charge", "shape": (200, 150)})
    images, _ = plane_images(events, TPC, chosen)
    table = images.tables["particles"]
    assert len(table.columns["id"]) > 10
    for number, view in enumerate(PLANES):
        sparse = images.views[view]
        event = np.repeat(np.arange(len(events)), np.diff(sparse.offsets))
        row, column = np.divmod(sparse.pixel.astype(int), 150)
        for i in range(len(events)):
            for k in range(table.offsets[i], table.offsets[i + 1]):
                own = (event == i) & (sparse.truth["instance"] == k - table.offsets[i])
                box = table.columns["box"][k].reshape(3, 4)[number]
                charge = sparse.value[own, 0].sum(dtype=float)
                assert table.columns["charge"][k, number] == pytest.approx(charge, rel=1e-6)
                if not own.any():
                    assert np.isnan(box).all()
                    continue
                expected = [row[own].min(), column[own].min(), row[own].max() + 1,
                            column[own].max() + 1]  # fmt: skip
                np.testing.assert_array_equal(box, expected)


@pytest.mark.parametrize("pixel", [(6.0, 1), (10.0, 4)])
def test_key_points_and_vertices_lie_on_the_hits_made_there(pixel):
    """A hit at the wire and tick of a point is in the point's pixel, in every plane."""
    rng = np.random.default_rng(7)
    start = rng.uniform((50, -50, 200), (200, 50, 800), (20, 3)).astype(np.float32)
    x, y, z = 10.0 * start.astype(float).T
    hits = [
        [
            (plane, round(float(TPC.wire(name, y[i], z[i]))), float(TPC.tick(x[i])), 1.0, 0.0, 0)
            for plane, name in enumerate(PLANES)
        ]
        for i in range(20)
    ]
    made = [[particle(start=s, end=s + 10)] for s in start]
    events = hand_made(hits, made, vertex=start)
    chosen = PlaneImages(
        sample="s", maker="planes", shape=(40, 50), ticks_per_pixel=pixel[0],
        wires_per_pixel=pixel[1],
    )  # fmt: skip
    images, _ = plane_images(events, TPC, chosen)
    point = images.truth["vertex_pixel"].reshape(20, 3, 2)
    table = images.tables["particles"].columns
    np.testing.assert_allclose(table["start"].reshape(20, 3, 2), point, atol=1e-3)
    assert (np.abs(table["end"] - table["start"]).max(axis=1) > 1).all()
    np.testing.assert_array_equal(table["start_xyz"], start)
    for number, view in enumerate(PLANES):
        found = np.stack(np.divmod(images.views[view].pixel.astype(int), 50), axis=1)
        # But for times within the rounding of float32 of a row's edge.
        away = found + 0.5 - point[:, number]
        assert (np.abs(away) <= 0.5 + 1e-3).all()


def test_wires_that_the_file_gives_go_before_those_of_the_position():
    given = {"vertex_wire": np.float32([[10, 20, 30]]), "vertex_tick": np.float32([60])}
    events = hand_made([[HIT]], vertex=np.float32([[100, 0, 500]]), **given)
    images, _ = plane_images(events, TPC, SETTINGS)
    np.testing.assert_allclose(images.truth["vertex_pixel"], [[10, 10.5, 10, 20.5, 10, 30.5]])


def test_without_wires_of_the_detector_there_are_no_points_in_pixels():
    """A position whose wires the file says are unknown; more drift volumes than two."""
    unknown = {"vertex_wire": np.float32([[NAN] * 3]), "vertex_tick": np.float32([NAN])}
    hits, made, vertex = [[(2, 10, 30.0, 5.0, 0.0, 0)]], [[MUON]], np.float32([[100, 0, 500]])
    for events, tpc in (
        (hand_made(hits, made, vertex=vertex, **unknown), TPC),
        (hand_made(hits, made, vertex=vertex), TPC.model_copy(update={"drift_volumes": 4})),
    ):
        images, _ = plane_images(events, tpc, SETTINGS)
        assert np.isnan(images.truth["vertex_pixel"]).all()
        assert np.isnan(images.tables["particles"].columns["start"]).all()
        np.testing.assert_array_equal(images.truth["vertex"], vertex)


def test_cosmic_rays_have_no_key_points_in_pixels():
    """Their ticks depend on a time that files do not tell."""
    hits = [[(0, 5, 5.0, 2.0, 0.0, k) for k in (0,)] + [(0, 9, 5.0, 2.0, 0.0, 1)]]
    images, _ = plane_images(hand_made(hits, [[MUON, COSMIC]]), TPC, SETTINGS)
    table = images.tables["particles"].columns
    assert table["origin"].tolist() == [0, 1]
    for name in ("start", "end"):
        assert np.isfinite(table[name]).all(axis=1).tolist() == [True, False]
        assert np.isfinite(table[f"{name}_xyz"]).all()


def test_files_without_truth():
    images, counts = plane_images(hand_made([[HIT], []]), TPC, SETTINGS)
    assert (images.truth["interaction"] == -1).all()
    assert (images.truth["particle"] == -1).all()
    assert np.isnan(images.truth["energy"]).all()
    assert np.isnan(images.truth["vertex_pixel"]).all()
    assert images.views["y"].truth["semantic"].tolist() == [PIXEL_CLASSES.index("other")]
    assert images.views["y"].truth["instance"].tolist() == [-1]
    assert images.tables["particles"].offsets.tolist() == [0, 0, 0]
    assert counts["kept, of no interaction class"] == 2


def test_more_particles_than_instances_can_be_numbered():
    n = 33_000
    hits = [(0, k % 96, 6.0 * (k // 96) + 1, 1.0, 0.0, k) for k in range(n)]
    chosen = SETTINGS.model_copy(update={"shape": (400, 96)})
    with pytest.raises(InputError, match="event 1:2:100: 33000 particles"):
        plane_images(hand_made([hits], [[MUON] * n]), TPC, chosen)


def test_of_particles_of_unknown_origin_nothing_is_guessed():
    """No interaction, no single particle, no key points: they may be of the beam or cosmic."""
    unknown = particle(13, energy=300.0, origin=UNKNOWN_ORIGIN)
    hits, vertex = [[(2, 10, 30.0, 5.0, 0.0, 0)]], np.float32([[100, 0, 500]])
    for made, known in ((MUON, True), (unknown, False)):
        images, _ = plane_images(hand_made(hits, [[made]], vertex=vertex), TPC, SETTINGS)
        assert (images.truth["particle"] >= 0).all() == known
        assert (images.truth["interaction"] == OTHER).all()
        assert np.isfinite(images.tables["particles"].columns["start"]).all() == known
