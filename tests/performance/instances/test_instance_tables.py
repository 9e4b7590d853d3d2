import dataclasses
import time

import numpy as np
import pytest
from made_up_findings import findings
from sklearn.metrics import adjusted_rand_score

from hepcnn.performance.instances.evaluation import TABLES, evaluate, table_names
from hepcnn.performance.instances.overlaps import MIN_PIXELS, overlaps
from hepcnn.store.shard import Rows

EDGES = (0.0, 500.0, 1000.0)
HIP, MIP, SHOWER, MICHEL, DELTA, OTHER = range(6)


def image(*groups, view=0):
    """Pixels of groups of (how many, class, instance, cluster)."""
    rows = []
    for n, semantic, instance, found in groups:
        rows += [{"semantic": semantic, "instance": instance, "found": found}] * n
    return [{**row, "pixel": k, "view": view} for k, row in enumerate(rows)]


def make_findings(events, method="net", scores=None, energy=None):
    """Findings of images; clusters have the score given by (event, view, cluster), or 0.5."""
    scores = scores or {}
    tables = {"pixels": events, "clusters": []}
    for e, event in enumerate(events):
        names = sorted({(p["view"], p["found"]) for p in event if p["found"] >= 0})
        tables["clusters"].append(
            [{"view": v, "cluster": c, "score": scores.get((e, v, c), 0.5)} for v, c in names]
        )
    energy = np.full(len(events), 100.0) if energy is None else energy
    return findings("instance", tables, method, {"energy": energy})


def make(*methods):
    tables = evaluate(methods, "task", EDGES, np.random.default_rng(1)).tables
    assert [t.name for t in tables] == table_names([m.method for m in methods]) == list(TABLES)
    return {t.name: t for t in tables}


def first(made, table="instances"):
    return made[table].records()[0]


#: A muon whole; a proton of 20 of which a cluster has 12 and 12 of a shower of 15: too impure for
#: the shower, pure enough for the proton; noise in a cluster; a speck.
EVENT = image(
    (30, MIP, 0, 4),
    (12, HIP, 1, 2),
    (8, HIP, 1, -1),
    (12, SHOWER, 2, 2),
    (3, SHOWER, 2, 7),
    (5, OTHER, -1, 4),
    (2, DELTA, 3, 7),
)


def test_known_overlaps():
    found = overlaps(make_findings([EVENT], scores={(0, 0, 2): 0.9, (0, 0, 7): 0.1}))
    instances, clusters = found.instances, found.clusters
    assert instances["size"].tolist() == [30, 20, 15, 2]
    assert instances["kind"].tolist() == [MIP, HIP, SHOWER, DELTA]
    # Cluster 2 is half the proton's and half the shower's, and has more than half of each; the
    # δ electron is 2 of the 5 pixels of cluster 7.
    assert instances["found"].tolist() == [True, True, True, False]
    np.testing.assert_allclose(instances["share"], [1, 12 / 20, 12 / 15, 1])
    assert clusters["number"].tolist() == [2, 4, 7]
    assert clusters["size"].tolist() == [24, 30, 5]
    assert clusters["right"].tolist() == [True, True, False]
    np.testing.assert_allclose(clusters["share"], [1 / 2, 1, 3 / 5])
    np.testing.assert_allclose(clusters["iou"], [12 / 27, 1, 2 / 5])
    np.testing.assert_allclose(clusters["score"], [0.9, 0.5, 0.1])


def test_known_figures():
    record = first(make(make_findings([EVENT], scores={(0, 0, 2): 0.9})))
    assert (record["instances"], record["clusters"], record["images"]) == (3, 2, 1)
    assert record["efficiency"] == 1
    assert record["purity"] == 1
    assert record["pixel_efficiency"] == pytest.approx((1 + 12 / 20 + 12 / 15) / 3)
    assert record["pixel_purity"] == pytest.approx((1 / 2 + 1) / 2)
    # The wrong cluster has the higher score: a third of the instances at precision 1/2.
    assert record["ap_50"] == pytest.approx(34 / 101 / 2)
    assert record["ap"] == pytest.approx(34 / 101 / 2)


def test_half_is_enough_and_less_is_not():
    half = image((10, MIP, 0, 0), (10, MIP, 0, 1), (10, HIP, 1, 1))
    less = image((9, MIP, 0, 0), (11, MIP, 0, -1), (20, HIP, 1, 1), (10, SHOWER, 2, 1))
    record = first(make(make_findings([half])))
    assert (record["efficiency"], record["purity"]) == (1, 1)
    records = {r["class"]: r for r in make(make_findings([less]))["instance_classes"].records()}
    assert records["mip"]["efficiency"] == 0
    assert records["hip"]["efficiency"] == 1
    assert records["shower"]["efficiency"] == 0
    assert np.isnan(records["michel"]["efficiency"])
    assert records["hip"]["purity"] == 1
    assert np.isnan(records["shower"]["purity"])


def test_average_precision_over_ious():
    """A cluster with an IoU of 0.8: right above thresholds below it, strictly."""
    event = image((16, MIP, 0, 0), (4, MIP, 0, -1))
    record = first(make(make_findings([event])))
    assert record["ap_50"] == 1
    assert record["ap"] == pytest.approx(6 / 10)
    # Exactly one half is not above one half: of two such clusters no one is right.
    event = image((10, MIP, 0, 0), (10, MIP, 0, 1))
    assert first(make(make_findings([event])))["ap_50"] == 0


def test_specks_count_neither_way():
    few = MIN_PIXELS - 1
    plain = make(make_findings([image((20, MIP, 0, 0))]))
    event = image((20, MIP, 0, 0), (few, HIP, 1, 1), (few, SHOWER, 2, -1), (3, OTHER, -1, 5))
    made = make(make_findings([event], scores={(0, 0, 1): 0.9, (0, 0, 5): 0.9}))
    for name in ("efficiency", "purity", "ap", "pixel_efficiency", "instances", "clusters"):
        assert first(made)[name] == first(plain)[name] == 1
    steps = {r["step"]: r["count"] for r in made["cutflow"].records()}
    assert steps["true particles in views"] == 3
    assert steps[f"of them of fewer than {MIN_PIXELS} pixels"] == 2
    assert steps["of them of no known particle (other), not counted"] == 3
    # A large cluster of many specks is wrong.
    specks = image((20, MIP, 0, 0), *((4, HIP, k, 1) for k in range(1, 6)))
    assert first(make(make_findings([specks])))["purity"] == 1 / 2


def test_views_and_events_are_apart():
    """Equal numbers in another view or event are other particles and other clusters."""
    one = [*image((12, MIP, 0, 0)), *image((12, HIP, 0, 0), (12, MIP, 1, 0), view=1)]
    found = overlaps(make_findings([one, image((15, MIP, 0, 0))]))
    assert found.instances["event"].tolist() == [0, 0, 0, 1]
    assert found.clusters["size"].tolist() == [12, 24, 15]
    assert found.images["event"].tolist() == [0, 0, 1]


def test_rand_index_is_that_of_scikit_learn():
    rng = np.random.default_rng(4)
    events, expected = [], []
    for n in (2, 3, 10, 40, 40):
        truth, called = rng.integers(0, 4, n), rng.integers(0, 3, n)
        events.append(image(*((1, MIP, t, c) for t, c in zip(truth, called, strict=True))))
        expected.append(adjusted_rand_score(truth, called))
    alone = image(*((1, MIP, k // 2, -1 if k % 2 else 3) for k in range(8)))
    events.append(alone)
    numbers = [100 + k if p["found"] < 0 else 3 for k, p in enumerate(alone)]
    expected.append(adjusted_rand_score([p["instance"] for p in alone], numbers))
    ari = overlaps(make_findings(events)).images["ari"]
    np.testing.assert_allclose(ari, expected, atol=1e-12)
    assert first(make(make_findings(events)))["ari"] == pytest.approx(np.mean(expected))


def test_rand_index_of_trivial_partitions():
    events = [
        image((9, MIP, 0, 2)),
        image((9, MIP, 0, -1)),
        image(*((1, MIP, k, k) for k in range(5))),
        image(*((1, MIP, k, -1) for k in range(5))),
        image((1, MIP, 0, 0)),
        image((7, OTHER, -1, 0)),
        [],
    ]
    found = overlaps(make_findings(events)).images
    assert found["event"].tolist() == [0, 1, 2, 3]
    assert found["ari"].tolist() == [1, 0, 1, 1]


def big(n, method, right, groups=6, pixels=20, seed=0):
    """Events of groups of pixels; a method that gives each pixel its own group or any."""
    rng, views = np.random.default_rng([seed, *method.encode()]), 2
    per = groups * pixels
    total = n * views * per
    instance = np.tile(np.repeat(np.arange(groups), pixels), n * views).astype(np.int16)
    called = np.where(rng.random(total) < right, instance, rng.integers(0, groups, total))
    columns = {
        "view": np.tile(np.repeat(np.arange(views, dtype=np.uint8), per), n),
        "pixel": np.tile(np.arange(per, dtype=np.uint32), n * views),
        "value": np.ones(total, np.float32),
        "semantic": (instance % 5).astype(np.uint8),
        "instance": instance,
        "found": called.astype(np.int32),
    }
    clusters = {
        "view": np.tile(np.repeat(np.arange(views, dtype=np.uint8), groups), n),
        "cluster": np.tile(np.arange(groups, dtype=np.int32), n * views),
        "score": rng.random(n * views * groups).astype(np.float32),
    }
    energy = np.random.default_rng(seed).random(n) * 1200
    empty = findings("instance", {"pixels": [[]] * n}, method, {"energy": energy})
    offsets = np.arange(n + 1, dtype=np.int64) * views
    tables = {"pixels": Rows(offsets * per, columns), "clusters": Rows(offsets * groups, clusters)}
    return dataclasses.replace(empty, tables=tables)


def test_perfect_and_random_methods():
    made = make(big(30, "perfect", 1.0), big(30, "random", 0.0))
    perfect, random = made["instances"].records()
    for name in ("efficiency", "purity", "pixel_efficiency", "pixel_purity", "ari", "ap_50", "ap"):
        assert perfect[name] == 1
        assert perfect[f"{name}_err_low"] == 0
    assert abs(random["ari"]) < 0.03
    assert random["efficiency"] < 0.05
    assert random["ap"] < 0.01
    record = made["comparison"].records()[0]
    assert (record["figure"], record["method"], record["other"]) == (
        *("efficiency", "random", "perfect"),
    )
    assert record["better"] == "perfect"


def test_energy():
    events = [image((12, MIP, 0, 0)), image((12, MIP, 0, -1)), image((12, MIP, 0, 0))]
    made = make(make_findings(events, energy=[100, 700, np.nan]))
    records = {r["bin"]: r for r in made["instance_energy"].records()}
    assert [r["efficiency"] for r in records.values()] == [2 / 3, 1, 0, 1]
    assert [r["ari"] for r in records.values()] == [2 / 3, 1, 0, 1]
    assert [r["ap_50"] for r in records.values()] == [pytest.approx(67 / 101), 1, 0, 1]
    assert [r["events"] for r in records.values()] == [3, 1, 1, 1]


def test_the_order_of_events_and_the_numbers_of_clusters_do_not_matter():
    f = big(20, "net", 0.7)
    rng = np.random.default_rng(3)
    order, number = rng.permutation(20), rng.permutation(6).astype(np.int32)
    pixels, clusters = (f.tables[name].take(order) for name in ("pixels", "clusters"))
    pixels.columns["found"] = number[pixels.columns["found"]]
    clusters.columns["cluster"] = number[clusters.columns["cluster"]]
    # Within an event the clusters stand in any order too.
    mixed = clusters.take(np.arange(20))
    for start, stop in zip(mixed.offsets[:-1], mixed.offsets[1:], strict=True):
        for column in mixed.columns.values():
            column[start:stop] = column[start:stop][::-1].copy()
    columns = {name: c[order] for name, c in f.columns.items()}
    turned = dataclasses.replace(f, columns=columns, tables={"pixels": pixels, "clusters": mixed})
    for one, other in zip(make(f).values(), make(turned).values(), strict=True):
        for a, b in zip(one.records(), other.records(), strict=True):
            for name in a:
                if "err" not in name and isinstance(a[name], float):
                    assert a[name] == pytest.approx(b[name], nan_ok=True)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_nothing_at_all(n):
    record = first(make(make_findings([[]] * n)))
    assert record["instances"] == record["clusters"] == record["images"] == 0
    assert np.isnan(record["efficiency"])
    assert np.isnan(record["ap"])


def test_clusters_without_pixels_do_not_count():
    f = make_findings([image((12, MIP, 0, 0))])
    tables = {"pixels": [image((12, MIP, 0, 0))], "clusters": [[{"cluster": k} for k in (0, 1)]]}
    more = findings("instance", tables, "net", f.columns)
    np.testing.assert_equal(first(make(more)), first(make(f)))


def test_speed():
    methods = [big(200, m, 0.8, groups=10, pixels=15) for m in ("one", "two")]
    make(methods[0])  # compiled
    start = time.process_time()
    make(*methods)
    assert time.process_time() - start < 10
