"""The likelihood's kernels against its formula, written out."""

import itertools

import numpy as np
import pytest
from straight_tracks import segments

from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.optics import from_plane
from hepcnn.detector.pixels import pixel_centres
from hepcnn.events.schema import EVENT_KEY, RICHES, RichEvents
from hepcnn.reconstruction.likelihood import (
    BELOW,
    HYPOTHESES,
    MIN_GAIN,
    PION,
    Signals,
    each_alone,
    maximise,
    total,
)
from hepcnn.reconstruction.steps import light, prepare

GEOMETRIES = {
    (name, rich): geometry
    for name in ("lhcb-run3", "lhcb-run1")
    for rich, geometry in load_geometry(name).items()
}


@pytest.fixture(params=range(5))
def problem(request):
    """Tracks that share hits: signals, expected photons and background."""
    rng = np.random.default_rng(request.param)
    tracks, hits = 4, 60
    rows, offsets = [], [0]
    for _ in range(tracks):
        rows.append(np.sort(rng.choice(hits, rng.integers(0, 30), replace=False)))
        offsets.append(offsets[-1] + len(rows[-1]))
    x = np.expm1(rng.exponential(0.2, (offsets[-1], 6)) * (rng.random((offsets[-1], 6)) < 0.6))
    hit = np.concatenate(rows).astype(np.int32)
    signals = Signals(np.array(offsets, np.int64), hit, x.astype(np.float32))
    return signals, rng.uniform(0, 8, (tracks, 6)), rng.uniform(1e-4, 0.3, hits)


def log_likelihood(signals, photons, background, choice):
    """Σ_hit ln(exp(ν) − 1) − Σ_j μ_j."""
    nu = background.copy()
    expected = 0.0
    for j, h in enumerate(choice):
        if h != BELOW:
            here = slice(signals.offsets[j], signals.offsets[j + 1])
            np.add.at(nu, signals.hit[here], np.log1p(signals.x[here, h].astype(float)))
            expected += photons[j, h]
    return np.log(np.expm1(nu)).sum() - expected


def test_each_track_alone_is_the_formula(problem):
    signals, photons, background = problem
    choice = np.array([3, BELOW, PION, 0], np.int8)
    nu = total(*signals, choice, len(background)) + background
    log = each_alone(*signals, photons, nu, choice)
    for j, h in itertools.product(range(4), range(7)):
        changed, pion = choice.copy(), choice.copy()
        changed[j], pion[j] = h, PION
        expected = log_likelihood(signals, photons, background, changed) - log_likelihood(
            signals, photons, background, pion
        )
        assert log[j, h] == pytest.approx(expected, abs=1e-5)


def test_the_search_ends_where_no_track_gains(problem):
    signals, photons, background = problem
    choice = np.full(4, PION, np.int8)
    nu = total(*signals, choice, len(background)) + background
    start = log_likelihood(signals, photons, background, choice)
    maximise(*signals, photons, nu, choice)
    end = log_likelihood(signals, photons, background, choice)
    assert end >= start
    for j, h in itertools.product(range(4), range(7)):
        changed = choice.copy()
        changed[j] = h
        assert log_likelihood(signals, photons, background, changed) < end + MIN_GAIN + 1e-4
    # Of all 7⁴ combinations hardly one is better.
    every = [
        log_likelihood(signals, photons, background, c)
        for c in itertools.product(range(7), repeat=4)
    ]
    assert np.count_nonzero(np.array(every) > end + MIN_GAIN) <= 10


def test_tracks_without_light_stay_pions():
    nothing = Signals(np.zeros(4, np.int64), np.empty(0, np.int32), np.empty((0, 6), np.float32))
    choice = np.full(3, PION, np.int8)
    maximise(*nothing, np.zeros((3, 6)), np.empty(0), choice)
    assert (choice == PION).all()
    none = np.empty(0, np.int8)
    maximise(np.zeros(1, np.int64), *nothing[1:], np.zeros((0, 6)), np.empty(0), none)
    log = each_alone(*nothing, np.zeros((3, 6)), np.empty(0), choice)
    np.testing.assert_array_equal(log, 0)


def every_pixel(geometry, rich, n_tracks, p):
    """Tracks over the acceptance, in an event in which every pixel is hit."""
    entry, direction, exit = segments(geometry, n_tracks, np.random.default_rng(3))
    centre, _ = pixel_centres(geometry)
    position = np.concatenate(
        [from_plane(geometry, centre, np.full(len(centre), side, np.int8)) for side in (0, 1)]
    )
    tracks = {"p": np.full(len(entry), p, np.float32)}
    for part, vector in (("entry", entry), ("direction", direction), ("exit", exit)):
        tracks[f"{rich}_{part}"] = vector.astype(np.float32)
    hits = {
        "position": position.astype(np.float32),
        "rich": np.full(len(position), RICHES.index(rich) + 1, np.int8),
        "panel": np.repeat(np.array([0, 1], np.int8), len(centre)),
    }
    ends = np.array([0, len(entry)]), np.array([0, len(position)])
    return RichEvents(np.zeros(1, EVENT_KEY), ends[0], tracks, ends[1], hits)


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_signals_in_all_pixels_sum_to_the_expected_photons(key):
    """Σ_i a_ij = μ_j, on the average and for each track; also with the large gaps of Run 1."""
    _, rich = key
    events = every_pixel(GEOMETRIES[key], rich, 80, 4e4)
    part = prepare(events, GEOMETRIES[key], rich, 0.064)
    lit = light(part, 0, slice(0, events.n_tracks)).signals
    track = np.repeat(np.arange(events.n_tracks), np.diff(lit.offsets))
    for species in ("pion", "kaon"):
        h = HYPOTHESES.index(species)
        sums = np.bincount(track, np.log1p(lit.x[:, h].astype(float)), events.n_tracks)
        photons = part.expected.photons[:, h]
        assert sums.sum() == pytest.approx(photons.sum(), rel=0.02)
        np.testing.assert_allclose(sums, photons, rtol=0.15)
