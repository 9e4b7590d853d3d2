"""Figures hold the data that they are given: checked on their artists, not their pixels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from hepcnn.performance.curves import Roc, roc
from hepcnn.performance.histories import History
from hepcnn.report import comparisons, curves, matrices, pictures, style
from hepcnn.report.curves import Points
from hepcnn.report.pictures import Track
from hepcnn.report.records import Estimate
from hepcnn.store.shard import Axis

R, PHI = Axis("r", "mm", 0, 130, 4), Axis("phi", "rad", -np.pi, np.pi, 8)
LOOK = style.looks(["net"], ["likelihood"], ["majority"])
NOTHING = np.zeros(0)


def _image(*cells: tuple[int, int, int]) -> np.ndarray:
    image = np.zeros((4, 8), dtype=np.int64)
    for row, column, hits in cells:
        image[row, column] = hits
    return image


def _track(image: np.ndarray, ring: float = 90.0) -> Track:
    return Track("kaon", 40_000.0, "run 1", image, ring)


def _cells(axes: object) -> list[np.ndarray]:
    collections = [c for c in axes.collections if isinstance(c, PolyCollection)]
    return [path.vertices for c in collections for path in c.get_paths()]


def _points(value: np.ndarray) -> Points:
    edges = np.linspace(2, 100, len(value) + 1)
    return Points(edges[:-1], edges[1:], value, 0.1 * value, 0.2 * value)


def _texts(figure: Figure) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))]


def test_an_example_shows_each_occupied_bin_once_in_each_panel() -> None:
    left, right = pictures.example(_track(_image((1, 2, 1), (3, 7, 5))), R, PHI).axes
    assert len(_cells(left)) == len(_cells(right)) == 2
    corners = _cells(left)[0]
    assert corners[:, 0].min() == pytest.approx(-np.pi / 2)
    assert corners[:, 1].min() == pytest.approx(32.5)
    assert corners[:, 1].max() == pytest.approx(65)


def test_the_ring_view_puts_a_bin_at_its_radius_and_azimuth() -> None:
    right = pictures.example(_track(_image((1, 2, 1))), R, PHI).axes[1]
    x, y = _cells(right)[0].T
    radius, azimuth = np.hypot(x, y), np.arctan2(y, x)
    assert radius.min() == pytest.approx(32.5)
    assert radius.max() == pytest.approx(65)
    assert azimuth.min() == pytest.approx(-np.pi / 2)
    assert azimuth.max() == pytest.approx(-np.pi / 4)


def test_the_expected_ring_is_drawn_where_it_is_and_not_below_threshold() -> None:
    left = pictures.example(_track(_image((1, 1, 1)), 90.0), R, PHI).axes[0]
    assert [line.get_ydata()[0] for line in left.lines] == [90.0]
    assert not pictures.example(_track(_image((1, 1, 1)), np.nan), R, PHI).axes[0].lines


def test_an_image_without_hits_is_drawn() -> None:
    left, _ = pictures.example(_track(_image()), R, PHI).axes
    assert not _cells(left)


def test_means_say_where_a_species_has_no_tracks() -> None:
    mean = np.arange(32.0).reshape(4, 8)
    figure = pictures.means({"pion": (mean, 7), "kaon": (0 * mean, 0)}, R, PHI)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), mean)
    assert not figure.axes[1].images
    assert "no tracks" in _texts(figure)


def test_profiles_sum_over_azimuth() -> None:
    mean = np.arange(32.0).reshape(4, 8)
    (axes,) = pictures.profiles({"pion": (mean, 7), "kaon": (mean, 0)}, R).axes
    (steps,) = axes.patches
    np.testing.assert_allclose(steps.get_data().values, mean.sum(axis=1))


def test_training_marks_the_epoch_of_the_lowest_validation_loss() -> None:
    epoch = np.array([1.0, 2.0, 3.0])
    history = History(epoch, epoch, np.array([0.9, 0.4, 0.5]), epoch, np.array([0.1, 0.2, 0.3]))
    assert history.best == 2
    loss, accuracy = curves.training({"net": history}, LOOK).axes
    rings = [line for line in loss.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [(r.get_xdata()[0], r.get_ydata()[0]) for r in rings] == [(2.0, 0.4)]
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), [0.1, 0.2, 0.3])


def test_a_history_of_no_number_has_no_best_epoch() -> None:
    nan = np.array([np.nan])
    history = History(np.ones(1), nan, nan, nan, nan)
    assert history.best is None
    curves.training({"net": history}, LOOK)


def test_no_history_is_drawn_too() -> None:
    assert len(curves.training({}, LOOK).axes) == 2


def test_cuts_draw_asymmetric_errors_at_the_right_momentum() -> None:
    kaon, pion = _points(np.array([0.8, 0.5])), _points(np.array([0.1, np.nan]))
    (axes,) = curves.cuts({"NNDLLK > 0": (kaon, pion)}, "net").axes
    efficiency, misid = axes.containers
    _, _, (across, up) = efficiency.lines
    np.testing.assert_allclose(up.get_segments()[0][:, 1], [0.72, 0.96])
    np.testing.assert_allclose(across.get_segments()[1][:, 0], [51, 100])
    assert np.isnan(misid.lines[0].get_ydata()[1])


def test_panels_draw_all_methods_and_admit_where_nothing_is_known() -> None:
    series = {
        "K": {"net": _points(np.array([0.5, 0.6])), "majority": _points(np.array([0.0, 0.0]))},
        "d": {"net": _points(np.full(2, np.nan)), "majority": _points(np.full(2, np.nan))},
    }
    figure = curves.panels(series, LOOK, "efficiency")
    assert [len(axes.containers) for axes in figure.axes] == [2, 2]
    np.testing.assert_array_equal(figure.axes[0].containers[0].lines[0].get_ydata(), [0.5, 0.6])
    assert "none" in _texts(figure)


def test_separation_follows_the_roc_curve() -> None:
    curve = roc(np.array([3.0, 2.0, 1.0]), np.array([2.5, 0.5, 0.0]))
    (axes,) = comparisons.separation({"net": curve}, LOOK, [0.05], ["box"]).axes
    line = axes.lines[0]
    drawn = np.column_stack([line.get_xdata(), line.get_ydata()])
    for efficiency, misid in zip(curve.efficiency, curve.misid, strict=True):
        if misid > 0:
            assert np.isclose(drawn, [efficiency, misid]).all(axis=1).any()


def test_a_method_that_knows_nothing_is_the_diagonal() -> None:
    curve = roc(np.zeros(10), np.zeros(10))
    (axes,) = comparisons.separation({"majority": curve}, LOOK, [], []).axes
    x, y = axes.lines[0].get_xdata(), axes.lines[0].get_ydata()
    assert len(x) > 100
    np.testing.assert_allclose(x[1:], y[1:])


def test_separation_without_kaons_is_empty_but_drawn() -> None:
    comparisons.separation({"net": roc(NOTHING, np.zeros(3))}, LOOK, [0.1], [])


@pytest.mark.parametrize("kaon", [np.array([1.0, np.inf, -np.inf]), NOTHING])
def test_no_score_is_lost(kaon: np.ndarray) -> None:
    (axes,) = curves.scores(kaon, np.array([-1.0, 0.2]), "NNDLLK", []).axes
    pions, kaons = (patch.get_data().values.sum() for patch in axes.patches)
    assert pions == pytest.approx(1)
    assert kaons == pytest.approx(1 if len(kaon) else 0)


def test_momentum_counts_every_track() -> None:
    p = np.array([2000.0, 5000.0, 99_999.0])
    (axes,) = curves.momentum({"pion": p, "kaon": NOTHING}).axes
    assert [patch.get_data().values.sum() for patch in axes.patches] == [3, 0]


def test_merits_place_each_method_at_its_value() -> None:
    values = {
        "accuracy": {"net": Estimate(0.9, 0.1, 0.02), "majority": Estimate(0.7, np.nan, np.nan)}
    }
    (axes,) = comparisons.merits(values, LOOK).axes
    assert [c.lines[0].get_xdata()[0] for c in axes.containers] == [0.9, 0.7]
    ((one, other),) = axes.containers[0].lines[2][0].get_segments()
    assert (one[0], other[0]) == pytest.approx((0.8, 0.92))


def test_a_reference_gets_the_ratios_to_it_below() -> None:
    """A method that lets twice as many pions through at every efficiency is at 2."""
    score = np.linspace(1, 0, 200)
    reference = Roc(0.4 * (1 - score), 1 - score, score)
    twice = Roc(0.8 * (1 - score), 1 - score, score)
    curves_ = {"net": twice, "likelihood": reference}
    _, ratio = comparisons.separation(curves_, LOOK, [0.05], [], "likelihood").axes
    net, own = (line.get_ydata() for line in ratio.lines)
    np.testing.assert_allclose(net, 2)
    np.testing.assert_allclose(own, 1)


def test_a_reference_without_kaons_has_no_ratio() -> None:
    empty = roc(NOTHING, np.zeros(3))
    _, ratio = comparisons.separation({"net": empty}, LOOK, [0.0, 0.1], [], "net").axes
    assert np.isnan(ratio.lines[0].get_ydata()).all()


def test_differences_are_drawn_both_ways_and_coloured_where_significant() -> None:
    found = {
        ("a", "b"): (Estimate(0.021, 0.004, 0.004), True),
        ("a", "c"): (Estimate(np.nan, np.nan, np.nan), False),
        ("b", "c"): (Estimate(-0.0, 0.0, 0.0), False),
    }
    (axes,) = comparisons.differences(["a", "b", "c"], found).axes
    cells = {t.get_position(): t.get_text() for t in axes.texts}
    assert cells == {
        (1, 0): "+2.1\n±0.4",
        (0, 1): "−2.1\n±0.4",
        (2, 0): "n/a",
        (0, 2): "n/a",
        (2, 1): "0.0\n±0.0",
        (1, 2): "0.0\n±0.0",
    }
    assert [patch.get_alpha() > 0 for patch in axes.patches] == [True] * 2 + [False] * 4


def test_reliability_draws_every_method_and_the_diagonal() -> None:
    curve = tuple(np.array([0.1, 0.9]) for _ in range(4))
    figure = comparisons.reliability({"a": {"net": curve}, "b": {"net": curve}}, LOOK)
    for axes in figure.axes:
        assert list(axes.lines[0].get_xdata()) == [0, 1]
        np.testing.assert_array_equal(axes.containers[0].lines[0].get_xdata(), curve[0])


def test_merits_can_end_at_the_highest_point() -> None:
    values = {"nominal": {"net": Estimate(0.05, 0.01, 0.01)}}
    (axes,) = comparisons.merits(values, LOOK, "misID", whole=False).axes
    assert 0.06 <= axes.get_xlim()[1] < 0.1
    assert axes.get_xlabel() == "misID [%]"


def test_confusion_has_true_species_in_columns() -> None:
    rate = np.array([[0.9, 0.2, np.nan], [0.1, 0.8, np.nan]])
    figure = matrices.confusion(rate, ["pion", "kaon", "other"], ["pion", "kaon"], [10, 5, 0])
    cells = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert cells[(1, 0)] == "20.0"  # true kaon, called pion
    assert cells[(0, 1)] == "10.0"
    assert cells[(2, 0)] == "–"


def test_names_are_text_and_not_formulae() -> None:
    hostile = ["$x^$", "_hidden", "a$b", r"\frac{"]
    look = style.looks(hostile, [], [])
    series = {"K": {name: _points(np.array([0.5])) for name in hostile}}
    figure = curves.panels(series, look, "efficiency")
    shown = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert shown == [r"\$x^\$", "_hidden", r"a\$b", r"\frac{"]
    style.svg(figure)


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    def draw() -> Figure:
        return pictures.example(_track(_image((1, 2, 1), (3, 7, 5))), R, PHI)

    style.save(draw(), tmp_path / "a", "figure")
    style.save(draw(), tmp_path / "b", "figure")
    for name in ("figure.pdf", "figure.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert style.svg(draw()) == style.svg(draw())


def test_svg_takes_the_readers_colours_and_names_no_other_place() -> None:
    text = style.svg(pictures.example(_track(_image((1, 2, 1))), R, PHI))
    assert text.startswith("<svg")
    assert style.INK not in text.replace(f"--ink:{style.INK}", "")
    assert "var(--ink)" in text
    links = set(re.findall(r"https?://[^\"' >]*", text))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    style.svg(curves.momentum({"pion": np.array([5000.0])}))
    assert dict(mpl.rcParams) == before
