import numpy as np
import pytest

from hepcnn.config import ClassTask
from hepcnn.performance.classes.merits import bootstrap, comparison, mcnemar, merit_names
from hepcnn.performance.classes.sample import select
from hepcnn.performance.classes.selection import scan

TASK = ClassTask(
    images="planes", target="particle", networks={"three": {}, "twin": {}}, baselines=["majority"]
)


def compared(classified, label, seed=1, **given):
    """The sample, its figures of merit, and the rows of the comparison by figure and methods."""
    predictions = [classified(TASK, m, label, **kwargs) for m, kwargs in given.items()]
    sample = select(predictions, TASK, "lartpc")
    merits = bootstrap(sample, np.random.default_rng(seed))
    rows = comparison(sample, merits).rows
    return sample, merits, {(r[0], r[1], r[2]): r for r in rows}


@pytest.fixture(scope="module")
def label():
    return np.random.default_rng(5).integers(0, 5, 800)


def test_figures_are_those_of_the_other_tables(classified, label):
    sample, merits, _ = compared(classified, label, three={})
    accuracy, balanced, product, area = merits["three"].numbers
    assert accuracy.value == pytest.approx(float(sample.confusion("three").accuracy.value))
    flat = sample.confusion("three", sample.mixture_of("flat")).accuracy
    assert balanced.value == pytest.approx(float(flat.value))
    found = scan(sample, "three")
    best = [found.product(i, int(k)).value for i, k in enumerate(found.best)]
    assert product.value == pytest.approx(np.mean(best))
    assert 0.8 < area.value < 1
    # Events are independent: bootstrapping them gives the binomial error.
    assert accuracy.err_low == pytest.approx(
        float(sample.confusion("three").accuracy.error), rel=0.2
    )


def test_a_method_and_itself_differ_by_0(classified, label):
    scores = classified(TASK, "three", label).scores
    same = {"three": {"scores": scores}, "twin": {"scores": scores}}
    _, _, rows = compared(classified, label, **same)
    assert len(rows) == len(merit_names(select([classified(TASK, "three", label)], TASK, "lartpc")))
    for *_, difference, sigma, _, better, only_one, only_other, p in rows.values():
        assert (difference.value, difference.err_low, sigma, better) == (0, 0, 0, "–")
        assert np.isnan(p) or (only_one, only_other, p) == (0, 0, 1)


def test_what_is_better_is_found_better_by_every_figure(classified, label):
    majority = np.ones((len(label), 5))
    given = {"three": {"power": 3.0}, "twin": {"power": 1.5}, "majority": {"scores": majority}}
    sample, _, rows = compared(classified, label, **given)
    assert len(rows) == 3 * len(merit_names(sample))
    for (figure, one, other), row in rows.items():
        assert row[8] == one, (figure, one, other)
        if figure == "accuracy":
            n, m, p = row[9:]
            assert n - m == pytest.approx(row[5].value * len(label))
            assert p < 1e-6
    area = rows["area under the electron/photon curve", "twin", "majority"]
    assert area[4].value == 0.5
    product = rows["mean best efficiency × purity", "twin", "majority"]
    assert product[4].value == pytest.approx(0.2)


def test_a_pair_that_is_told_apart_only_by_one(classified, label):
    """The e/γ curve alone improves where only electrons and photons are told apart better."""
    blind = classified(TASK, "three", label).scores.astype(float)
    blind[:, :2] = blind[:, :2].mean(axis=1, keepdims=True)
    _, _, rows = compared(classified, label, three={}, twin={"scores": blind})
    area = rows["area under the electron/photon curve", "three", "twin"]
    assert area[4].value == 0.5
    assert area[8] == "three"


def test_mcnemar_is_the_exact_binomial_test():
    one = np.array([1, 1, 1, 1, 1, 0, 0, 1], dtype=bool)
    other = np.array([0, 0, 0, 0, 0, 1, 0, 1], dtype=bool)
    # Of 6 that differ 5 go one way: 2 (1 + 6)/64.
    assert mcnemar(one, other) == (5, 1, pytest.approx(14 / 64))
    assert mcnemar(one, one) == (0, 0, 1.0)
