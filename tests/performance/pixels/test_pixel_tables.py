import dataclasses
import time

import numpy as np
import pytest
from made_up_findings import SHAPE, findings

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.errors import InputError
from hepcnn.performance.pixels.evaluation import TABLES, evaluate, table_names
from hepcnn.store.shard import Rows

EDGES = (0.0, 500.0, 1000.0)
HIP, MIP, SHOWER, MICHEL, DELTA, OTHER = range(6)


def pixel(place, true, called, boundary=False, view=0):
    scores = np.zeros(5)
    scores[called] = 1
    return {
        "pixel": place,
        "view": view,
        "semantic": true,
        "scores": scores,
        "boundary": boundary,
    }


#: Four pixels, one of them noise; none; two, both wrong, one of them a shower all the same.
EVENTS = [
    [
        pixel(0, HIP, HIP),
        pixel(1, HIP, MIP, boundary=True),
        pixel(2, MIP, MIP, boundary=True),
        pixel(9, OTHER, DELTA, boundary=True),
    ],
    [],
    [pixel(0, SHOWER, MICHEL, view=1), pixel(1, SHOWER, HIP, view=1)],
]


def known(method="net", **changes):
    energy = np.array([100, 200, np.nan], np.float32)
    return findings("semantic", {"pixels": EVENTS}, method, {"energy": energy}, **changes)


def perfect(method="perfect"):
    pixels = [[pixel(p["pixel"], p["semantic"], p["semantic"] % 5) for p in e] for e in EVENTS[:1]]
    return findings("semantic", {"pixels": pixels}, method)


def make(*methods, edges=EDGES):
    tables = evaluate(methods, "task", edges, np.random.default_rng(1)).tables
    assert [t.name for t in tables] == table_names([m.method for m in methods])
    return {t.name: t for t in tables}


def rows(table, *keys):
    """The records of a table by these columns."""
    return {tuple(r[k] for k in keys): r for r in table.records()}


def test_wrong_pixels_of_all_and_by_event():
    found = rows(make(known())["pixels"], "classes")
    five, two = found["5 classes",], found["track/shower",]
    assert (five["events"], five["pixels"]) == (2, 5)
    assert five["wrong"] == 3 / 5
    assert five["wrong_by_event"] == pytest.approx((1 / 3 + 1) / 2)
    assert two["wrong"] == 1 / 5
    assert two["wrong_by_event"] == pytest.approx((0 + 1 / 2) / 2)
    # Of the five classes δ has no pixel at all: hip 1/3, mip 1/2, shower 0/2, Michel 0/1.
    assert five["mean_iou"] == pytest.approx((1 / 3 + 1 / 2 + 0 + 0) / 4)
    assert two["mean_iou"] == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_classes_have_efficiency_purity_and_iou():
    found = rows(make(known())["pixel_classes"], "class")
    figures = ("pixels", "efficiency", "purity", "iou")
    expected = {
        "hip": (2, 1 / 2, 1 / 2, 1 / 3),
        "mip": (1, 1, 1 / 2, 1 / 2),
        "shower": (2, 0, np.nan, 0),
        "michel": (0, np.nan, 0, 0),
        "delta": (0, np.nan, np.nan, np.nan),
        "all tracks": (3, 1, 3 / 4, 3 / 4),
        "all showers": (2, 1 / 2, 1, 1 / 2),
    }
    records = make(known())["pixel_classes"].records()
    assert [r["class"] for r in records] == list(expected)
    for record, numbers in zip(records, expected.values(), strict=True):
        np.testing.assert_allclose([record[f] for f in figures], numbers)
    assert found["hip",]["efficiency_method"].startswith("bootstrap of events")


def test_boundaries_and_elsewhere():
    found = rows(make(known())["boundary"], "classes", "where")
    assert found["5 classes", "at a boundary"]["pixels"] == 2
    assert found["5 classes", "at a boundary"]["wrong"] == 1 / 2
    assert found["5 classes", "elsewhere"]["wrong"] == 2 / 3
    assert found["track/shower", "at a boundary"]["wrong"] == 0


def test_events_without_an_energy_have_a_row():
    found = rows(make(known())["pixel_energy"], "classes", "bin")
    figures = ("energy_low", "energy_high", "events", "pixels", "wrong")
    expected = {
        "all": (np.nan, np.nan, 3, 5, 3 / 5),
        "1": (0, 500, 2, 3, 1 / 3),
        "2": (500, 1000, 0, 0, np.nan),
        "unknown": (np.nan, np.nan, 1, 2, 1),
    }
    assert [b for c, b in found if c == "5 classes"] == list(expected)
    for name, numbers in expected.items():
        record = found["5 classes", name]
        np.testing.assert_array_equal([record[f] for f in figures], numbers)


def test_confusion_counts_every_pixel_of_a_class():
    table = make(known())["confusion_net"]
    found = rows(table, "true", "called")
    assert len(found) == 25
    assert sum(r["pixels"] for r in found.values()) == 5
    assert found["hip", "mip"]["pixels"] == 1
    assert found["hip", "mip"]["of_true"] == 1 / 2
    assert found["shower", "hip"]["of_called"] == 1 / 2
    assert np.isnan(found["delta", "hip"]["of_true"])


def test_the_cutflow_says_what_does_not_count():
    counted = {r["step"]: r["count"] for r in make(known(), known("other"))["cutflow"].records()}
    assert counted == {
        "events read": 4,
        "scored": 3,
        "in the tables": 3,
        "of them without a true energy": 1,
        "of them in no bin of energy": 0,
        "of them without an occupied pixel": 1,
        "occupied pixels": 6,
        "of them of no known particle (other), not counted": 1,
        "of the others at a boundary": 2,
    }


def big(n, method, right, pixels=30, seed=0, views=2):
    """Events of random classes; a method that is right for about such a fraction of them."""
    truth, rng = np.random.default_rng(seed), np.random.default_rng([seed, *method.encode()])
    view = np.tile(np.repeat(np.arange(views, dtype=np.uint8), pixels), n)
    total = len(view)
    true = truth.integers(0, 6, total).astype(np.uint8)
    called = np.where(rng.random(total) < right, true % 5, rng.integers(0, 5, total))
    scores = np.full((total, 5), 0.05, np.float16)
    scores[np.arange(total), called] = 0.8
    columns = {
        "view": view,
        "pixel": np.tile(np.arange(pixels, dtype=np.uint32), n * views),
        "value": np.ones(total, np.float32),
        "semantic": true,
        "instance": np.full(total, -1, np.int16),
        "boundary": truth.random(total) < 0.3,
        "scores": scores,
    }
    offsets = np.arange(n + 1, dtype=np.int64) * pixels * views
    empty = findings("semantic", {"pixels": [[]] * n}, method, {"energy": truth.random(n) * 1200})
    return dataclasses.replace(empty, tables={"pixels": Rows(offsets, columns)})


def test_perfect_and_random_methods():
    found = rows(
        make(big(40, "perfect", 1.0), big(40, "random", 0.0))["pixels"], "method", "classes"
    )
    assert found["perfect", "5 classes"]["wrong"] == 0
    assert found["perfect", "track/shower"]["mean_iou"] == 1
    assert found["perfect", "5 classes"]["wrong_err_low"] == 0
    assert found["random", "5 classes"]["wrong"] == pytest.approx(0.8, abs=0.03)
    # Of 2000 pixels in events that tell nothing of one another the error is nearly binomial.
    assert found["random", "5 classes"]["wrong_err_low"] == pytest.approx(0.0089, rel=0.4)


def test_each_method_is_compared_with_the_first():
    methods = [big(60, "good", 0.8), big(60, "bad", 0.5), big(60, "same", 0.8)]
    found = rows(make(*methods)["comparison"], "method", "other", "figure")
    assert {(m, o) for m, o, _ in found} == {("bad", "good"), ("same", "good")}
    record = found["bad", "good", "right pixels, 5 classes"]
    assert record["difference"] == pytest.approx(-0.24, abs=0.03)
    assert record["better"] == "good"
    assert ("same", "good", "efficiency of delta") in found
    assert ("same", "good", "efficiency of all showers") in found
    # Paired: a method has no error against itself, whatever its own.
    twin = dataclasses.replace(methods[0], method="twin")
    record = rows(make(methods[0], twin)["comparison"], "figure")["mean IoU, track/shower",]
    assert record["difference"] == record["difference_err_low"] == 0
    assert record["value_err_low"] > 0


def test_the_order_of_events_does_not_matter():
    """Values; the bootstrap samples draw events by their place."""
    f = big(30, "net", 0.7)
    order = np.random.default_rng(3).permutation(30)
    turned = dataclasses.replace(
        f,
        columns={name: c[order] for name, c in f.columns.items()},
        tables={"pixels": f.tables["pixels"].take(order)},
    )
    for one, other in zip(make(f).values(), make(turned).values(), strict=True):
        for a, b in zip(one.records(), other.records(), strict=True):
            for name in a:
                if "err" not in name and isinstance(a[name], float):
                    assert a[name] == pytest.approx(b[name], nan_ok=True)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_nothing_at_all(n):
    made = make(findings("semantic", {"pixels": [[]] * n}))
    assert set(made) == {*TABLES, "confusion_net"}
    assert np.isnan(made["pixels"].records()[0]["wrong"])
    assert made["cutflow"].records()[-2]["count"] == 0


def test_one_event_has_no_error():
    record = make(findings("semantic", {"pixels": EVENTS[:1]}))["pixels"].records()[0]
    assert record["wrong"] == 1 / 3
    assert np.isnan(record["wrong_err_low"])


def test_three_dimensions():
    pixels = [[pixel(0, HIP, HIP), pixel(13, MIP, HIP)]]
    made = make(findings("semantic", {"pixels": pixels}, shape=(4, 4, 4)))
    assert made["pixels"].records()[0]["wrong"] == 1 / 2


def test_fewer_classes_than_there_are():
    """What is none of the task's classes does not count."""
    scores = [0.4, 0.6]
    pixels = [[{"pixel": k, "semantic": k, "scores": scores} for k in range(5)]]
    f = findings("semantic", {"pixels": pixels}, classes=("mip", "shower"))
    found = rows(make(f)["pixel_classes"], "class")
    assert {name for (name,) in found} == {"mip", "shower", "all tracks", "all showers"}
    assert found["mip",]["efficiency"] == 0


def test_methods_must_belong_together():
    one = known()
    with pytest.raises(InputError, match="no findings"):
        make()
    with pytest.raises(InputError, match="net: findings for task 'task', not 'ssnet'"):
        evaluate([one], "ssnet", EDGES, np.random.default_rng(1))
    with pytest.raises(InputError, match="'net' are given twice"):
        make(one, known())
    with pytest.raises(InputError, match="findings of 'vertex', not of 'semantic'"):
        make(findings("vertex", {"candidates": []}))
    key = one.key.copy()
    key["event"] += 1
    with pytest.raises(InputError, match=r"'net' has 3, 1 of them not in 'other'"):
        make(one, known("other", key=key))
    with pytest.raises(InputError, match=r"pixel_mm: 'net' has .*'other'"):
        make(one, known("other", pixel_mm=(1.0, 1.0)))
    pixels = one.tables["pixels"]
    for name, change in {"semantic": 1 - pixels.columns["semantic"] % 2, "pixel": None}.items():
        moved = pixels.columns["pixel"] + np.uint32(1) if change is None else change
        tables = {"pixels": Rows(pixels.offsets, pixels.columns | {name: moved})}
        with pytest.raises(InputError, match=f"'net' and 'other' disagree on the true {name} of"):
            make(one, dataclasses.replace(one, method="other", tables=tables))
    columns = one.columns | {"energy": np.ones(3, np.float32)}
    with pytest.raises(InputError, match="disagree on the true energy"):
        make(one, dataclasses.replace(one, method="other", columns=columns))


def test_speed():
    """A tenth of the events of a long test sample, as many pixels, two methods."""
    assert SHAPE[0] * SHAPE[1] >= 300
    methods = [big(200, m, 0.8, pixels=300) for m in ("one", "two")]
    start = time.process_time()
    make(*methods)
    assert time.process_time() - start < 5


def test_class_names_are_those_of_the_detector():
    assert PIXEL_CLASSES[OTHER] == "other"
