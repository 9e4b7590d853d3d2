import numpy as np
import pytest

from hepcnn.config import PidTask
from hepcnn.errors import InputError
from hepcnn.performance.bootstrap import BOOTSTRAP
from hepcnn.performance.intervals import CLOPPER_PEARSON
from hepcnn.performance.pid import comparison
from hepcnn.performance.pid.merits import bootstrap, merit_names
from hepcnn.performance.pid.sample import select

MISID = (0.01, 0.05)
EDGES = (3000.0, 9300.0, 100000.0)
FLAT = np.full(6, 1 / 6)


def compared(predictions, task=None, seed=1):
    """The sample, its figures of merit, and the rows of the comparison by figure and methods."""
    sample = select(predictions, task or PidTask(images="rich_polar"), "rich_pid")
    merits = bootstrap(sample, MISID, EDGES, np.random.default_rng(seed))
    rows = comparison.comparison(sample, merits, MISID).rows
    return sample, merits, {(r[0], r[1], r[2]): r for r in rows}


def test_a_network_beats_the_controls_and_the_controls_are_worth_what_they_know(make_predictions):
    methods = ("lecture_cnn", "majority", "momentum_prior")
    sample, _, rows = compared([make_predictions(m) for m in methods])
    assert len(rows) == 3 * len(merit_names(MISID))
    assert all(r[8] == "lecture_cnn" for r in rows.values() if r[1] == "lecture_cnn")
    majority = {f: rows[f, "lecture_cnn", "majority"][4] for f in merit_names(MISID)}
    pions = np.mean(sample.label[sample.label >= 0] == 2)
    assert majority["accuracy"].value == pytest.approx(pions)
    assert majority["balanced accuracy"].value == pytest.approx(1 / 6)
    assert majority["K efficiency at 5 % pi misID"].value == pytest.approx(0.05)
    for _, _, _, value, other, difference, sigma, _, _ in rows.values():
        assert difference.value == pytest.approx(value.value - other.value)
        assert sigma * difference.err_high == pytest.approx(difference.value)


def test_a_stated_mixture_is_no_source_of_error(make_predictions):
    """Accuracy is Σ abundance × efficiency: its variance is that of the efficiencies alone."""
    mixture = {"pion": 0.5, "kaon": 0.5}
    task = PidTask(images="rich_polar", tables={"mixture": mixture})
    methods = ("lecture_cnn", "majority")
    sample, _, rows = compared([make_predictions(m, n=12000, power=1) for m in methods], task)
    _, _, _, network, control, *_ = rows["accuracy", "lecture_cnn", "majority"]
    efficiency = sample.confusion("lecture_cnn").efficiency
    variance = efficiency.value * (1 - efficiency.value) / efficiency.n_total
    assert network.err_low == pytest.approx(0.5 * np.sqrt(variance[[2, 3]].sum()), rel=0.2)
    # Always a pion: half of the mixture, whatever the tracks.
    assert control.value == pytest.approx(0.5)
    assert control.err_low == pytest.approx(0, abs=1e-12)


def test_the_difference_knows_that_the_tracks_are_the_same(make_predictions):
    """A network beside nearly itself: the difference is known far better than either."""
    task = PidTask(images="rich_polar", networks={"net": {}, "twin": {}}, baselines=[])
    net, twin = make_predictions("net"), make_predictions("twin")
    twin.scores[::200] = net.scores[::200, ::-1]
    _, _, rows = compared([net, twin], task)
    _, _, _, own, _, difference, *_ = rows["accuracy", "net", "twin"]
    assert 0 < difference.err_low < 0.5 * own.err_low


def test_a_method_beside_itself_is_not_better(make_predictions):
    task = PidTask(images="rich_polar", networks={"net": {}, "twin": {}}, baselines=[])
    _, _, rows = compared([make_predictions("net"), make_predictions("twin")], task)
    assert all(r[5].value == 0 and r[6] == 0 and r[8] == "–" for r in rows.values())


def test_one_event_gives_values_without_errors(make_predictions):
    _, _, rows = compared([make_predictions(m, n=40) for m in ("lecture_cnn", "majority")])
    *_, value, _, difference, sigma, p, better = rows["accuracy", "lecture_cnn", "majority"]
    assert np.isfinite(value.value)
    assert np.isnan(difference.err_low)
    assert np.isnan([sigma, p]).all()
    assert better == "–"


def test_one_method_has_nothing_to_be_compared_with(make_predictions):
    assert compared([make_predictions(n=100)])[2] == {}


def kaon_rows(sample, merits):
    table = comparison.kaon_efficiency(sample, merits, EDGES, MISID)
    return {(r[0], r[3]): r for r in table.rows}


def test_kaon_efficiency_has_all_methods_whole_and_by_momentum(make_predictions):
    methods = ("lecture_cnn", "majority")
    sample, merits, rows = compared([make_predictions(m) for m in methods])
    found = kaon_rows(sample, merits)
    assert list(found) == [(b, m) for b in ("all", "1", "2") for m in methods]
    for part in (4, 5):  # kaons, pions
        assert found["all", "majority"][part] == sum(found[b, "majority"][part] for b in "12")
    # The same numbers as in the comparison.
    whole = found["all", "lecture_cnn"][7]
    same = rows["K efficiency at 5 % pi misID", "lecture_cnn", "majority"][3]
    assert (whole.value, whole.method) == (same.value, same.method)
    assert whole.err_low == pytest.approx(same.err_low)
    # What knows nothing has the misID as its efficiency, also in bins, and that exactly.
    for b in ("all", "1", "2"):
        assert [c.value for c in found[b, "majority"][6:]] == pytest.approx(MISID)
        assert [c.err_low for c in found[b, "majority"][6:]] == pytest.approx([0, 0])


def test_where_all_kaons_pass_the_interval_is_not_empty(make_predictions):
    sample, merits, _ = compared([make_predictions("lecture_cnn", n=400, power=60)])
    row = kaon_rows(sample, merits)["all", "lecture_cnn"]
    n, cell = row[4], row[7]
    assert (cell.value, cell.err_high, cell.method) == (1, 0, CLOPPER_PEARSON)
    assert cell.err_low == pytest.approx(1 - 0.15865 ** (1 / n), rel=1e-3)


def test_a_momentum_bin_without_tracks_is_nan(make_predictions):
    p = make_predictions(n=400)
    p.features["p"][:] = 5000
    sample, merits, _ = compared([p])
    row = kaon_rows(sample, merits)["2", "lecture_cnn"]
    assert row[4] == row[5] == 0
    assert all(np.isnan([c.value, c.err_low, c.err_high]).all() for c in row[6:])


def test_ablation_is_the_gain_over_the_step_before(make_predictions):
    methods = ("a", "b", "c")
    task = PidTask(images="rich_polar", networks={m: {} for m in methods}, baselines=[])
    made = [make_predictions(m, power=power) for m, power in zip(methods, (1, 2, 3), strict=True)]
    sample, merits, rows = compared(made, task)
    steps = ["a", "c", "b"]
    table = comparison.ablation(sample, merits, steps, MISID)
    names = [c.name for c in table.columns]
    assert names == [
        *("step", "method", "at_1", "at_5", "accuracy", "loss", "kaon_gain", "accuracy_gain")
    ]
    assert [r[1] for r in table.rows] == steps
    first, better, worse = table.rows
    assert np.isnan([first[6].value, first[7].value]).all()
    assert better[6].value == pytest.approx(better[3].value - first[3].value)
    assert (better[6].value > 0, worse[6].value < 0) == (True, True)
    # The same pair as in the comparison, with its error.
    paired = rows["K efficiency at 5 % pi misID", "a", "c"][5]
    assert better[6].value == pytest.approx(-paired.value)
    assert better[6].err_low == pytest.approx(paired.err_low)
    assert better[6].method == BOOTSTRAP


def test_an_ablation_without_a_step_is_refused(make_predictions):
    sample, merits, _ = compared([make_predictions(n=100)])
    with pytest.raises(InputError, match="no predictions of gone"):
        comparison.ablation(sample, merits, ["lecture_cnn", "gone"], MISID)
