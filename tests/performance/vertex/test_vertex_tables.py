import dataclasses

import numpy as np
import pytest
from made_up_findings import PIXEL_MM, SHAPE, VIEWS, findings

from hepcnn.errors import InputError
from hepcnn.performance.vertex.boxes import ious
from hepcnn.performance.vertex.evaluation import TABLES, evaluate, table_names

EDGES = (0.0, 500.0, 1000.0)
NAN = [np.nan] * 3
TRUTH = [100.0, 20.0, 300.0]
INSIDE = [8.0, 10.0, 8.0, 10.0]
OUTSIDE = [8.0, 10.0, -1.0, 10.0]
NOWHERE = [np.nan] * 4


def candidate(row, column, score=0.5, view=0, box=None):
    box = [np.nan] * 4 if box is None else box
    return {"row": row, "column": column, "score": score, "view": view, "box": box}


def make_findings(apart, method="net", candidates=None, score=None, **columns):
    """Events with a true vertex in all images; the found one is so far away along z (None: not)."""
    n = len(apart)
    found = [NAN if d is None else [TRUTH[0], TRUTH[1], TRUTH[2] + d] for d in apart]
    every = {
        "energy": np.full(n, 100.0),
        "vertex": [TRUTH] * n,
        "vertex_pixel": [INSIDE] * n,
        "found": found,
        "found_score": np.full(n, 0.5) if score is None else score,
    }
    return findings("vertex", {"candidates": candidates or [[]] * n}, method, every | columns)


def make(*methods, baselines=()):
    tables = evaluate(methods, "task", EDGES, np.random.default_rng(1), baselines).tables
    assert [t.name for t in tables] == table_names([m.method for m in methods]) == list(TABLES)
    return {t.name: t for t in tables}


def first(made, table="vertex"):
    return made[table].records()[0]


def test_fractions_are_of_all_events_with_a_vertex_inside():
    apart = [0.5, -1.0, 1.5, 2.5, 4, 8, 20, None]
    record = first(make(make_findings(apart)))
    assert record["true"] == 8
    assert record["found"] == 7 / 8
    fractions = [record[f"within_{r}_cm"] for r in (1, 2, 3, 5, 10)]
    assert fractions == [2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8]
    # 68 % of 8 are 5.44: the sixth.
    assert record["radius_68"] == pytest.approx(8, rel=1e-6)


def test_the_radius_is_infinite_where_fewer_are_found():
    record = first(make(make_findings([1, None, None])))
    assert record["radius_68"] == np.inf
    assert np.isnan(record["radius_68_err_low"])


def test_distances_are_in_space():
    record = first(make(make_findings([0], found=[[TRUTH[0] + 1, TRUTH[1] - 2, TRUTH[2] + 2]])))
    assert record["radius_68"] == pytest.approx(3)


def test_where_the_vertex_is_decides_what_counts():
    """Inside; outside one image; outside space but known in no image; no vertex, one found."""
    f = make_findings(
        [0, 0, None, 5],
        vertex=[TRUTH, TRUTH, NAN, NAN],
        vertex_pixel=[INSIDE, OUTSIDE, NOWHERE, NOWHERE],
        found=[TRUTH, TRUTH, NAN, TRUTH],
    )
    made = make(f)
    record = first(made)
    assert (record["true"], record["without"], record["fakes"]) == (1, 2, 1 / 2)
    steps = {r["step"]: r["count"] for r in made["cutflow"].records()}
    assert steps["of them with a true vertex in the images of all views"] == 1
    assert steps["of them with a true vertex elsewhere"] == 1
    assert steps["of them without a true vertex"] == 2
    assert steps["of them with a true vertex in the image of view u"] == 2
    assert steps["of them with a true vertex in the image of view y"] == 1


def test_fakes_are_counted_above_the_score_that_keeps_most_vertices():
    n = 100
    none = np.arange(n) >= n // 2
    score = np.concatenate([np.arange(50) / 50, np.arange(50) / 100])
    f = make_findings(
        [0.0] * n,
        score=score,
        vertex=np.where(none[:, None], np.nan, TRUTH),
        vertex_pixel=np.where(none[:, None], np.nan, INSIDE),
    )
    record = first(make(f))
    # 5 % of 50 vertices are 2.5: the cut is the third score, so that 48 are kept.
    assert record["cut"] == pytest.approx(0.04)
    assert record["fakes"] == pytest.approx(46 / 50)
    assert record["fakes_err_low"] > 0


def test_a_method_that_finds_nothing_in_true_events_has_no_cut_and_no_rate_of_fakes():
    f = make_findings([None, 0.0], vertex=[TRUTH, NAN], vertex_pixel=[INSIDE, NOWHERE])
    f.columns["found"][1] = TRUTH
    record = first(make(f))
    assert np.isnan(record["cut"])
    assert np.isnan(record["fakes"])
    assert record["found"] == record["within_10_cm"] == 0


def test_a_method_that_gives_none_in_space_has_no_figures_there():
    """One of a single view, or in a detector of several drift volumes: not 0 %."""
    seen = [[candidate(8.0, 10.0)]] * 4
    flat = make_findings([None] * 4, "flat", candidates=seen)
    made = make(flat, make_findings([0.5] * 4, "deep"), baselines=("flat",))
    for name in ("vertex", "vertex_energy", "vertex_interactions"):
        for record in made[name].records():
            if record["method"] == "flat":
                assert np.isnan([record["found"], record["within_1_cm"], record["radius_68"]]).all()
    assert first(made)["true"] == 4
    gain = {record["method"]: record for record in made["vertex_gain"].records()}
    assert gain["deep"]["best_within_1_cm"] == "–"
    assert np.isnan(gain["flat"]["within_1_cm"])
    assert gain["deep"]["within_1_cm"] == 1
    assert {record["better"] for record in made["comparison"].records()} == {"–"}
    planes = [r for r in made["vertex_planes"].records() if r["method"] == "flat"]
    assert planes[0]["within_1_cm"] == 1


def test_planes_take_the_best_candidate_in_centimetres():
    candidates = [
        [candidate(8, 10, 0.2), candidate(10, 10, 0.9), candidate(8, 13, 0.4, view=1)],
        [candidate(8, 10.5, 0.1)],
    ]
    records = {r["view"]: r for r in make(make_findings([0, 0], "net", candidates))[
        "vertex_planes"].records()}  # fmt: skip
    u, y = (records[v] for v in VIEWS)
    # Two rows of 5 mm are 1 cm, half a column of 10 mm is 0.5 cm, three are 3 cm.
    assert (u["found"], u["within_1_cm"]) == (1, 1)
    assert u["radius_68"] == pytest.approx(1)
    assert (y["found"], y["within_2_cm"], y["within_3_cm"]) == (1 / 2, 0, 1 / 2)
    assert np.isnan(u["ap_50"])
    assert u["true"] == y["true"] == 2


def test_an_event_outside_a_view_does_not_count_in_it():
    records = make(make_findings([0], vertex_pixel=[OUTSIDE]))["vertex_planes"].records()
    assert [r["true"] for r in records] == [1, 0]
    # The upper edge is outside, the lower one inside.
    edges = [[0, 0, SHAPE[0], 0]]
    records = make(make_findings([0], vertex_pixel=edges))["vertex_planes"].records()
    assert [r["true"] for r in records] == [1, 0]


def test_boxes():
    """Of two good boxes one is right; a box of an event without is wrong; IoU 0.6 in the other."""
    box, other = [0, 0, 10, 10], [0, 0, 6, 10]
    candidates = [
        [candidate(5, 5, 0.8, box=box), candidate(5, 5, 0.7, box=box)],
        [candidate(5, 5, 0.6, box=other), candidate(5, 5, 0.9, box=[9, 9, 12, 12])],
    ]
    true = [box + [np.nan] * 4] * 2
    u, y = make(make_findings([0, 0], "net", candidates, box=true))["vertex_planes"].records()
    # By falling score: wrong, right, wrong, right; at the higher thresholds wrong, right, wrong.
    assert u["ap_50"] == pytest.approx(1 / 2)
    assert u["ap"] == pytest.approx((3 * 1 / 2 + 7 * 51 / 101 / 2) / 10)
    assert np.isnan(y["ap"])


def test_intersections_over_union():
    one = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0], [np.nan] * 4])
    other = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_allclose(ious(one, other), [1, 1 / 7, 0, 0, 0])
    cube = np.array([[0.0, 0, 0, 2, 2, 2]])
    np.testing.assert_allclose(ious(cube, cube + np.array([0, 0, 1, 0, 0, 1])), [1 / 3])


def test_resolution():
    rng = np.random.default_rng(4)
    n = 2000
    found = TRUTH + rng.normal([0.5, 0, -1], [1, 2, 0.1], (n, 3))
    records = {r["axis"]: r for r in make(make_findings([0] * n, found=found))[
        "vertex_resolution"].records()}  # fmt: skip
    assert [records[a]["median"] for a in "xyz"] == pytest.approx([0.5, 0, -1], abs=0.12)
    assert [records[a]["half_width"] for a in "xyz"] == pytest.approx([1, 2, 0.1], rel=0.07)
    # The error of a median is 1.25 σ/√n.
    assert records["y"]["median_err_low"] == pytest.approx(1.25 * 2 / n**0.5, rel=0.3)


def test_classes_of_interactions():
    """Those without a vertex inside are left out, and so is a class with none."""
    f = make_findings(
        [0, 0, 9, 0.5, None], interaction=[0, 0, 0, 2, 3],
        vertex=[TRUTH, TRUTH, TRUTH, TRUTH, NAN],
        vertex_pixel=[INSIDE, OUTSIDE, INSIDE, INSIDE, NOWHERE],
    )  # fmt: skip
    muon, neutral = make(f)["vertex_interactions"].records()
    assert [muon["interaction"], neutral["interaction"]] == ["numu_cc", "nc"]
    assert [muon["true"], muon["within_1_cm"], muon["found"]] == [2, 0.5, 1]
    assert [neutral["true"], neutral["within_1_cm"]] == [1, 1]


def test_energy():
    apart = [0.5, 3, None, 0.5]
    f = make_findings(apart, energy=[100, 200, 600, np.nan])
    records = {r["bin"]: r for r in make(f)["vertex_energy"].records()}
    assert [r["within_1_cm"] for r in records.values()] == [1 / 2, 1 / 2, 0, 1]
    assert [r["within_5_cm"] for r in records.values()] == [3 / 4, 1, 0, 1]
    assert [r["true"] for r in records.values()] == [4, 2, 1, 1]


def test_the_gain_over_the_best_baseline():
    rng = np.random.default_rng(1)
    n = 400
    methods = [
        make_findings(np.where(rng.random(n) < share, 0.5, 3), method)
        for method, share in {"net": 0.8, "line": 0.4, "charge": 0.6}.items()
    ]
    made = make(*methods, baselines=("line", "charge", "absent"))
    net, line, charge = made["vertex_gain"].records()
    assert net["best_within_1_cm"] == "charge"
    assert net["ratio_within_1_cm"] == net["within_1_cm"] / charge["within_1_cm"]
    # Relative errors of two independent fractions.
    error = net["ratio_within_1_cm"] * (0.25 / n + 0.667 / n) ** 0.5
    assert net["ratio_within_1_cm_err_low"] == pytest.approx(error, rel=0.2)
    assert charge["ratio_within_1_cm"] == 1
    assert charge["ratio_within_1_cm_err_low"] == 0
    assert line["ratio_within_1_cm"] < 1
    assert net["ratio_within_5_cm"] == 1
    alone = first(make(methods[0]), "vertex_gain")
    assert (alone["best_within_1_cm"], alone["within_1_cm"]) == ("–", net["within_1_cm"])
    assert np.isnan(alone["ratio_within_1_cm"])
    records = made["comparison"].records()
    assert (records[0]["figure"], records[0]["better"]) == ("within 1 cm", "net")
    assert {r["other"] for r in records} == {"net"}


def test_a_perfect_method():
    box = [6, 7, 10, 13]
    candidates = [[candidate(8, 10, 0.9, v, box) for v in (0, 1)] for _ in range(5)]
    made = make(make_findings([0] * 5, "net", candidates, box=[box * 2] * 5))
    for record in (first(made), *made["vertex_planes"].records()):
        assert record["within_1_cm"] == 1
        assert record["radius_68"] == 0
    assert [r["ap"] for r in made["vertex_planes"].records()] == [1, 1]


def test_the_order_of_events_and_candidates_does_not_matter():
    rng = np.random.default_rng(7)
    n = 25
    candidates = []
    for _ in range(n):
        places = rng.random((6, 2)) * SHAPE
        candidates.append([
            candidate(r, c, rng.integers(1, 4) / 4, k % 2, [r - 3, c - 3, r + 3, c + 3])
            for k, (r, c) in enumerate(places)
        ])  # fmt: skip
    apart = rng.exponential(2, n)
    boxes = [[6, 7, 12, 13] * 2] * n
    f = make_findings(apart, "net", candidates, box=boxes, score=rng.random(n))
    order = rng.permutation(n)
    turned = dataclasses.replace(
        make_findings(apart, "net", [c[::-1] for c in candidates], box=boxes),
        columns={name: c[order] for name, c in f.columns.items()},
    )
    turned = dataclasses.replace(
        turned, tables={"candidates": turned.tables["candidates"].take(order)}
    )
    for one, other in zip(make(f).values(), make(turned).values(), strict=True):
        for a, b in zip(one.records(), other.records(), strict=True):
            for name in a:
                if "err" not in name and isinstance(a[name], float):
                    assert a[name] == pytest.approx(b[name], nan_ok=True)


def on_fine_pixels(apart, *, factor=4, **columns):
    """As `make_findings`, of images with so many pixels in the place of one along either axis."""
    n, box = len(apart), np.array([6.0, 7, 10, 13] * 2) * factor
    candidates = [[candidate(8 * factor, 12 * factor, view=v, box=box[:4]) for v in (0, 1)]] * n
    columns = {"vertex_pixel": [np.multiply(INSIDE, factor)] * n, "box": [box] * n} | columns
    f = make_findings(apart, "fine", candidates, **columns)
    sides = {"shape": tuple(factor * side for side in SHAPE)}
    return dataclasses.replace(f, **sides, pixel_mm=tuple(mm / factor for mm in PIXEL_MM))


def test_methods_on_other_pixels_of_the_same_vertices_compare():
    """Each method's distances and boxes are in its own pixels, whichever is the first."""
    apart = [0.5, 4]
    coarse = make_findings(apart, "net", [[candidate(8, 12, view=v) for v in (0, 1)]] * 2)
    fine = on_fine_pixels(apart)
    for methods in ((coarse, fine), (fine, coarse)):
        made = make(*methods)
        space = {r["method"]: r for r in made["vertex"].records()}
        assert space["net"]["within_1_cm"] == space["fine"]["within_1_cm"] == 1 / 2
        planes = {(r["method"], r["view"]): r for r in made["vertex_planes"].records()}
        for view in VIEWS:
            # Two columns of 10 mm, or eight of 2.5 mm.
            assert planes["net", view]["radius_68"] == pytest.approx(2)
            assert planes["fine", view]["radius_68"] == pytest.approx(2)
            assert planes["fine", view]["true"] == 2
            assert planes["fine", view]["ap"] == 1
            assert np.isnan(planes["net", view]["ap"])
        assert {r["difference"] for r in made["comparison"].records()} == {0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vertex": [TRUTH, [9, 9, 9]]}, "'net' and 'fine' disagree on the true vertex"),
        ({"energy": [100, 7]}, "'net' and 'fine' disagree on the true energy"),
        (
            {"vertex_pixel": [np.multiply(INSIDE, 4), np.multiply(OUTSIDE, 4)]},
            r"view y: in 1 of 2 events .* 'net' \(2 inside\) and 'fine' \(1\) alone",
        ),
    ],
)
def test_methods_of_other_vertices_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        make(make_findings([0, 0]), on_fine_pixels([0, 0], **changes))


def test_methods_of_other_views_or_events_are_refused():
    net, fine = make_findings([0, 0]), on_fine_pixels([0, 0])
    with pytest.raises(InputError, match=r"views: 'net' has .* 'fine' has"):
        make(net, dataclasses.replace(fine, views=("u", "v")))
    with pytest.raises(InputError, match="methods must be on the same events: 'net' has 2"):
        make(net, on_fine_pixels([0, 0, 0]))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_nothing_at_all(n):
    f = make_findings([None] * n, vertex=[NAN] * n, vertex_pixel=[NOWHERE] * n)
    made = make(f)
    record = first(made)
    assert (record["true"], record["without"]) == (0, n)
    assert np.isnan(record["within_1_cm"])
    assert np.isnan(record["radius_68"])


def test_three_dimensions():
    shape, n = (8, 8, 8), 2
    boxes = [[1, 1, 1, 3, 3, 3] * 2] * n
    rows = [[{"row": 2, "column": 2, "depth": k, "score": 1, "box": boxes[0][:6]}] for k in (2, 7)]
    columns = {"vertex": [TRUTH] * n, "vertex_pixel": [[2.0] * 6] * n, "box": boxes}
    f = findings("vertex", {"candidates": rows}, "net", columns, shape)
    u, _ = make(f)["vertex_planes"].records()
    # The third axis has pixels of 2 mm.
    assert u["within_1_cm"] == 1
    assert u["radius_68"] == pytest.approx(1)
    assert u["ap"] == 1
    assert PIXEL_MM == (5.0, 10.0)
