import numpy as np
import pytest

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.bootstrap import draw, ratio
from hepcnn.performance.clusters import EventConfusion, design_effect, widened
from hepcnn.performance.confusion import Confusion, class_weights, mixture_for
from hepcnn.performance.intervals import CLOPPER_PEARSON, clopper_pearson

KAON, PION = SPECIES.index("kaon"), SPECIES.index("pion")


def events(rng, n_events, tracks, width):
    """Tracks by event, and those that pass: with a probability of the event's own."""
    total = rng.poisson(tracks, n_events)
    p = np.full(n_events, 0.8)
    if width:
        shape = 0.8 * 0.2 / width**2 - 1
        p = rng.beta(0.8 * shape, 0.2 * shape, n_events)
    return rng.binomial(total, p).astype(float), total.astype(float)


def found(passing, total):
    return clopper_pearson(passing.sum(axis=0), total.sum(axis=0))


def test_one_track_an_event_is_the_binomial_interval_bit_by_bit():
    rng = np.random.default_rng(1)
    total = np.ones((300, 4))
    passing = (rng.random((300, 4)) < [0.1, 0.5, 0.9, 0]).astype(float)
    plain = found(passing, total)
    assert widened(plain, passing, total) is plain
    # Unmeasured: the formula gives 1 there too, but for rounding.
    mean = passing.mean(axis=0)[:3]
    squares = ((passing[:, :3] - mean) ** 2).sum(axis=0)
    design = squares / (300 * mean * (1 - mean))
    assert design == pytest.approx(np.ones(3))


def test_the_design_effect_is_that_of_the_intraclass_correlation():
    """Of n tracks in each event with a correlation ρ it is 1 + (n − 1) ρ (Kish 1965)."""
    rng = np.random.default_rng(2)
    n_events, n, width = 20000, 25, 0.1
    total = np.full(n_events, float(n))
    shape = 0.16 / width**2 - 1
    passing = rng.binomial(n, rng.beta(0.8 * shape, 0.2 * shape, n_events)).astype(float)
    rho = width**2 / 0.16
    expected = 1 + (n - 1) * rho
    assert design_effect(found(passing, total), passing, total) == pytest.approx(expected, rel=0.05)


def test_it_is_the_bootstrap_of_events():
    rng = np.random.default_rng(3)
    passing, total = events(rng, 400, 30, 0.12)
    plain = found(passing, total)
    wide = widened(plain, passing, total)
    sampled = ratio(draw(400, rng), passing, total).error
    assert wide.error == pytest.approx(sampled, rel=0.12)
    assert wide.error > 1.5 * plain.error
    assert (wide.n_pass, wide.n_total, wide.value) == (plain.n_pass, plain.n_total, plain.value)
    assert wide.method == f"{CLOPPER_PEARSON}, events as clusters"


@pytest.mark.parametrize("width", [0.0, 0.15])
def test_intervals_cover_the_true_efficiency_at_their_level(width):
    """Binomial ones do not where tracks of an event pass together."""
    rng = np.random.default_rng(4)
    inside = {"plain": 0, "wide": 0}
    trials = 600
    for _ in range(trials):
        passing, total = events(rng, 60, 20, width)
        plain = found(passing, total)
        for name, p in (("plain", plain), ("wide", widened(plain, passing, total))):
            inside[name] += p.value - p.err_low <= 0.8 <= p.value + p.err_high
    share = {name: n / trials for name, n in inside.items()}
    spread = np.sqrt(0.6827 * 0.3173 / trials)
    assert share["wide"] > 0.6827 - 3 * spread
    assert share["wide"] < 0.6827 + 0.06
    assert (share["plain"] < 0.6827 - 3 * spread) == (width > 0)


def test_the_ends_and_one_event_are_as_for_independent_tracks():
    none, every = np.zeros((5, 1)), np.full((5, 1), 6.0)
    total = np.full((5, 1), 6.0)
    for passing in (none, every):
        plain = found(passing, total)
        wide = widened(plain, passing, total)
        assert (wide.err_low, wide.err_high) == (plain.err_low, plain.err_high)
        assert wide.err_low + wide.err_high > 0
    alone = np.array([[3.0]]), np.array([[10.0]])
    assert widened(found(*alone), *alone).error == found(*alone).error
    empty = np.zeros((4, 1)), np.zeros((4, 1))
    assert np.isnan(widened(found(*empty), *empty).error)


def test_no_interval_is_narrower_and_all_stay_within_0_and_1():
    rng = np.random.default_rng(5)
    for n_events, tracks in ((2, 3), (5, 2), (30, 4), (30, 40)):
        passing, total = events(rng, n_events, tracks, 0.1)
        passing, total = passing[:, None], total[:, None] + 1.0
        plain = found(passing, total)
        wide = widened(plain, passing, total)
        assert wide.err_low >= plain.err_low
        assert wide.err_high >= plain.err_high
        assert 0 <= wide.value - wide.err_low <= wide.value + wide.err_high <= 1


def confusions(setting, together=True):
    """Confusions of kaons and pions in events in which kaons are called rightly together."""
    rng = np.random.default_rng(6)
    event = np.repeat(np.arange(150), 20)
    label = rng.choice([KAON, PION], event.size, p=[0.4, 0.6]).astype(np.int16)
    good = rng.random(150)[event] if together else 0.5
    right = rng.random(event.size) < 0.6 + 0.35 * good
    called = np.where(right, label, KAON + PION - label).astype(np.int16)
    mixture = mixture_for(setting, label)
    given = (label, called, mixture, class_weights(label, mixture))
    return Confusion.of_decisions(*given), EventConfusion.of_events(event, *given), event, given


@pytest.mark.parametrize("setting", ["natural", "flat", {"kaon": 0.1, "pion": 0.9}])
def test_a_confusion_of_events_has_the_same_values_and_wider_intervals(setting):
    plain, wide, *_ = confusions(setting)
    sources = [SPECIES[PION] if name == "kaon" else "kaon" for name in SPECIES]
    for get in (
        lambda c: c.rates, lambda c: c.efficiency, lambda c: c.purity, lambda c: c.shares,
        lambda c: c.accuracy, lambda c: c.misid(sources),
        lambda c: c.rate("kaon", ("kaon", "proton")),
    ):  # fmt: skip
        one, other = get(plain), get(wide)
        np.testing.assert_array_equal(one.value, other.value)
        assert (np.nan_to_num(other.error) >= np.nan_to_num(one.error)).all()
    assert wide.accuracy.error > 1.1 * plain.accuracy.error
    kaon = wide.efficiency.error[KAON], plain.efficiency.error[KAON]
    assert kaon[0] > 1.1 * kaon[1]


@pytest.mark.parametrize("setting", ["natural", {"kaon": 0.1, "pion": 0.9}])
def test_purity_and_accuracy_have_the_error_of_a_bootstrap_of_events(setting):
    _, wide, event, (label, called, _, weights) = confusions(setting)
    w = weights[label]
    by = [np.bincount(event, w * which, 150) for which in ((called == label), np.ones(label.size))]
    sampled = ratio(draw(150, np.random.default_rng(7)), *by).error
    assert wide.accuracy.error == pytest.approx(sampled, rel=0.15)
    kaons = called == KAON
    by = [np.bincount(event, w * kaons * which, 150) for which in ((label == KAON), 1.0)]
    sampled = ratio(draw(150, np.random.default_rng(8)), *by).error
    assert wide.purity.error[KAON] == pytest.approx(sampled, rel=0.15)


def test_one_track_an_event_is_a_plain_confusion():
    _, _, _, given = confusions("natural")
    assert type(EventConfusion.of_events(np.arange(given[0].size), *given)) is Confusion
