import numpy as np
import pytest

from hepcnn.config import ClassTask
from hepcnn.performance.classes.sample import select
from hepcnn.performance.classes.selection import CUTS, best_products, counts, scan, selection

TASK = ClassTask(images="planes", target="interaction", networks={"three": {}}, baselines=[])


def sampled(classified, label, scores=None, mixture="natural"):
    task = TASK.model_copy(update={"tables": TASK.tables.model_copy(update={"mixture": mixture})})
    return select([classified(task, "three", np.asarray(label), scores)], task, "lartpc")


@pytest.fixture
def known(classified):
    """νμ CC at .9, .7 and .3, background at .8 and .1 (posteriors at equal abundances)."""
    label = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 1]
    score = np.array([0.9, 0.7, 0.3, 0.8, 0.1, *[0.05] * 7])
    scores = np.column_stack([score, *[(1 - score) / 3] * 3])
    return sampled(classified, label, scores, "flat")


def test_efficiency_and_purity_of_a_cut_and_the_best_of_them(known):
    found = scan(known, "three")
    weights = {0: 1.0, 1: 1.0}  # three events each: alike in the flat mixture too
    for cut, (signal, background) in {0.74: (1, 1), 0.6: (2, 1), 0.2: (3, 1), 0.08: (3, 2)}.items():
        k = int(np.searchsorted(CUTS, cut))
        assert found.efficiency.value[0, k] == pytest.approx(signal / 3)
        purity = signal * weights[0] / (signal * weights[0] + background * weights[1])
        assert found.purity.value[0, k] == pytest.approx(purity)
    assert CUTS[found.best[0]] == 0.10
    assert float(found.product(0, int(found.best[0])).value) == pytest.approx(0.75)


def test_a_class_without_events_has_no_best_cut(classified):
    rows = selection(sampled(classified, [0, 1, 1, 0])).records()
    assert [row["class"] for row in rows if row["best"]] == ["numu_cc", "nue_cc"]


def test_an_event_at_the_cut_does_not_pass(classified):
    scores = np.array([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0]])
    sample = sampled(classified, [0, 1], scores)
    once = np.ones((1, 2), dtype=np.int16)
    passed = counts(sample, "three", 0, once)[0, 0, 1:]
    assert passed[CUTS < 0.5].tolist() == [1.0] * 25
    assert not passed[CUTS >= 0.5].any()


@pytest.mark.parametrize("mixture", ["natural", "flat", {"nue_cc": 0.2, "nc": 0.8}])
def test_the_bootstraps_best_product_is_the_scans_and_that_of_repeated_events(classified, mixture):
    rng = np.random.default_rng(2)
    label = rng.integers(0, 4, 200)
    sample = sampled(classified, label, mixture=mixture)
    found = scan(sample, "three")
    best = [found.product(i, int(k)).value for i, k in enumerate(found.best)]
    times = np.stack([np.ones(200), rng.integers(0, 3, 200)]).astype(np.int16)
    products = best_products(sample, "three", times)
    # A class that the mixture has none of is no part of the mean.
    assert products[0] == pytest.approx(np.mean(np.compress(sample.mixture.abundances > 0, best)))
    assert 0 < products[1] < 1
    if mixture == "flat":  # there the posterior does not depend on the sample's abundances
        again = np.repeat(np.arange(200), times[1])
        scores = sample.scores["three"][again]
        repeated = sampled(classified, label[again], scores, mixture)
        once = np.ones((1, len(again)), dtype=np.int16)
        assert best_products(repeated, "three", once)[0] == pytest.approx(products[1])


def test_a_class_that_is_never_called_is_worth_its_abundance(classified):
    """Its best selection is everything; above any cut there is nothing, and no purity."""
    scores = np.tile([0.0, 1, 0, 0], (4, 1))
    sample = sampled(classified, [0, 1, 1, 1], scores)
    found = scan(sample, "three")
    assert found.purity.value[0, 0] == 0.25
    assert np.isnan(found.purity.value[0, 1:]).all()
    assert found.best[0] == 0
    products = best_products(sample, "three", np.ones((1, 4), np.int16))
    assert products[0] == pytest.approx((0.25 + 0.75) / 2)


def test_the_interval_of_a_product_is_wide_where_little_is_known(classified):
    scores = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    found = scan(sampled(classified, [0, 1], scores), "three")
    sure = found.product(0, 10)
    assert (sure.value, sure.err_high) == (1, 0)
    assert sure.err_low > 0.9
