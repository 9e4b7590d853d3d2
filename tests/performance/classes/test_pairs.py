import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from hepcnn.config import ClassTask
from hepcnn.performance.classes.pairs import area, areas, pairs
from hepcnn.performance.classes.sample import select

scores = hnp.arrays(np.float64, st.integers(1, 30), elements=st.integers(-3, 3).map(float))


def once(values):
    return np.ones((1, len(values)), dtype=np.int16)


@given(scores, scores)
def test_the_area_is_the_chance_to_score_higher(one, other):
    value = areas(one, other, once(one), once(other))[0]
    truth = np.repeat([1, 0], [len(one), len(other)])
    assert value == pytest.approx(roc_auc_score(truth, np.concatenate([one, other])))
    assert areas(other, one, once(other), once(one))[0] == pytest.approx(1 - value)


def test_repeated_events_are_repeated():
    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 20), rng.normal(0, 1, 30)
    n_one, n_other = rng.integers(0, 3, (4, 20)), rng.integers(0, 3, (4, 30))
    found = areas(one, other, n_one, n_other)
    for value, i, j in zip(found, n_one, n_other, strict=True):
        a, b = np.repeat(one, i), np.repeat(other, j)
        assert value == pytest.approx(areas(a, b, once(a), once(b))[0])


@given(scores, scores)
def test_the_interval_lies_within_0_and_1_and_is_never_empty(one, other):
    found = area(one, other)
    assert -1e-12 <= found.value - found.err_low <= found.value
    assert found.value <= found.value + found.err_high <= 1 + 1e-12
    assert found.err_low + found.err_high > 0.01


def test_the_interval_covers_as_often_as_it_says():
    """Unit Gaussians 1.5 apart: the area is Φ(1.5/√2) = 0.8556; 68 % of intervals hold it."""
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(300):
        found = area(rng.normal(1.5, 1, 25), rng.normal(0, 1, 40))
        inside.append(found.value - found.err_low <= 0.8556 <= found.value + found.err_high)
    assert np.mean(inside) == pytest.approx(0.68, abs=0.08)


def test_no_event_of_a_class_has_no_area():
    found = area(np.zeros(0), np.ones(3))
    assert np.isnan([found.value, found.err_low, found.err_high]).all()


def test_the_table_has_every_ordered_pair_at_every_misid(classified):
    task = ClassTask(images="planes", target="particle", networks={"three": {}})
    label = np.random.default_rng(1).integers(0, 5, 1000)
    label[label == 3] = 2
    majority = np.ones((1000, 5))
    given = [
        classified(task, "three", label),
        classified(task, "majority", label, majority),
    ]
    table = pairs(select(given, task, "lartpc"), [0.05, 0.2])
    assert len(table.rows) == 2 * 20 * 2
    for method, one, other, under, asked, cut, efficiency, misid, note in table.rows:
        if "pion" in (one, other):
            assert note == "no true pion event"
            assert np.isnan(under.value)
        elif method == "majority":
            assert under.value == 0.5
            assert "not reachable" in note
        else:
            assert misid.value <= asked < 0.2 + 1e-9
            assert efficiency.value > asked
            assert cut == round(cut, 3)
            assert under.value > 0.85
