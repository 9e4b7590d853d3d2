"""Images of RICH events: which tracks are kept, what is counted, what each option does."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hepcnn.config import PolarImages, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.optics import from_plane, plane_coordinates, project_tracks
from hepcnn.errors import InputError
from hepcnn.events.schema import EVENT_KEY, RichEvents
from hepcnn.imaging.panels import panel_points
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.imaging.sparse import merge_channels
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.shard import Sparse
from hepcnn.validation.rich.setup import IDEAL

GEOMETRY = load_geometry("lhcb-run3")
SETTINGS = PolarImages(sample="rich")
BOTH = PolarImages(sample="rich", rich=["rich1", "rich2"])


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(11)
    return simulate_chunk(RichSimulation(tracks=30), GEOMETRY, rng, 8)


def dense(sparse, shape=(32, 32)):
    """(n, C, rows, columns)."""
    found = np.zeros((len(sparse), sparse.value.shape[1], shape[0] * shape[1]), int)
    for i in range(len(sparse)):
        rows = slice(sparse.offsets[i], sparse.offsets[i + 1])
        found[i, :, sparse.pixel[rows]] = sparse.value[rows]
    return found.reshape(*found.shape[:2], *shape)


def reference(events, settings, rich):
    """Image of each kept track, made the slow and obvious way."""
    geometry, number = GEOMETRY[rich], int(rich[-1])
    columns = [events.tracks[f"{rich}_{part}"] for part in ("entry", "direction", "exit")]
    panel, point, _ = project_tracks(geometry, *columns)
    centre = plane_coordinates(geometry, point, panel)
    images, _ = rich_images(events, GEOMETRY, settings)
    found = []
    for run, subrun, event, obj in images.key:
        name = np.array((run, subrun, event), EVENT_KEY)
        i = int(np.flatnonzero(events.key == name)[0])
        t = events.track_offsets[i] + obj
        hits = slice(events.hit_offsets[i], events.hit_offsets[i + 1])
        on = (events.hits["rich"][hits] == number) & (events.hits["panel"][hits] == panel[t])
        position = events.hits["position"][hits][on]
        d = plane_coordinates(geometry, position, np.full(on.sum(), panel[t])) - centre[t]
        limits = ((0, settings.radius[rich]), (-np.pi, np.pi))
        r, phi = np.hypot(*d.T), np.arctan2(d[:, 1], d[:, 0])
        found.append(np.histogram2d(r, phi, settings.shape, limits)[0])
    return np.array(found)


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_images_are_those_of_the_obvious_way(events, rich):
    settings = PolarImages(sample="rich", rich=[rich])
    images, _ = rich_images(events, GEOMETRY, settings)
    expected = reference(events, settings, rich)
    found = dense(images.views[rich])[:, 0]
    # Rounding may move a hit at the edge of a bin.
    assert np.abs(found - expected).sum() <= 1e-3 * expected.sum()
    assert expected.sum() > 1000


def test_rings_are_where_the_mirrors_put_them(events):
    """Fast electrons' photons lie within a few mm of the saturated ring, about 95 mm in RICH1."""
    rng = np.random.default_rng(1)
    mixture = {"electron": 1.0}
    settings = RichSimulation(
        tracks=2, unreconstructed=0, dark_hits=0, mixture=mixture, momentum_range=(20000, 90000),
        spectrum="flat", **IDEAL,
    )  # fmt: skip
    images, _ = rich_images(simulate_chunk(settings, GEOMETRY, rng, 60), GEOMETRY, SETTINGS)
    per_r = dense(images.views["rich1"])[:, 0].sum(axis=(0, 2))
    assert 88 < (per_r.argmax() + 0.5) * 130 / 32 < 102


def test_the_cutflow_counts_every_track(events):
    images, counts = rich_images(events, GEOMETRY, BOTH)
    assert list(counts) == [
        "events read",
        "tracks read",
        "in rich1",
        "projected on a panel of rich1",
        "in rich2",
        "projected on a panel of rich2",
        "in the momentum range",
        "kept",
        "kept, of other species",
        "hits read",
        *(
            text.format(rich)
            for rich in ("rich1", "rich2")
            for text in (
                "hits of {}",
                "hits in the images of {}, once an image",
                "kept, in {}",
                "kept, in {}, without a hit in the image",
            )
        ),
    ]
    assert counts["events read"] == 8
    assert counts["tracks read"] == events.n_tracks
    assert counts["in rich1"] == np.isfinite(events.tracks["rich1_entry"][:, 0]).sum()
    values = list(counts.values())
    assert values[1:8] == sorted(values[1:8], reverse=True)
    assert counts["kept"] == len(images) > 0
    assert counts["in rich2"] < counts["in rich1"]
    assert counts["hits of rich1"] + counts["hits of rich2"] == counts["hits read"]
    for rich, view in images.views.items():
        assert counts[f"hits in the images of {rich}, once an image"] == view.value.sum() > 0
        empty = np.diff(view.offsets) == 0
        assert counts[f"kept, in {rich}"] == len(images)
        assert counts[f"kept, in {rich}, without a hit in the image"] == empty.sum()


def test_keys_truth_and_features_are_the_tracks_own(events):
    images, _ = rich_images(events, GEOMETRY, SETTINGS)
    assert len(np.unique(images.key)) == len(images)
    for row in range(0, len(images), 7):
        key = images.key[row]
        i = int(np.flatnonzero(events.key["event"] == key["event"])[0])
        t = events.track_offsets[i] + key["object"]
        assert images.features["p"][row] == events.tracks["p"][t]
        assert images.features["charge"][row] == events.tracks["charge"][t]
        assert images.truth["pdg"][row] == events.tracks["pdg"][t]
        x, y, z = events.tracks["rich1_direction"][t].astype(float)
        eta = -np.log(np.tan(np.arctan2(np.hypot(x, y), z) / 2))
        assert images.features["eta"][row] == pytest.approx(eta, abs=2e-3)
        assert images.features["n_tracks"][row] == np.diff(events.track_offsets)[i]


def test_momentum_range_is_half_open(events):
    """low <= p < high."""
    p = np.sort(rich_images(events, GEOMETRY, SETTINGS)[0].features["p"])
    settings = PolarImages(sample="rich", momentum_range=(float(p[10]), float(p[20])))
    kept = rich_images(events, GEOMETRY, settings)[0].features["p"]
    np.testing.assert_array_equal(np.sort(kept), p[10:20])


def _same(left, right):
    return (
        np.array_equal(left.key, right.key)
        and left.views.keys() == right.views.keys()
        and all(
            np.array_equal(getattr(left.views[v], part), getattr(right.views[v], part))
            for v in left.views
            for part in ("offsets", "pixel", "value")
        )
    )


@pytest.mark.parametrize(
    "option",
    [
        {"rich": ["rich2"]},
        {"rich": ["rich1", "rich2"]},
        {"shape": (16, 32)},
        {"shape": (32, 16)},
        {"radius": {"rich1": 100.0}},
        {"channels": ["tracks"]},
        {"channels": ["hits", "tracks"]},
        {"momentum_range": (5000.0, 100000.0)},
    ],
    ids=str,
)
def test_every_option_changes_the_images(events, option):
    changed = PolarImages(sample="rich", **option)
    assert _same(*(rich_images(events, GEOMETRY, SETTINGS)[0] for _ in range(2)))
    assert not _same(
        rich_images(events, GEOMETRY, changed)[0], rich_images(events, GEOMETRY, SETTINGS)[0]
    )
    assert rich_header(changed) != rich_header(SETTINGS)


def test_the_samples_name_does_not_matter():
    """Shards of two samples, imaged alike, make one image set."""
    assert rich_header(PolarImages(sample="another")) == rich_header(SETTINGS)


def test_tracks_channel_counts_the_other_tracks(events):
    """Projections of the other tracks on the panel within the radius, wherever their momentum."""
    settings = PolarImages(
        sample="rich", channels=["hits", "tracks"], radius={"rich1": 4000.0, "rich2": 1.0}
    )
    images, _ = rich_images(events, GEOMETRY, settings)
    columns = [events.tracks[f"rich1_{part}"] for part in ("entry", "direction", "exit")]
    panel, _, inside = project_tracks(GEOMETRY["rich1"], *columns)
    event = np.repeat(np.arange(len(events)), np.diff(events.track_offsets))
    found = dense(images.views["rich1"]).sum(axis=(2, 3))
    for row, key in enumerate(images.key):
        i = int(np.flatnonzero(events.key["event"] == key["event"])[0])
        t = events.track_offsets[i] + key["object"]
        same = (event == i) & inside & (panel == panel[t])
        assert found[row, 1] == same.sum() - 1
        hits = slice(events.hit_offsets[i], events.hit_offsets[i + 1])
        on = (events.hits["rich"][hits] == 1) & (events.hits["panel"][hits] == panel[t])
        assert found[row, 0] == on.sum()


def test_channels_merge_as_the_single_ones(events):
    both = rich_images(events, GEOMETRY, PolarImages(sample="rich", channels=["tracks", "hits"]))[0]
    for c, channel in enumerate(("tracks", "hits")):
        one = rich_images(events, GEOMETRY, PolarImages(sample="rich", channels=[channel]))[0]
        np.testing.assert_array_equal(
            dense(both.views["rich1"])[:, c], dense(one.views["rich1"])[:, 0]
        )
    pixel, offsets = both.views["rich1"].pixel.astype(int), both.views["rich1"].offsets
    assert all((np.diff(pixel[a:b]) > 0).all() for a, b in pairwise(offsets))
    assert (both.views["rich1"].value.sum(axis=1) > 0).all()


def test_eta_needs_no_unit_vector(events):
    """A direction in float32 may be a little longer than 1: along the axis, η stays known."""
    direction = np.full_like(events.tracks["rich1_direction"], 1e-4)
    direction[:, 2] = 1.0001
    tracks = {**events.tracks, "rich1_direction": direction}
    images, _ = rich_images(replace(events, tracks=tracks), GEOMETRY, SETTINGS)
    np.testing.assert_allclose(images.features["eta"], np.log(2 * 1.0001 / 1.41421e-4), rtol=1e-4)


def test_a_given_projection_makes_the_same_images(events):
    """A tuple with projections instead of segments; there is no direction, so no η."""
    tracks = {k: v for k, v in events.tracks.items() if not k.startswith("rich")}
    for rich in ("rich1", "rich2"):
        columns = [events.tracks[f"{rich}_{part}"] for part in ("entry", "direction", "exit")]
        tracks[f"{rich}_projection"] = project_tracks(GEOMETRY[rich], *columns)[1].astype("f4")
    given, _ = rich_images(replace(events, tracks=tracks), GEOMETRY, BOTH)
    expected, _ = rich_images(events, GEOMETRY, BOTH)
    np.testing.assert_array_equal(given.key, expected.key)
    assert np.isnan(given.features["eta"]).all()
    for view in ("rich1", "rich2"):
        found, wanted = dense(given.views[view]), dense(expected.views[view])
        # The projection is rounded to float32 once more.
        assert np.abs(found - wanted).sum() < 0.01 * wanted.sum()


def test_permuted_hits_make_the_same_images(events):
    rng = np.random.default_rng(2)
    order = np.concatenate(
        [rng.permutation(np.arange(a, b)) for a, b in pairwise(events.hit_offsets)]
    )
    hits = {name: column[order] for name, column in events.hits.items()}
    permuted, _ = rich_images(replace(events, hits=hits), GEOMETRY, BOTH)
    assert _same(permuted, rich_images(events, GEOMETRY, BOTH)[0])


def test_other_species_are_kept_named_and_counted(events):
    pdg = np.where(events.tracks["pdg"] == 0, 211, events.tracks["pdg"])
    pdg[::3] = -3112
    images, counts = rich_images(
        replace(events, tracks={**events.tracks, "pdg": pdg}), GEOMETRY, SETTINGS
    )
    other = images.truth["pdg"] == -3112
    assert (images.truth["species"][other] == -1).all()
    assert counts["kept, of other species"] == other.sum() > 0


def _chunk(n_events, tracks=None, hits=None):
    """Events with neither tracks nor hits, but what is given, in the first event."""
    empty3, key = np.empty((0, 3), np.float32), np.zeros(n_events, EVENT_KEY)
    key["event"] = np.arange(n_events)
    segments = [f"rich{n}_{part}" for n in (1, 2) for part in ("entry", "direction", "exit")]
    tracks = tracks or {
        "p": np.empty(0, np.float32),
        "charge": np.empty(0, np.int8),
        "pdg": np.empty(0, np.int32),
        **dict.fromkeys(segments, empty3),
    }
    none = np.empty(0, np.int8)
    hits = hits or {"position": empty3, "rich": none, "panel": none}

    def offsets(columns):
        found = np.full(n_events + 1, len(next(iter(columns.values()))), np.int64)
        found[0] = 0
        return found

    return RichEvents(key, offsets(tracks), tracks, offsets(hits), hits)


def test_events_without_tracks_without_hits_and_no_events(events):
    """Tracks without hits have empty images; hits without tracks make none."""
    one = rich_images(_chunk(2, hits=events.hits), GEOMETRY, BOTH)
    assert (len(one[0]), one[1]["events read"], one[1]["kept"]) == (0, 2, 0)
    images, counts = rich_images(_chunk(3, tracks=events.tracks), GEOMETRY, BOTH)
    assert counts["kept"] == len(images) > 0
    assert images.views["rich2"].pixel.size == 0
    for n in (0, 1):
        images, counts = rich_images(_chunk(n), GEOMETRY, BOTH)
        assert len(images) == 0
        assert images.views["rich1"].value.shape == (0, 1)
        assert set(counts.values()) <= {0, 1}


def test_too_many_hits_on_a_panel_name_the_event(events):
    position = from_plane(GEOMETRY["rich1"], np.zeros((70000, 2)), np.zeros(70000, np.int8))
    hits = {
        "position": position.astype(np.float32),
        "rich": np.ones(70000, np.int8),
        "panel": np.zeros(70000, np.int8),
    }
    with pytest.raises(InputError, match=r"event 0:0:0: 70000 hits on one panel of rich1.*65535"):
        rich_images(_chunk(1, events.tracks, hits), GEOMETRY, SETTINGS)


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_panel_points_are_plane_coordinates_by_panel(rich):
    rng = np.random.default_rng(3)
    geometry = GEOMETRY[rich]
    panel = rng.integers(-1, 2, 500).astype(np.int8)
    point = from_plane(geometry, rng.uniform(-300, 300, (500, 2)), panel).astype(np.float32)
    offsets = np.array([0, 100, 100, 420, 500])
    found = panel_points(geometry, point, panel, offsets)
    expected = plane_coordinates(geometry, point, panel)
    np.testing.assert_allclose(found.plane, expected[found.index], atol=2e-4)
    for group in range(8):
        rows = found.index[found.offsets[group] : found.offsets[group + 1]]
        event = np.arange(*offsets[group // 2 : group // 2 + 2])
        np.testing.assert_array_equal(rows, event[panel[event] == group % 2])


def test_merge_of_nothing():
    nothing = Sparse(np.zeros(1, np.int64), np.empty(0, np.uint16), np.empty((0, 1), np.uint16))
    assert len(merge_channels([nothing.take(np.empty(0, np.int64))] * 2)) == 0


def test_what_is_off_the_photon_plane_is_named_with_its_event(events):
    hits = {name: column.copy() for name, column in events.hits.items()}
    row = int(events.hit_offsets[3]) + int(np.argmax(hits["rich"][events.hit_offsets[3] :] == 1))
    hits["position"][row, 2] += 400
    event = int(np.searchsorted(events.hit_offsets, row, "right")) - 1
    own = row - events.hit_offsets[event]
    key = events.key[event]
    name = f"event {key['run']}:{key['subrun']}:{key['event']}: hit {own} lies "
    with pytest.raises(InputError) as error:
        rich_images(replace(events, hits=hits), GEOMETRY, SETTINGS)
    assert name in str(error.value)
    assert "and 1 of " in str(error.value)
    assert "selection" in str(error.value)
