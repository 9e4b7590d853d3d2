"""The reconstruction of events: what it must find, and what must not change it."""

from dataclasses import replace

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import SPECIES, species_of
from hepcnn.errors import InputError
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.reconstruction.likelihood import HYPOTHESES, PION
from hepcnn.reconstruction.photons import photon_angles
from hepcnn.reconstruction.reconstruct import LARGEST_ANGLE, reconstruct
from hepcnn.reconstruction.steps import light, prepare, solve
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

RUN3 = load_geometry("lhcb-run3")
KAON = SPECIES.index("kaon")
QUIET = {"tracks_spread": 0, "unreconstructed": 0, "dark_hits": 0} | IDEAL


def made(events=3, seed=1, geometry=RUN3, **settings):
    return simulate_chunk(RichSimulation(**settings), geometry, np.random.default_rng(seed), events)


@pytest.fixture(scope="module")
def busy():
    """A few events as busy as they come."""
    return made(tracks=120, tracks_spread=0)


@pytest.fixture(scope="module")
def found(busy):
    return reconstruct(busy, RUN3, RICHES)


def crossing(events, *riches):
    return np.all([np.isfinite(events.tracks[f"{r}_entry"][:, 0]) for r in riches], axis=0)


def event_of_track(events):
    return np.repeat(np.arange(len(events)), np.diff(events.track_offsets))


def test_shapes_and_types(busy, found):
    n = busy.n_tracks
    for rich in RICHES:
        assert found.angle[rich].shape == found.photons[rich].shape == (n, 6)
        rows = found.candidates[rich]
        assert rows.offsets.shape == (n + 1,)
        assert rows.offsets[0] == 0
        m = rows.offsets[-1]
        assert rows.hit.shape == rows.theta.shape == rows.phi.shape == rows.other.shape == (m,)
        assert rows.hit.dtype == np.int32
        assert rows.other.dtype == np.float32
    for log in (found.log_local, found.log_global, found.log_marginal):
        assert log.shape == (n, 7)
        assert log.dtype == np.float32
        assert np.isfinite(log).all()
        assert (log[:, PION] == 0).all()


@pytest.mark.parametrize(
    ("species", "p"),
    [("electron", 5e3), ("pion", 8e3), ("kaon", 2e4), ("proton", 3e4), ("deuteron", 6e4)],
)
def test_a_single_track_is_what_it_is(species, p):
    """Where the RICHes tell the species apart, one track an event gets its own hypothesis."""
    events = made(
        40, tracks=1, mixture={species: 1}, spectrum="flat",
        momentum_range=(0.99 * p, 1.01 * p), **QUIET,
    )  # fmt: skip
    result = reconstruct(events, RUN3, RICHES)
    # The path in the gas is short at the edges, and some rings lie on both halves.
    bright = crossing(events, *RICHES)
    right = result.best[bright] == HYPOTHESES.index(species)
    assert bright.sum() > 10
    assert right.mean() > 0.95


def test_a_track_in_no_rich_is_not_known(busy):
    tracks = {name: column.copy() for name, column in busy.tracks.items()}
    for rich in RICHES:
        for part in ("entry", "direction", "exit"):
            tracks[f"{rich}_{part}"][5] = np.nan
    result = reconstruct(replace(busy, tracks=tracks), RUN3, RICHES)
    assert (result.log_local[5] == 0).all()
    assert (result.log_global[5] == 0).all()
    assert result.best[5] == PION
    for rich in RICHES:
        assert np.isnan(result.angle[rich][5]).all()
        assert (result.photons[rich][5] == 0).all()
        assert np.diff(result.candidates[rich].offsets)[5] == 0


def without_hits(events):
    none = {name: column[:0] for name, column in events.hits.items()}
    return replace(events, hit_offsets=np.zeros_like(events.hit_offsets), hits=none)


def test_without_hits_no_light_is_likelier_the_more_is_expected(busy):
    result = reconstruct(without_hits(busy), RUN3, RICHES)
    expected = sum(result.photons[rich].astype(float) for rich in RICHES)
    np.testing.assert_allclose(result.log_global[:, :6], expected[:, [PION]] - expected, atol=1e-3)
    np.testing.assert_allclose(result.log_global[:, 6], expected[:, PION], atol=1e-3)


def test_empty_events_and_chunks(busy):
    nothing = busy.part(0, 0)
    assert reconstruct(nothing, RUN3, RICHES).best.shape == (0,)
    no_tracks = RichEvents(
        busy.key,
        np.zeros_like(busy.track_offsets),
        {name: column[:0] for name, column in busy.tracks.items()},
        busy.hit_offsets,
        busy.hits,
    )
    result = reconstruct(no_tracks, RUN3, RICHES)
    assert result.log_global.shape == (0, 7)
    assert result.candidates["rich1"].offsets.tolist() == [0]


def test_events_do_not_know_of_each_other(busy, found):
    alone = reconstruct(busy.part(1, 2), RUN3, RICHES)
    here = event_of_track(busy) == 1
    np.testing.assert_array_equal(alone.best, found.best[here])
    np.testing.assert_allclose(alone.log_global, found.log_global[here], atol=1e-4)
    first = busy.hit_offsets[1]
    start, stop = found.candidates["rich1"].offsets[busy.track_offsets[1:3]]
    np.testing.assert_array_equal(
        alone.candidates["rich1"].hit, found.candidates["rich1"].hit[start:stop] - first
    )


def test_the_order_of_hits_does_not_matter(busy, found):
    rng = np.random.default_rng(5)
    event = np.repeat(np.arange(len(busy)), np.diff(busy.hit_offsets))
    order = np.lexsort((rng.random(busy.n_hits), event))
    shuffled = replace(busy, hits={name: column[order] for name, column in busy.hits.items()})
    result = reconstruct(shuffled, RUN3, RICHES)
    np.testing.assert_array_equal(result.best, found.best)
    np.testing.assert_allclose(result.log_global, found.log_global, atol=1e-2)
    one, two = found.candidates["rich2"], result.candidates["rich2"]
    np.testing.assert_array_equal(one.offsets, two.offsets)
    track = np.repeat(np.arange(busy.n_tracks), np.diff(one.offsets))
    back = np.lexsort((order[two.hit], track))
    same = np.lexsort((one.hit, track))
    np.testing.assert_array_equal(one.hit[same], order[two.hit][back])
    np.testing.assert_allclose(one.other[same], two.other[back], rtol=1e-3)


def test_two_hits_in_a_pixel_count_once(busy, found):
    """Every third hit is there twice."""
    event = np.repeat(np.arange(len(busy)), np.diff(busy.hit_offsets))
    rows = np.sort(np.concatenate([np.arange(busy.n_hits), np.arange(0, busy.n_hits, 3)]))
    doubled = replace(
        busy,
        hits={name: column[rows] for name, column in busy.hits.items()},
        hit_offsets=np.searchsorted(event[rows], np.arange(len(busy) + 1)),
    )
    result = reconstruct(doubled, RUN3, RICHES)
    np.testing.assert_array_equal(result.best, found.best)
    np.testing.assert_allclose(result.log_global, found.log_global, atol=1e-3)
    # All of them are candidates, and expect the same from the other tracks.
    one, two = found.candidates["rich1"], result.candidates["rich1"]
    twice = np.repeat(np.arange(len(one.hit)), 1 + (one.hit % 3 == 0))
    np.testing.assert_array_equal(rows[two.hit], one.hit[twice])
    np.testing.assert_allclose(two.other, one.other[twice], rtol=1e-3)


def test_the_order_of_tracks_does_not_matter(busy, found):
    rng = np.random.default_rng(6)
    order = np.lexsort((rng.random(busy.n_tracks), event_of_track(busy)))
    shuffled = replace(busy, tracks={name: column[order] for name, column in busy.tracks.items()})
    result = reconstruct(shuffled, RUN3, RICHES)
    np.testing.assert_array_equal(result.best, found.best[order])
    np.testing.assert_allclose(result.log_local, found.log_local[order], atol=1e-2)
    np.testing.assert_allclose(result.log_global, found.log_global[order], atol=1e-2)


@pytest.mark.parametrize("rich", RICHES)
def test_the_halves_are_mirror_images(busy, rich):
    axis = RUN3[rich].split
    tracks = {name: column.copy() for name, column in busy.tracks.items()}
    for part in ("entry", "direction", "exit"):
        tracks[f"{rich}_{part}"][:, axis] *= -1
    hits = {name: column.copy() for name, column in busy.hits.items()}
    hits["position"][:, axis] *= -1
    hits["panel"] = (1 - hits["panel"]).astype(np.int8)
    one = reconstruct(busy, RUN3, [rich])
    two = reconstruct(replace(busy, tracks=tracks, hits=hits), RUN3, [rich])
    np.testing.assert_array_equal(one.best, two.best)
    np.testing.assert_allclose(one.log_global, two.log_global, atol=2e-2)


def test_candidates_are_the_photons_of_the_quartic(busy, found):
    for rich in RICHES:
        rows = found.candidates[rich]
        track = np.repeat(np.arange(busy.n_tracks), np.diff(rows.offsets))
        assert (busy.hits["rich"][rows.hit] == RICHES.index(rich) + 1).all()
        assert (rows.theta < LARGEST_ANGLE[rich]).all()
        entry, direction, exit = (
            busy.tracks[f"{rich}_{part}"][track].astype(float)
            for part in ("entry", "direction", "exit")
        )
        theta, phi = photon_angles(
            RUN3[rich],
            (entry + exit) / 2,
            direction,
            busy.hits["position"][rows.hit],
            busy.hits["panel"][rows.hit],
        )
        np.testing.assert_allclose(rows.theta, theta, atol=1e-8)
        np.testing.assert_allclose(rows.phi, phi, atol=1e-6)


def test_what_others_make_expect_is_all_but_the_track(busy, found):
    """The background, and the signals of all other tracks, each at its own hypothesis."""
    event, n_hits = 1, busy.n_hits
    tracks = slice(*busy.track_offsets[event : event + 2])
    chunks = {rich: prepare(busy, RUN3[rich], rich, LARGEST_ANGLE[rich]) for rich in RICHES}
    lit = {rich: light(chunk, event, tracks) for rich, chunk in chunks.items()}
    solution = solve(chunks, lit, event, tracks)
    for rich, chunk in chunks.items():
        hit = chunk.hit[chunk.hits(event)]
        signal = np.zeros((tracks.stop - tracks.start, n_hits))
        offsets, number, x = lit[rich].signals
        for j, choice in enumerate(solution.choice):
            if HYPOTHESES[choice] != "below":
                own = slice(offsets[j], offsets[j + 1])
                signal[j, hit[number[own]]] = np.log1p(x[own, choice])
        background = np.zeros(n_hits)
        background[hit] = solution.background[rich]
        rows = found.candidates[rich]
        for j in range(len(signal)):
            own = slice(*rows.offsets[tracks.start + j : tracks.start + j + 2])
            expected = background + np.delete(signal, j, axis=0).sum(axis=0)
            np.testing.assert_allclose(rows.other[own], expected[rows.hit[own]], rtol=1e-5)
        assert (signal > 0).sum(axis=0).max() > 2  # tracks share pixels


def test_the_largest_angle_only_cuts_the_candidates(busy, found):
    small = reconstruct(busy, RUN3, RICHES, {"rich1": 0.03, "rich2": 0.02})
    np.testing.assert_array_equal(small.log_global, found.log_global)
    below = found.candidates["rich1"].theta < 0.03
    np.testing.assert_array_equal(
        small.candidates["rich1"].hit, found.candidates["rich1"].hit[below]
    )
    assert small.candidates["rich1"].offsets[-1] == below.sum()


def test_two_riches_add_up():
    """Of one track alone, without background, ln L is the sum of the RICHes'."""
    events = made(30, tracks=1, momentum_range=(2e4, 6e4), spectrum="flat", **QUIET)
    both = reconstruct(events, RUN3, RICHES, background=False)
    each = [reconstruct(events, RUN3, [rich], background=False) for rich in RICHES]
    np.testing.assert_allclose(
        both.log_local, sum(one.log_local for one in each), rtol=1e-4, atol=1e-3
    )


def kaon_efficiency(log, species, misid):
    """Fraction of the kaons above the cut that so many pions pass."""
    delta = log[:, KAON].astype(float)
    cut = np.quantile(delta[species == PION], 1 - misid)
    return (delta[species == KAON] > cut).mean()


def test_the_global_likelihood_beats_the_local_one_in_busy_events():
    """Where most of a track's background is other tracks that are known."""
    events = made(
        20, seed=7, tracks=300, tracks_spread=0, unreconstructed=0.2, momentum_range=(3e3, 4e4),
        **IDEAL,
    )  # fmt: skip
    result = reconstruct(events, RUN3, RICHES)
    species = species_of(events.tracks["pdg"])
    seen = crossing(events, "rich1")
    for misid in (0.01, 0.03):
        local, final = (
            kaon_efficiency(log[seen], species[seen], misid)
            for log in (result.log_local, result.log_global)
        )
        assert local > 0.8
        assert final > local + 0.01
    kaon = seen & (species == KAON)
    wrong = [(log[kaon].argmax(1) != KAON).mean() for log in (result.log_local, result.log_global)]
    assert wrong[1] < wrong[0]


def test_tracks_of_which_only_the_projection_is_known_are_refused(busy):
    tracks = {k: v for k, v in busy.tracks.items() if not k.startswith("rich2")}
    tracks["rich2_projection"] = busy.tracks["rich2_exit"]
    events = replace(busy, tracks=tracks)
    with pytest.raises(InputError, match="track_rich2_entry_x"):
        reconstruct(events, RUN3, RICHES)
    reconstruct(events.part(0, 1), RUN3, ["rich1"])


def test_hits_off_the_panels_are_refused(busy):
    hits = {name: column.copy() for name, column in busy.hits.items()}
    for event, bad in ((1, 2), (2, 1)):
        hits["position"][busy.hit_offsets[event] + np.arange(bad), 0] = 1e4
    with pytest.raises(InputError, match=r"event \d+:\d+:1: 2 hits in rich1 are not on a panel"):
        reconstruct(replace(busy, hits=hits), RUN3, RICHES)


def test_an_event_of_nothing_but_noise_favours_no_light():
    """Tracks whose light is not there, between many dark hits."""
    events = made(10, tracks=20, tracks_spread=0, unreconstructed=0, dark_hits=3000,
                  momentum_range=(2e4, 6e4), spectrum="flat")  # fmt: skip
    dark = events.hits["track"] < 0
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    noise = replace(
        events,
        hit_offsets=np.searchsorted(event[dark], np.arange(len(events) + 1)),
        hits={name: column[dark] for name, column in events.hits.items()},
    )
    result = reconstruct(noise, RUN3, RICHES)
    lit = sum(result.photons[rich][:, PION] for rich in RICHES) > 15
    assert (result.log_global[lit, 6] > 0).mean() > 0.98
