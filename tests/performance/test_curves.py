import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepcnn.performance.curves import Ranking, at_cut, at_misid, nndllk

FLAT = np.full(6, 1 / 6)
scores = hnp.arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.floats(-20, 20), st.sampled_from([0.0, 1.5, np.inf, -np.inf])),
)


def test_nndllk_divides_the_prior_out():
    likelihood = np.array([[1, 1, 2, 6, 1, 1], [1, 1, 8, 2, 1, 1]], dtype=float)
    for prior in (FLAT, np.array([0.02, 0.01, 0.77, 0.12, 0.07, 0.01])):
        p = likelihood * prior
        p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
        np.testing.assert_allclose(nndllk(p, prior), np.log([3, 0.25]), atol=2e-6)


def test_nndllk_of_zeros():
    p = np.zeros((4, 6), dtype=np.float32)
    p[0, 3] = 1  # surely K
    p[1, 2] = 1  # surely π
    p[2, 4] = 1  # surely neither
    p[3, 2:4] = 0.5
    assert nndllk(p, FLAT).tolist() == [np.inf, -np.inf, -np.inf, 0]


def test_nndllk_of_a_constant_score_is_constant():
    prior = np.array([0.025, 0.008, 0.776, 0.12, 0.07, 0.001])
    assert set(nndllk(np.tile(prior, (5, 1)).astype(np.float32), prior)) == {0.0}


def test_a_prior_without_kaons_knows_nothing_of_them():
    prior = np.array([0, 0, 1, 0, 0, 0.0])
    assert nndllk(np.tile(prior, (3, 1)).astype(np.float32), prior).tolist() == [0, 0, 0]


@given(scores, scores)
def test_roc_rises_from_0_to_1_and_matches_counting(kaons, pions):
    roc = Ranking(kaons, pions).roc()
    assert (roc.misid[0], roc.efficiency[0]) == (0, 0)
    assert roc.misid[-1] == pytest.approx(1)
    assert roc.efficiency[-1] == pytest.approx(1)
    assert (np.diff(roc.misid) >= 0).all()
    assert (np.diff(roc.efficiency) >= 0).all()
    for misid, efficiency, score in zip(*(a[1:] for a in vars(roc).values()), strict=True):
        assert misid == pytest.approx(np.mean(pions >= score))
        assert efficiency == pytest.approx(np.mean(kaons >= score))


@given(scores, scores, st.floats(0, 1))
def test_a_working_point_never_exceeds_its_misid_and_is_what_its_cut_does(kaons, pions, misid):
    point = at_misid(kaons, pions, misid)
    if point.note:
        assert np.isnan(point.cut)
        assert np.isnan(point.efficiency.value)
        return
    assert point.misid.n_pass <= misid * len(pions) + 1e-6
    assert point.efficiency.n_pass == np.count_nonzero(kaons > point.cut)
    assert point.misid.n_pass == np.count_nonzero(pions > point.cut)
    if np.isfinite(point.cut):
        assert round(point.cut, 3) == point.cut


@given(scores, scores, st.floats(0, 1))
def test_the_cut_is_the_loosest(kaons, pions, misid):
    point = at_misid(kaons, pions, misid)
    if np.isfinite(point.cut):
        looser = round(point.cut - 0.002, 3)
        assert np.count_nonzero(pions > looser) > misid * len(pions) - 1e-6


def test_known_gaussians():
    """Two unit Gaussians 2 apart: at 5 % misID the efficiency is Φ(2 − 1.645) = .639."""
    rng = np.random.default_rng(1)
    kaons, pions = rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)
    point = at_misid(kaons, pions, 0.05)
    assert point.cut == pytest.approx(1.645, abs=0.01)
    assert float(point.efficiency.value) == pytest.approx(0.639, abs=0.004)
    assert Ranking(kaons, pions).roc().efficiency_at(0.05) == pytest.approx(0.639, abs=0.004)


def test_a_constant_score_has_no_working_point_and_the_diagonal():
    kaons, pions = np.zeros(50), np.zeros(200)
    point = at_misid(kaons, pions, 0.05)
    assert point.note == "not reachable: 200 of 200 pions share the highest score"
    assert Ranking(kaons, pions).roc().efficiency_at(0.05) == pytest.approx(0.05)


def test_a_vertical_step_of_the_curve_is_worth_its_top():
    """Kaons all above pions: 100 % efficiency at no misID."""
    roc = Ranking(np.array([5.0, 6.0]), np.array([1.0, 2.0])).roc()
    assert roc.efficiency_at(0) == 1
    assert roc.efficiency_at(0.3) == 1


def test_weights_are_repetitions():
    rng = np.random.default_rng(2)
    kaons, pions = rng.normal(1, 1, 40), rng.normal(0, 1, 60)
    wk, wp = rng.integers(0, 3, 40), rng.integers(0, 3, 60)
    weighted = Ranking(kaons, pions).roc(wk.astype(float), wp.astype(float))
    repeated = Ranking(np.repeat(kaons, wk), np.repeat(pions, wp)).roc()
    for misid in (0.01, 0.1, 0.5, 1.0):
        assert weighted.efficiency_at(misid) == pytest.approx(repeated.efficiency_at(misid))


@pytest.mark.parametrize(("kaons", "pions", "note"), [([], [1.0], "kaon"), ([1.0], [], "pion")])
def test_without_kaons_or_pions_there_is_no_number(kaons, pions, note):
    kaons, pions = np.array(kaons), np.array(pions)
    assert at_misid(kaons, pions, 0.1).note == f"no true {note}"
    assert np.isnan(Ranking(kaons, pions).roc().efficiency_at(0.1))
    cut = at_cut(kaons, pions, 0)
    assert np.isnan(cut.efficiency.value) == (note == "kaon")
