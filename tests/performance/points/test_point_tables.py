import dataclasses

import numpy as np
import pytest
from made_up_findings import SHAPE, findings

from hepcnn.performance.points.distances import distances, pairs
from hepcnn.performance.points.evaluation import TABLES, evaluate, table_names

VERTEX, END, START = range(3)


def point(row, column, kind=VERTEX, view=0, **more):
    return {"row": row, "column": column, "kind": kind, "view": view, **more}


def make_findings(truth, candidates, method="net", **more):
    """Findings; a candidate without a score has 0.9."""
    candidates = [[{"score": 0.9, **c} for c in event] for event in candidates]
    return findings("points", {"points": truth, "candidates": candidates}, method, **more)


def make(*methods):
    tables = evaluate(methods, "task", (0.0, 1000.0), np.random.default_rng(1)).tables
    assert [t.name for t in tables] == table_names([m.method for m in methods]) == list(TABLES)
    return {t.name: t for t in tables}


def by_kind(made, table="points"):
    return {r["kind"]: r for r in made[table].records()}


def test_pairs_of_equal_groups():
    i, j = pairs(np.array([3, 1, 3, 9]), np.array([1, 3, 5, 3]))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [
        (0, 1),
        (0, 3),
        (1, 0),
        (2, 1),
        (2, 3),
    ]
    assert [len(x) for x in pairs(np.zeros(0, int), np.zeros(0, int))] == [0, 0]


#: Rows are 5 mm, columns 10 mm.
TRUTH = [
    [point(4, 4), point(4, 10, END), point(10, 10, END), point(4, 4, view=1)],
    [point(8, 8, START), point(SHAPE[0] + 1, 2)],
]
CANDIDATES = [
    [
        point(6, 4),  # 1 cm
        point(4, 11.5, END),  # 1.5 cm, and 3.35 cm from the other
        point(10, 10, END, score=0.2),  # below the cut
        point(4, 4, END, view=1),  # of another kind
        point(4, 4, START),  # where there is none of its kind
    ],
    [point(8, 8, VERTEX), point(8, 12, START)],  # of another kind; 4 cm
]


def test_distances_are_to_the_nearest_of_the_kind_in_the_view_and_event():
    found = distances(make_findings(TRUTH, CANDIDATES))
    apart = 3**2 + 1.5**2
    np.testing.assert_allclose(found.true_distance, [1, 1.5, apart**0.5, np.inf, 4])
    np.testing.assert_allclose(found.true_score, [0.9, 0.9, 0.2, -np.inf, -np.inf], rtol=1e-6)
    np.testing.assert_allclose(found.distance, [1, 1.5, 0, np.inf, np.inf, np.inf, 4])


def test_efficiency_purity_and_distances():
    made = make(make_findings(TRUTH, CANDIDATES))
    found = by_kind(made)
    figures = [f"{what}_{r}_cm" for what in ("efficiency", "purity") for r in (1, 2, 5)]
    expected = {
        "vertex": (2, 2, [1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]),
        "track_end": (2, 2, [0, 1 / 2, 1, 0, 1 / 2, 1 / 2]),
        "shower_start": (1, 2, [0, 0, 1, 0, 0, 1 / 2]),
        "all": (5, 6, [1 / 5, 2 / 5, 4 / 5, 1 / 6, 2 / 6, 3 / 6]),
    }
    assert list(found) == list(expected)
    for kind, (true, candidates, fractions) in expected.items():
        assert (found[kind]["true"], found[kind]["candidates"]) == (true, candidates)
        assert [found[kind][f] for f in figures] == pytest.approx(fractions)
    assert found["vertex"]["median"] == 1
    assert found["vertex"]["distance_68"] == np.inf
    assert found["all"]["distance_68"] == 4
    steps = {r["step"]: r["count"] for r in made["cutflow"].records()}
    assert steps["true points in views"] == 6
    assert steps["of them outside the image, not counted"] == 1
    assert steps["of them without a true point"] == 0


def test_the_cut_on_the_score():
    records = make(make_findings(TRUTH, CANDIDATES))["point_scores"].records()
    ends = {r["score"]: r for r in records if r["kind"] == "track_end"}
    assert [ends[s]["candidates"] for s in (0.1, 0.2, 0.3, 0.9)] == [3, 3, 2, 2]
    assert [ends[s]["efficiency"] for s in (0.1, 0.2, 0.3, 0.8)] == [1, 1, 1 / 2, 1 / 2]
    assert [ends[s]["purity"] for s in (0.1, 0.2, 0.3)] == [2 / 3, 2 / 3, 1 / 2]


def test_the_histogram_has_every_point_once():
    records = make(make_findings(TRUTH, CANDIDATES))["point_distances"].records()
    every = {r["low"]: r for r in records if r["kind"] == "all"}
    counts = {low: r["true"] for low, r in every.items() if r["true"]}
    assert counts == {1.0: 1, 1.5: 1, 3.0: 2, 10.0: 1}
    assert sum(r["fraction"] for r in every.values()) == pytest.approx(1)
    assert every[10.0]["high"] == np.inf


def random(n, method, spread, seed=3):
    """Events with points; candidates so far from them (pixels)."""
    truth, rng = np.random.default_rng(seed), np.random.default_rng([*method.encode()])
    events, found = [], []
    for _ in range(n):
        places = 3 + truth.random((6, 2)) * (SHAPE[0] - 6)
        moved = places + rng.normal(0, 1, places.shape) * spread
        kinds = [(k % 3, k % 2) for k in range(6)]
        scores = 0.3 + 0.1 * rng.integers(0, 7, 6)
        events.append([point(*p, *k) for p, k in zip(places, kinds, strict=True)])
        found.append([point(*p, *k, score=s) for p, k, s in zip(moved, kinds, scores, strict=True)])
    return make_findings(events, found, method)


def test_perfect_and_far_methods():
    perfect, far = random(40, "perfect", 0), random(40, "far", 300)
    scores = {"score": np.full(240, 0.9, np.float32)}
    candidates = perfect.tables["candidates"]
    sure = dataclasses.replace(
        perfect,
        tables=perfect.tables
        | {"candidates": dataclasses.replace(candidates, columns=candidates.columns | scores)},
    )
    made = make(sure, far)
    records = made["points"].records()
    for record in records[:4]:
        assert record["efficiency_1_cm"] == record["purity_1_cm"] == 1
        assert record["distance_68"] == 0
    for record in records[4:]:
        assert record["efficiency_5_cm"] < 0.05
    better = {r["better"] for r in made["comparison"].records()}
    assert better == {"perfect"}
    assert made["comparison"].records()[0]["figure"] == "efficiency 2 cm, vertex"


def test_the_order_of_events_and_points_does_not_matter():
    f = random(15, "net", 2)
    order = np.random.default_rng(2).permutation(15)
    tables = {}
    for name, rows in f.tables.items():
        turned = rows.take(order)
        for start, stop in zip(turned.offsets[:-1], turned.offsets[1:], strict=True):
            for column in turned.columns.values():
                column[start:stop] = column[start:stop][::-1].copy()
        tables[name] = turned
    turned = dataclasses.replace(f, tables=tables)
    for one, other in zip(make(f).values(), make(turned).values(), strict=True):
        for a, b in zip(one.records(), other.records(), strict=True):
            for name in a:
                if "err" not in name and isinstance(a[name], float):
                    assert a[name] == pytest.approx(b[name], nan_ok=True)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_nothing_at_all(n):
    found = by_kind(make(make_findings([[]] * n, [[]] * n)))
    assert found["all"]["true"] == 0
    assert np.isnan(found["all"]["efficiency_1_cm"])
    assert np.isnan(found["all"]["median"])
    only = by_kind(make(make_findings([[]] * n, [[point(1, 1)]] * n)))["all"]
    assert np.array_equal(only["purity_5_cm"], 0 if n else np.nan, equal_nan=True)


def test_three_dimensions():
    f = make_findings(
        [[point(2, 2, depth=2)]], [[point(2, 2, depth=7)]], shape=(8, 8, 8)
    )  # 5 × 2 mm
    assert by_kind(make(f))["vertex"]["median"] == pytest.approx(1)
