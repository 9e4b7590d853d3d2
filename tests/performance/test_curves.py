import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.curves import at_cut, at_misid, log_ratio, roc

FLAT = np.full(6, 1 / 6)
scores = hnp.arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.floats(-20, 20), st.sampled_from([0.0, 1.5, np.inf, -np.inf])),
)


def ratio(p, prior, first="kaon", second="pion"):
    return log_ratio(p, prior, SPECIES.index(first), SPECIES.index(second))


def test_nndllk_divides_the_prior_out():
    likelihood = np.array([[1, 1, 2, 6, 1, 1], [1, 1, 8, 2, 1, 1]], dtype=float)
    for prior in (FLAT, np.array([0.02, 0.01, 0.77, 0.12, 0.07, 0.01])):
        p = likelihood * prior
        p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
        np.testing.assert_allclose(ratio(p, prior), np.log([3, 0.25]), atol=2e-6)


def test_nndllk_of_zeros():
    p = np.zeros((4, 6), dtype=np.float32)
    p[0, 3] = 1  # surely K
    p[1, 2] = 1  # surely π
    p[2, 4] = 1  # surely neither
    p[3, 2:4] = 0.5
    assert ratio(p, FLAT).tolist() == [np.inf, -np.inf, -np.inf, 0]


def test_nndllk_of_a_constant_score_is_constant():
    prior = np.array([0.025, 0.008, 0.776, 0.12, 0.07, 0.001])
    assert set(ratio(np.tile(prior, (5, 1)).astype(np.float32), prior)) == {0.0}


def test_a_prior_without_kaons_knows_nothing_of_them():
    prior = np.array([0, 0, 1, 0, 0, 0.0])
    assert ratio(np.tile(prior, (3, 1)).astype(np.float32), prior).tolist() == [0, 0, 0]


@given(scores, scores)
def test_roc_rises_from_0_to_1_and_matches_counting(kaons, pions):
    curve = roc(kaons, pions)
    assert (curve.misid[0], curve.efficiency[0]) == (0, 0)
    assert (curve.misid[-1], curve.efficiency[-1]) == (1, 1)
    assert (np.diff(curve.misid) >= 0).all()
    assert (np.diff(curve.efficiency) >= 0).all()
    for misid, efficiency, score in zip(*(a[1:] for a in vars(curve).values()), strict=True):
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
    assert roc(kaons, pions).efficiency_at(0.05) == pytest.approx(0.639, abs=0.004)


def test_a_constant_score_has_no_working_point_and_the_diagonal():
    kaons, pions = np.zeros(50), np.zeros(200)
    point = at_misid(kaons, pions, 0.05)
    assert point.note == "not reachable: 200 of 200 pions share the highest score"
    assert roc(kaons, pions).efficiency_at(0.05) == pytest.approx(0.05)


def test_a_vertical_step_of_the_curve_is_worth_its_top():
    """Kaons all above pions: 100 % efficiency at no misID."""
    curve = roc(np.array([5.0, 6.0]), np.array([1.0, 2.0]))
    assert curve.efficiency_at(0) == 1
    assert curve.efficiency_at(0.3) == 1


def test_a_ratio_of_any_two_species():
    """Proton against kaon, 2 to 1 at equal abundances, whatever the prior and the other species."""
    prior = np.array([0.1, 0.1, 0.5, 0.2, 0.1, 0.0])
    p = np.array([[0.1, 0.1, 0.4, 0.2, 0.2, 0]], dtype=np.float32)
    assert ratio(p, prior, "proton", "kaon") == pytest.approx(np.log(2))
    assert ratio(p, prior, "kaon", "proton") == pytest.approx(-np.log(2))
    assert ratio(p, prior, "deuteron", "proton").tolist() == [0]


@pytest.mark.parametrize(("kaons", "pions", "note"), [([], [1.0], "kaon"), ([1.0], [], "pion")])
def test_without_kaons_or_pions_there_is_no_number(kaons, pions, note):
    kaons, pions = np.array(kaons), np.array(pions)
    assert at_misid(kaons, pions, 0.1).note == f"no true {note}"
    assert np.isnan(roc(kaons, pions).efficiency_at(0.1))
    assert at_misid(kaons, pions, 0.1, ("muon", "pion")).note == f"no true {note}".replace(
        "kaon", "muon"
    )
    cut = at_cut(kaons, pions, 0)
    assert np.isnan(cut.efficiency.value) == (note == "kaon")
