import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepcnn.detector.particles import OTHER, SPECIES
from hepcnn.errors import InputError
from hepcnn.performance.confusion import (
    Confusion,
    Mixture,
    class_weights,
    decide,
    mixture_for,
    posterior,
)
from hepcnn.performance.pid.tables import MISID_FROM
from hepcnn.performance.tally import Tally

X = len(SPECIES)
index = SPECIES.index
FLAT = np.full(6, 1 / 6)
matrices = hnp.arrays(np.int64, (7, 7), elements=st.integers(0, 40)).filter(
    lambda m: m[:6].sum() > 0
)


def confused(label, called, setting="natural"):
    label = np.asarray(label, dtype=np.int16)
    mixture = mixture_for(setting, label)
    return Confusion.of_decisions(label, called, mixture, class_weights(label, mixture))


def tracks_of(matrix):
    """Labels and decisions with these counts."""
    true, called = np.divmod(np.repeat(np.arange(49), matrix.ravel()), 7)
    return np.where(true == X, OTHER, true), np.where(called == X, OTHER, called)


@given(matrices)
def test_efficiency_is_the_diagonal_over_the_true_and_purity_over_the_called(matrix):
    confusion = confused(*tracks_of(matrix))
    assert (confusion.counts == matrix).all()
    with np.errstate(invalid="ignore"):
        diagonal = np.diagonal(matrix)[:6]
        np.testing.assert_equal(confusion.efficiency.value, diagonal / matrix[:6].sum(axis=1))
        np.testing.assert_equal(confusion.purity.value, diagonal / matrix[:, :6].sum(axis=0))
    assert confusion.accuracy.value == np.trace(matrix[:6, :6]) / matrix[:6].sum()
    assert confusion.shares.value.sum() == pytest.approx(1)


@given(matrices, st.randoms(use_true_random=False))
def test_the_order_of_tracks_does_not_matter(matrix, random):
    label, called = tracks_of(matrix)
    order = list(range(len(label)))
    random.shuffle(order)
    assert (confused(label[order], called[order]).counts == matrix).all()


@given(matrices)
def test_intervals_lie_within_0_and_1(matrix):
    for setting in ("natural", "flat"):
        confusion = confused(*tracks_of(matrix), setting)
        for p in (confusion.efficiency, confusion.rates, confusion.misid(SPECIES)):
            known = p.n_total > 0
            assert (p.value - p.err_low >= -1e-15)[known].all()
            assert (p.value + p.err_high <= 1 + 1e-15)[known].all()
            assert (p.err_low >= 0)[known].all()
            assert np.isnan(p.value[~known]).all()


def test_misid_is_of_true_pions_and_for_the_pion_of_true_kaons():
    matrix = np.zeros((7, 7), dtype=int)
    pion, kaon, proton = index("pion"), index("kaon"), index("proton")
    matrix[pion, [pion, kaon, proton]] = 90, 7, 3
    matrix[kaon, [pion, kaon]] = 5, 15
    misid = Confusion.of_matrix(matrix).misid([MISID_FROM[name] for name in SPECIES])
    assert (misid.value[kaon], misid.value[proton], misid.value[pion]) == (0.07, 0.03, 0.25)
    assert misid.n_total[kaon] == 100


def test_purity_in_a_flat_mixture_is_that_of_a_flat_sample():
    """90 % of 900 pions and 50 % of 100 kaons: called K, 90 of 140 are π; at 1:1, 1 in 6."""
    pion, kaon = index("pion"), index("kaon")
    label = np.repeat([pion, kaon], [900, 100])
    called = np.repeat([pion, kaon, kaon, pion], [810, 90, 50, 50])
    natural, flat = confused(label, called), confused(label, called, "flat")
    assert natural.purity.value[kaon] == pytest.approx(50 / 140)
    assert flat.purity.value[kaon] == pytest.approx(0.5 / 0.6)
    assert flat.efficiency.value[kaon] == natural.efficiency.value[kaon] == 0.5
    assert flat.purity.n_eff[kaon] < flat.purity.n_total[kaon] == 140
    assert flat.accuracy.value == pytest.approx(0.7)


@settings(max_examples=30)
@given(matrices)
def test_the_natural_mixture_stated_by_name_gives_the_natural_purities(matrix):
    matrix[X] = 0  # a stated mixture has no other species
    natural = confused(*tracks_of(matrix))
    stated = confused(
        *tracks_of(matrix), dict(zip(SPECIES, natural.mixture.abundances, strict=True))
    )
    np.testing.assert_allclose(stated.purity.value, natural.purity.value)
    np.testing.assert_allclose(stated.shares.value, natural.shares.value)
    np.testing.assert_allclose(stated.accuracy.value, natural.accuracy.value)


def test_other_species_count_against_natural_purity_alone():
    label = np.array([2, 2, 3, OTHER])
    called = np.array([2, 2, 3, 3])
    natural, flat = confused(label, called), confused(label, called, "flat")
    assert natural.purity.value[3] == 0.5
    assert natural.accuracy.value == 1
    assert natural.accuracy.n_total == 3
    assert flat.purity.value[3] == 1
    assert natural.counts[X].sum() == 1


def test_a_species_without_tracks_has_nan_not_zero():
    confusion = confused([2, 2, 3], [2, 3, 3])
    muon = index("muon")
    assert np.isnan(confusion.efficiency.value[muon])
    assert np.isnan(confusion.purity.value[muon])
    assert confusion.efficiency.n_total[muon] == 0


@settings(max_examples=50)
@given(hnp.arrays(np.float64, (20, 6), elements=st.floats(0.01, 1)))
def test_decisions_do_not_depend_on_the_prior_that_the_scores_stand_for(likelihood):
    """Trained with or without class balance: the same likelihoods are called the same."""
    mixture = Mixture("stated", np.array([0.03, 0.01, 0.7, 0.15, 0.1, 0.01]))
    called = []
    for prior in (FLAT, mixture.abundances, np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])):
        scores = likelihood * prior
        scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        np.testing.assert_allclose(posterior(scores, prior, mixture).sum(axis=1), 1)
        called.append(decide(scores, prior, mixture))
    best = np.sort(likelihood * mixture.abundances, axis=1)
    clear = best[:, -1] > best[:, -2] * (1 + 1e-5)
    assert (called[0] == called[1])[clear].all()
    assert (called[0] == called[2])[clear].all()


def test_a_constant_score_is_called_the_most_abundant_species():
    prior = np.array([0.025, 0.004, 0.689, 0.181, 0.1, 0.001])
    scores = np.tile(prior, (4, 1)).astype(np.float32)
    assert decide(scores, prior, Mixture("natural", prior)).tolist() == [2] * 4
    kaons = Mixture("stated", np.array([0, 0, 0.4, 0.6, 0, 0]))
    assert decide(scores, prior, kaons).tolist() == [3] * 4
    # In the flat mixture all tie up to rounding: the first species, for every track the same.
    assert decide(scores, prior, Mixture("flat", FLAT)).tolist() == [0] * 4


def test_probability_outside_the_mixture_is_called_none():
    scores = np.array([[0, 0, 0, 0, 0, 1], [0, 0, 0.5, 0, 0, 0.5]], dtype=np.float32)
    mixture = Mixture("natural", np.array([0, 0, 0.5, 0.5, 0, 0]))
    assert decide(scores, FLAT, mixture).tolist() == [OTHER, 2]


def test_a_species_that_was_never_learnt_is_never_called():
    prior = np.array([0, 0.2, 0.2, 0.2, 0.2, 0.2])
    scores = np.array([[0.5, 0, 0.5, 0, 0, 0]], dtype=np.float32)
    assert decide(scores, prior, Mixture("flat", FLAT)).tolist() == [2]


def test_a_mixture_of_an_absent_species_leaves_it_out():
    label = np.array([2, 2, 2, 3], dtype=np.int16)
    weights = class_weights(label, mixture_for("flat", label))
    np.testing.assert_allclose(weights, [0, 0, 4 / 18, 4 / 6, 0, 0, 0])


def test_no_track_of_the_six_species_is_an_error():
    with pytest.raises(InputError, match="no example of electron"):
        mixture_for("natural", np.array([OTHER], dtype=np.int16))


def test_a_mixture_of_absent_species_alone_is_an_error():
    with pytest.raises(InputError, match="mixture: the sample has no example"):
        mixture_for({"deuteron": 1.0}, np.array([2, 3], dtype=np.int16))


def test_a_misspelt_species_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'kaon'"):
        Mixture("flat", FLAT).index("koan")


@pytest.mark.parametrize("counts", [np.zeros((6, 6), int), -np.ones((7, 7), int)])
def test_nonsense_counts_are_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        Confusion(Tally(counts), Mixture("natural", FLAT), np.ones(7))
