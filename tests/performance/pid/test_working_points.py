import csv
import io

import numpy as np
import pytest
from scipy.stats import norm

from hepcnn.config import PidTask
from hepcnn.performance.pid.merits import bootstrap
from hepcnn.performance.pid.sample import select, select_altered
from hepcnn.performance.pid.working_points import (
    PAIRS,
    differential,
    pairs,
    robustness,
    working_points,
)

MISID = (0.01, 0.05, 0.1)
EDGES = (3000.0, 9300.0, 100000.0)
CURVES = {"p": [3000.0, 9300.0, 100000.0], "eta": [2.0, 3.0, 4.0], "n_tracks": [0.0, 50.0, 99.0]}
TASK = PidTask(images="rich_polar")


def rows_of(table):
    return list(csv.DictReader(io.StringIO(table.csv())))


def sample_of(*predictions, task=TASK):
    return select(predictions, task, "rich_pid")


def test_every_pair_has_its_efficiency_at_every_misid(make_predictions):
    """Log ratios of width √2, their means 2 apart: at a misID m it is Φ(√2 + Φ⁻¹(m))."""
    sample = sample_of(make_predictions(n=60000, other=0, power=1))
    rows = rows_of(pairs(sample, MISID))
    assert [(r["species"], r["misid_from"]) for r in rows[:: len(MISID)]] == list(PAIRS)
    for r in rows:
        asked = float(r["asked"])
        assert float(r["misid"]) <= asked
        assert r["cut"] == str(round(float(r["cut"]), 3))
        expected = norm.cdf(np.sqrt(2) + norm.ppf(asked))
        # The cut fluctuates with the species that is mistaken, which the interval does not know.
        slope = norm.pdf(norm.ppf(expected)) / norm.pdf(norm.ppf(asked))
        from_cut = slope * np.sqrt(asked * (1 - asked) / int(r["misid_n_total"]))
        error = np.hypot(
            from_cut, np.sqrt(expected * (1 - expected) / int(r["efficiency_n_total"]))
        )
        assert abs(float(r["efficiency"]) - expected) < 4 * error + 1 / int(r["misid_n_total"])


def test_pairs_of_a_constant_score_and_of_absent_species_say_why(make_predictions):
    sample = sample_of(make_predictions("majority", n=200))
    sample.label[sample.label == 5] = 2
    rows = rows_of(pairs(sample, MISID))
    notes = {(r["species"], r["misid_from"]): r["note"] for r in rows}
    assert "pions share the highest score" in notes["electron", "pion"]
    assert notes["deuteron", "proton"] == "no true deuteron"
    assert all(r["efficiency"] == r["cut"] == "nan" for r in rows)


def test_a_likelihoods_variable_is_dllk(make_predictions):
    task = PidTask(images="c", baselines=["likelihood_global"])
    both = [make_predictions(m, n=400) for m in ("lecture_cnn", "likelihood_global")]
    asked = {
        (r["method"], r["asked"])
        for r in rows_of(working_points(sample_of(*both, task=task), EDGES, MISID))
        if "LLK" in r["asked"]
    }
    assert asked == {
        *(("lecture_cnn", f"NNDLLK > {cut}") for cut in (0, 5)),
        *(("likelihood_global", f"DLLK > {cut}") for cut in (0, 5)),
    }


def test_log_likelihoods_reach_where_float32_does_not(make_predictions):
    """P of e^−300 is 0 in float32, and its likelihood ratio is not."""
    task = PidTask(images="c", baselines=["likelihood_global"])
    p = make_predictions("likelihood_global", n=10)
    p.log_likelihood[:] = 0
    p.log_likelihood[:, 0], p.log_likelihood[:, 3] = 300, -10
    p.scores[:] = [1, 0, 0, 0, 0, 0]
    sample = sample_of(p, task=task)
    np.testing.assert_allclose(sample.log_ratio("likelihood_global"), -10, atol=1e-5)
    assert (sample.scores["likelihood_global"] > 0).all()


def differential_rows(predictions, misid=MISID):
    sample = sample_of(*predictions)
    rows = rows_of(differential(sample, CURVES, misid))
    return sample, rows


def test_bins_of_every_variable_add_up_to_the_overall_working_point(make_predictions):
    p = make_predictions()
    rng = np.random.default_rng(1)
    p.features["eta"][:] = rng.uniform(2, 4, len(p))
    p.features["n_tracks"][:] = rng.integers(0, 99, len(p))
    sample, rows = differential_rows([p])
    points = {
        r["asked"]: r
        for r in rows_of(working_points(sample, EDGES, MISID))
        if r["bin"] == "all" and r["asked"].startswith("misID")
    }
    assert len(rows) == len(MISID) * 6
    for m in MISID:
        whole = points[f"misID {100 * m:g} %"]
        for variable in CURVES:
            own = [r for r in rows if float(r["asked"]) == m and r["variable"] == variable]
            assert {r["cut"] for r in own} == {whole["cut"]}
            for part in ("efficiency_n_pass", "efficiency_n_total", "misid_n_pass"):
                assert sum(int(r[part]) for r in own) == int(whole[part])


def test_a_better_bin_is_seen_in_its_bin(make_predictions):
    """Scores without information above 9.3 GeV: there kaons pass as often as pions."""
    p = make_predictions(n=40000, power=2)
    blind = p.features["p"] >= 9300
    p.scores[blind] = p.prior
    sample, rows = differential_rows([p], [0.05])
    low, high = (r for r in rows if r["variable"] == "p")
    assert float(low["efficiency"]) > 0.4
    assert float(low["misid"]) > 0.05
    assert float(high["efficiency"]) == float(high["misid"]) == 0
    assert int(high["misid_n_total"]) == np.count_nonzero(
        sample.true("pion") & (sample.features["p"] >= 9300)
    )


def test_empty_bins_unknown_eta_and_unreachable_cuts_are_nan(make_predictions):
    p = make_predictions(n=400)
    p.features["eta"][:] = np.nan
    _, rows = differential_rows([p])
    nothing = [r for r in rows if r["variable"] == "eta" or r["low"] == "50.0"]
    assert len(nothing) == 3 * len(MISID)
    assert all(r["efficiency"] == r["misid"] == "nan" for r in nothing)
    _, rows = differential_rows([make_predictions("majority", n=400)])
    assert all(r["efficiency"] == r["misid"] == r["cut"] == "nan" for r in rows)


def robustness_rows(task, predictions):
    samples = {"nominal": select(predictions, task, "rich_pid")}
    samples |= select_altered(predictions, task, "rich_pid")
    rng = np.random.default_rng(1)
    merits = {name: bootstrap(s, MISID, EDGES, rng) for name, s in samples.items()}
    return samples, rows_of(robustness(samples, merits, MISID))


def test_robustness_is_the_nominal_cut_on_other_tracks(make_predictions):
    """Log ratios shifted by 1: the misID of the nominal cut grows, the separation stays."""
    task = PidTask(
        images="c", networks={"net": {}}, baselines=["majority"], robustness=["same", "off"]
    )
    made = [make_predictions(m, altered="") for m in ("net", "majority")]
    made += [make_predictions(m, altered=a) for m in ("net", "majority") for a in ("off", "same")]
    shifted = next(p for p in made if (p.method, p.altered) == ("net", "off"))
    shifted.scores[:, 3] *= np.e
    shifted.scores[:] /= shifted.scores.sum(axis=1, keepdims=True)
    samples, rows = robustness_rows(task, made)
    assert list(samples) == ["nominal", "same", "off"]
    assert [(r["method"], r["sample"]) for r in rows] == [
        (m, s) for m in ("net", "majority") for s in samples
    ]
    nominal, same, off = rows[:3]
    assert {k: v for k, v in nominal.items() if "err" not in k and k != "sample"} == {
        k: v for k, v in same.items() if "err" not in k and k != "sample"
    }
    assert len({r["cut"] for r in rows[:3]}) == 1
    assert float(nominal["misid"]) <= 0.05
    score = samples["nominal"].log_ratio("net")[samples["nominal"].true("pion")]
    assert float(off["misid"]) == pytest.approx(np.mean(score > float(off["cut"]) - 1), abs=2e-3)
    assert float(off["at_5"]) == pytest.approx(float(nominal["at_5"]), abs=2e-3)
    assert off["accuracy"] != nominal["accuracy"]
    # A control has no such cut, and its accuracy.
    assert all(r["misid"] == "nan" and float(r["accuracy"]) > 0.5 for r in rows[3:])
    assert all(float(r["at_5"]) == pytest.approx(0.05) for r in rows[3:])
