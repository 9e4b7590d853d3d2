"""What the tracking writes down: tails, wrong lines, ghosts, decays that it follows."""

from itertools import pairwise

import numpy as np
import pytest

from hepcnn.config import PolarImages, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import OTHER
from hepcnn.imaging.rich import rich_images
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.simulation.rich.measure import measure_segment, sample_ghosts, sample_scale
from hepcnn.simulation.rich.rates import TAIL, WRONG_ANGLE, WRONG_POSITION
from hepcnn.simulation.rich.tracks import Segment, segment
from hepcnn.validation.rich.setup import IDEAL, QUIET

GEOMETRY = load_geometry("lhcb-run3")


def make(events=20, seed=1, **changes):
    settings = RichSimulation.model_validate({"tracks": 30, "tracks_spread": 0} | changes)
    return simulate_chunk(settings, GEOMETRY, np.random.default_rng(seed), events)


def straight(n):
    """The same segment in RICH1, n times."""
    direction = np.tile(np.array([0.05, 0.05, 1.0]) / np.sqrt(1.005), (n, 1))
    return segment(GEOMETRY["rich1"], np.zeros((n, 3)), direction)


def errors(n=50_000, **changes):
    """Errors of position (mm) and slope of measured 20 GeV tracks, (n, 2) each."""
    settings = RichSimulation.model_validate(IDEAL | changes)
    rng, true = np.random.default_rng(1), straight(n)
    scale = sample_scale(settings, n, rng)
    p = np.full(n, 2e4)
    found: Segment = measure_segment(settings, GEOMETRY["rich1"], true, p, scale, rng)
    slope = found.direction / found.direction[:, 2:]
    return (found.entry - true.entry)[:, :2], slope[:, :2] - 0.05


def test_the_tails_are_a_fraction_with_wider_errors():
    """Variance 1 + f (TAIL² − 1) of the core's; and as many beyond 3 σ as two Gaussians have."""
    core_position, core = errors()
    position, slope = errors(tracking_tails=0.1)
    sigma = core.std()
    assert sigma == pytest.approx(1e-3 * np.hypot(0.3, 4.5 / 20), rel=0.02)
    expected = np.sqrt(1 + 0.1 * (TAIL**2 - 1))
    assert slope.std() / sigma == pytest.approx(expected, rel=0.03)
    assert position.std() / core_position.std() == pytest.approx(expected, rel=0.03)
    beyond = (np.abs(slope) > 3 * sigma).mean()
    assert beyond == pytest.approx(0.9 * 0.0027 + 0.1 * 0.4533, abs=0.004)
    # The two projections, and the position, of one track are in the tails together.
    wide = np.abs(slope[:, 0]) > 4 * sigma
    assert slope[wide, 1].std() / sigma == pytest.approx(TAIL, rel=0.05)
    assert position[wide].std() / core_position.std() == pytest.approx(TAIL, rel=0.05)


def test_wrong_lines_are_off_by_far():
    position, slope = errors(misextrapolated=1.0)
    assert slope.std() == pytest.approx(WRONG_ANGLE, rel=0.02)
    assert position.std() == pytest.approx(WRONG_POSITION, rel=0.02)
    _, some = errors(misextrapolated=0.1)
    assert (np.abs(some) > 2e-3).any(axis=1).mean() == pytest.approx(0.1 * 0.904, abs=0.01)


def test_without_tracking_errors_there_are_no_tails():
    clean = {"tracking": False, "tracking_tails": 0.5, "misextrapolated": 0.5}
    position, slope = errors(n=100, **clean)
    np.testing.assert_allclose(position, 0)
    np.testing.assert_allclose(slope, 0, atol=1e-12)


def test_ghosts_are_tracks_of_no_particle():
    """As many as asked for, with PDG code 0, no light, and momenta of their own."""
    settings = {**QUIET, "tracks": 50, "mixture": {"pion": 1}}
    none, some = (make(events=200, **settings | {"ghosts": g}) for g in (0.0, 0.2))
    ghost = some.tracks["pdg"] == 0
    assert (none.tracks["pdg"] != 0).all()
    assert ghost.sum() / 200 == pytest.approx(10, rel=0.1)
    assert (~ghost).sum() / 200 == pytest.approx(50, rel=0.05)
    event = np.repeat(np.arange(200), np.diff(some.hit_offsets))
    own = some.hits["track"] >= 0
    assert own.all()
    assert not ghost[some.track_offsets[event] + some.hits["track"]].any()
    assert some.n_hits == pytest.approx(none.n_hits, rel=0.1)
    p = some.tracks["p"]
    assert np.median(p[ghost]) < 0.9 * np.median(p[~ghost])
    assert set(some.tracks["charge"][ghost]) == {-1, 1}
    assert np.isfinite(some.tracks["rich1_entry"][ghost, 0]).mean() > 0.7
    some.validate()


def test_ghosts_have_the_range_of_the_tracks_and_no_end_but_the_beginning():
    settings = RichSimulation(momentum_range=(3e3, 2e4))
    ghosts = sample_ghosts(settings, np.zeros(1000, np.int64), np.random.default_rng(1))
    assert ghosts.p.min() >= 3e3
    assert ghosts.p.max() <= 2e4
    line = segment(GEOMETRY["rich1"], ghosts.origin, ghosts.direction)
    assert line.crosses.any()
    assert not line.until(ghosts.end).crosses.any()


def test_ghosts_are_counted_and_of_no_class():
    events = make(ghosts=0.3)
    ghost = events.tracks["pdg"] == 0
    settings = PolarImages(sample="rich", rich=["rich1"], shape=(8, 8))
    images, counts = rich_images(events, GEOMETRY, settings)
    kept = images.truth["pdg"] == 0
    assert 0 < kept.sum() == counts["kept, of other species"] <= ghost.sum()
    assert (images.truth["species"][kept] == OTHER).all()
    assert (images.truth["species"][~kept] >= 0).all()


def test_the_tracking_follows_the_daughter_of_a_decay():
    """Pions: their truth stays; momentum, and line and light in RICH2, are the muon's."""
    alone = {**QUIET, "tracks": 60, "mixture": {"pion": 1}, "tracking": False,
             "spectrum": "flat", "momentum_range": (8000, 8001)}  # fmt: skip
    events = make(events=600, **{**alone, "decays": True})
    assert (np.abs(events.tracks["pdg"]) == 211).all()
    p = events.tracks["p"]
    muon = p < 7999
    # The largest kink is 4.8 mrad: none is lost of those that decay in the 5.2 m to the magnet,
    # of a mean path of 447 m (and, of lines at an angle, somewhat more).
    assert muon.mean() == pytest.approx(5.2 / 447, rel=0.3)
    assert (p[muon] > 0.57 * 8000).all()
    assert (events.hits["track"] >= 0).mean() > 0.97  # light of the few that are lost
    # The slower are bent more, and more of their light misses the panels: as of other muons.
    muons = make(events=50, **alone | {"mixture": {"muon": 1}, "momentum_range": (4560, 8000)})
    edges = np.linspace(4560, 8000, 6)
    light, momentum = light_in_rich2(muons), muons.tracks["p"]
    expected = [
        light[(momentum >= low) & (momentum < high)].mean() for low, high in pairwise(edges)
    ]
    place = np.searchsorted(edges, p[muon], side="right") - 1
    there = light_in_rich2(events)[muon]
    assert there.mean() == pytest.approx(np.take(expected, place, mode="clip").mean(), rel=0.25)


def light_in_rich2(events):
    """Photons of each track."""
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    own = (events.hits["track"] >= 0) & (events.hits["rich"] == 2)
    track = (events.track_offsets[event] + events.hits["track"])[own]
    return np.bincount(track, minlength=events.n_tracks)


def test_light_of_interacting_tracks_ends_in_rich2():
    """Long tracks that interact do so behind the stations: RICH1 is whole, RICH2 is not."""
    fast = {**QUIET, "tracks": 100, "mixture": {"proton": 1}, "spectrum": "flat",
            "momentum_range": (80e3, 90e3)}  # fmt: skip
    off, on = (make(events=200, **{**fast, "interactions": i}) for i in (False, True))
    ratio = []
    for number in (1, 2):
        own = [
            (e.hits["track"][e.hits["rich"] == number] >= 0).sum() / e.n_tracks for e in (off, on)
        ]
        ratio.append(own[1] / own[0])
    assert ratio[0] == pytest.approx(1, abs=0.02)
    assert 0.96 < ratio[1] < 0.995
    lost = (on.hits["track"] < 0).mean()
    assert 0.03 < lost < 0.15
