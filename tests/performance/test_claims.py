import numpy as np
import pytest

from hepcnn.config import PidTask, SegmentTask
from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.claims import CLAIM, ENOUGH, claims

FIGURE = ("accuracy",)
BASELINES = ["likelihood_global", "dll_tree"]


def fixed(value, error=0.0):
    """A figure with bootstrap samples of exactly this standard deviation, of their own."""
    draws = np.full((500, 1), float(value))
    draws[::2] += error
    draws[1::2] -= error
    return Merits(np.array([value]), draws * np.sqrt(499 / 500) if error else draws)


def rows(merits, seeds=1, baselines=BASELINES, altered=None):
    networks, altered = {"net": {"seeds": seeds}}, altered or {}
    samples = {"robustness": [*altered, "extreme"], "systematics": list(altered)}
    task = PidTask(images="i", networks=networks, baselines=baselines, **samples)
    return claims(FIGURE, merits, task, altered).records()


def trained(values, error=0.0):
    """Trainings of one network with these values."""
    names = ["net", *(f"net@{k}" for k in range(2, len(values) + 1))]
    return {name: fixed(v, error) for name, v in zip(names, values, strict=True)}


def test_what_exceeds_every_baseline_by_three_errors_with_seeds_is_claimed():
    values = [0.90, 0.91, 0.89, 0.905, 0.895]
    spread = np.std(values, ddof=1)
    merits = trained(values) | {"likelihood_global": fixed(0.85), "dll_tree": fixed(0.87)}
    (record,) = rows(merits, 5)
    assert record["trainings"] == ENOUGH == 5
    assert record["value"] == pytest.approx(0.9)
    assert record["baseline"] == "dll_tree"
    assert record["difference_err_low"] == pytest.approx(spread)
    assert record["sigma"] == pytest.approx(0.03 / spread)
    assert record["sigma"] > CLAIM
    assert record["claimed"] == "yes"
    assert record["verdict"] == "exceeds every baseline by 3 sigma, seeds included"


def test_the_spread_is_that_of_one_training_and_decides():
    """The mean of 5 would be known √5 times better, and would be claimed."""
    values = [0.90, 0.925, 0.875, 0.9125, 0.8875]
    merits = trained(values) | {"likelihood_global": fixed(0.85), "dll_tree": fixed(0.87)}
    (record,) = rows(merits, 5)
    assert record["sigma"] * np.sqrt(5) > CLAIM > record["sigma"]
    assert record["claimed"] == "no"
    assert record["verdict"].startswith("does not exceed dll_tree by 3 sigma (+3.00 ± ")


def test_the_systematic_error_is_what_samples_vary_beyond_their_events():
    """Differences of 3 % here, and of 1 and 5 % with errors of 1 % on two altered samples."""
    values = [0.9] * 5
    nominal = trained(values) | {"likelihood_global": fixed(0.5), "dll_tree": fixed(0.87)}
    altered = {
        name: trained([0.8] * 5, 0.01) | {"likelihood_global": fixed(0.4), "dll_tree": fixed(rival)}
        for name, rival in (("less", 0.79), ("more", 0.75))
    }
    (record,) = rows(nominal, 5, altered=altered)
    expected = np.sqrt(0.02**2 - 0.01**2)
    assert record["systematic"] == pytest.approx(expected)
    assert record["difference_err_low"] == pytest.approx(expected)
    assert record["claimed"] == "no"
    alone = {"more": altered["more"]}
    # What events explain is none, however many samples there are.
    alone["more"]["dll_tree"] = fixed(0.775)
    (record,) = rows(nominal, 5, altered=alone)
    assert record["systematic"] == 0
    assert record["claimed"] == "yes"
    (record,) = rows(nominal, 5)
    assert np.isnan(record["systematic"])


def test_few_trainings_claim_nothing():
    for seeds, words in ((1, "trained once"), (4, "trained 4 times")):
        merits = trained([0.9] * seeds, 0.001) | {"dll_tree": fixed(0.5)}
        (record,) = rows(merits, seeds)
        assert record["sigma"] > CLAIM
        assert (record["claimed"], record["trainings"]) == ("no", seeds)
        assert words in record["verdict"]


def test_the_hardest_of_all_baselines_counts_not_the_highest():
    """One that is lower, but known less well beside the network, is harder to exceed."""
    merits = trained([0.9] * 5) | {
        "likelihood_global": fixed(0.88, 0.001),
        "dll_tree": fixed(0.87, 0.02),
    }
    (record,) = rows(merits, 5)
    assert record["baseline"] == "dll_tree"
    assert record["claimed"] == "no"


def test_a_worse_network_says_by_how_much():
    merits = trained([0.8] * 5) | {"dll_tree": fixed(0.87), "likelihood_global": fixed(0.5)}
    (record,) = rows(merits, 5)
    assert "dll_tree by 3 sigma (−7.00 ± 0.00 %)" in record["verdict"]


def test_no_baseline_and_baselines_without_the_figure():
    (record,) = rows(trained([0.9]), baselines=[])
    assert (record["claimed"], record["baseline"]) == ("no", "–")
    assert record["verdict"] == "has no baseline to exceed"
    merits = trained([0.9] * 5) | {"dll_tree": fixed(0.5), "likelihood_global": fixed(np.nan)}
    (record,) = rows(merits, 5)
    assert (record["baseline"], record["claimed"]) == ("dll_tree", "yes")


def test_without_errors_nothing_is_known():
    unknown = Merits(np.array([0.9]), np.full((500, 1), np.nan))
    (record,) = rows({"net": unknown, "dll_tree": fixed(0.5)})
    assert record["claimed"] == "no"
    assert "not known beside dll_tree" in record["verdict"]


def test_the_caption_says_on_how_much_a_capped_baseline_learnt():
    task = SegmentTask(images="i", target="semantic")
    merits = {"sparse_uresnet": fixed(0.9), "pixel_tree": fixed(0.8)}
    assert (
        "pixel_tree from 200,000 pixels of 500 images" in claims(FIGURE, merits, task, {}).caption
    )
