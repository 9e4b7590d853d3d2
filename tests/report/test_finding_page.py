"""The page with tasks that ask what is where in images."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_up_findings as made_up
import numpy as np
import pytest
from made_up_found import SHAPE, TASKS, made_up_findings, write_found
from matplotlib.figure import Figure

from hepcnn.config import Config
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import UNITS
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.report import found_pictures, style
from hepcnn.report.found_display import display
from hepcnn.report.found_events import NOBODY, FoundEvent, found_events
from hepcnn.report.found_ranks import Ranked, ranked
from hepcnn.report.page import build_report
from hepcnn.report.results import read_results
from hepcnn.store.findings import Findings
from hepcnn.store.header import Axis
from hepcnn.store.images import ImageSet


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Files are named and not drawn, and no network is read: nothing is done to the images."""

    def save(figure: Figure, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.pdf").touch()

    same = SimpleNamespace(preprocessing=SimpleNamespace(transform=lambda _: None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.ConstrainedLayoutEngine, "execute", lambda *_: None)
        patch.setattr(style, "save", save)
        patch.setattr(style, "svg", lambda _: "<svg/>")
        patch.setattr(Checkpoint, "load", lambda _: same)
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    folder = tmp_path_factory.mktemp("found") / "results"
    return folder, write_found(folder, TASKS)


@pytest.fixture(scope="module")
def page(results: tuple[Path, Config]) -> str:
    build_report(results[1], results[0] / "report.html")
    return (results[0] / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def images(results: tuple[Path, Config]) -> ImageSet:
    return ImageSet(results[0] / "images" / "planes" / "0000.h5")


Found = Callable[..., tuple[Findings, list[FoundEvent]]]


@pytest.fixture
def found(images: ImageSet) -> Found:
    def maker(target: str, events: list[int], weights: Any = None) -> Any:
        findings = made_up_findings(images, "task", target, "net", 0.2)
        rank = [Ranked(event, "best", "words") for event in events]
        return findings, found_events(findings, rank, images, Path("c.ckpt"), weights)

    return maker


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("</style>", 1)[1]))


def test_all_parts_are_there_and_links_lead_somewhere(page: str) -> None:
    ids = set(re.findall(r'id="([^"]+)"', page.split("<main", 1)[1]))
    parts = ("results", "comparison", "events", "training", "population")
    assert {f"task-{i}-{part}" for i in range(1, 5) for part in parts} <= ids
    assert "task-1-confusion" in ids
    assert "task-2-confusion" not in ids
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids | {"top"}


def test_the_summary_says_how_good_the_best_network_is(
    page: str, results: tuple[Path, Config]
) -> None:
    tables = read_results(results[1]).tasks["ssnet"].tables
    (wrong,) = (
        r["wrong"]
        for r in tables["pixels"].records
        if (r["method"], r["classes"]) == ("net", "5 classes")
    )
    text = _text(page)
    assert f"net calls {100 * (1 - wrong):.1f}" in text
    for words in ("adjusted Rand index", "of the vertices within 1 cm", "of the key points within"):
        assert words in text
    assert "significantly better than pixel_tree" in text


@pytest.mark.usefixtures("page")
def test_figures_are_put_beside_the_tables(results: tuple[Path, Config]) -> None:
    for task, names in {
        "ssnet": {"wrong_pixels", "confusion_pixel_tree", "energy", "found_worst_net"},
        "instance": {"instance_classes", "energy", "found_median_net"},
        "vertex": {"within", "energy", "found_best_net"},
        "points": {"within", "training", "differences", "summary"},
    }.items():
        folder = results[0] / "tasks" / task / "figures"
        assert names <= {path.stem for path in folder.iterdir()}


def test_the_display_is_in_the_page_with_its_events(
    page: str, results: tuple[Path, Config]
) -> None:
    """Nothing comes from elsewhere, and what can be drawn are the ranked events."""
    assert re.findall(r"<script[^>]*src", page) == []
    assert page.count("function start(") == 1
    given = re.findall(r'<script type="application/json" id="task-\d-data">(.*?)</script>', page)
    assert len(given) == 4
    for text, task in zip(given, read_results(results[1]).tasks.values(), strict=True):
        findings = task.findings  # type: ignore[union-attr]
        data = json.loads(text)
        keys = findings.key[[r.event for r in ranked(findings)]]
        names = [f"{run}:{subrun}:{event}" for run, subrun, event, _ in keys.tolist()]
        assert [event["name"] for event in data["events"]] == names
        assert all(name in _text(page) for name in names)


def test_the_same_results_give_the_same_bytes(
    page: str, results: tuple[Path, Config], tmp_path: Path
) -> None:
    build_report(results[1], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("net/predictions.h5", "hepcnn predict .*--checkpoint FILE"),
        ("pixel_tree/predictions.h5", "hepcnn predict .*--baseline pixel_tree"),
        ("net/history.csv", "hepcnn train"),
        ("net/checkpoint.ckpt", "hepcnn train"),
        ("tables/boundary.json", "hepcnn evaluate"),
    ],
)
def test_a_missing_file_is_named_with_its_command(
    results: tuple[Path, Config], tmp_path: Path, missing: str, command: str
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(results[0], folder)
    (folder / "tasks" / "ssnet" / missing).unlink()
    with pytest.raises(InputError, match=f"{re.escape(missing)}: no such file; .*{command}"):
        read_results(results[1].model_copy(update={"output": str(folder)}))


def test_findings_of_another_task_are_refused(results: tuple[Path, Config], tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(results[0], folder)
    tasks = folder / "tasks"
    shutil.copy(tasks / "vertex/net/predictions.h5", tasks / "points/net/predictions.h5")
    with pytest.raises(InputError, match="vertex / net / vertex where points / net / points"):
        read_results(results[1].model_copy(update={"output": str(folder)}))


def test_events_are_ranked_by_their_errors(images: ImageSet) -> None:
    findings = made_up_findings(images, "task", "semantic", "net", 0.2)
    pixels, event = findings.tables["pixels"].columns, findings.event_of("pixels")
    known = pixels["semantic"] < 5
    wrong = known & (pixels["scores"].argmax(axis=1) != pixels["semantic"])
    share = {e: wrong[event == e].sum() / known[event == e].sum() for e in range(12) if e != 1}
    found = ranked(findings)
    assert [r.name for r in found] == ["best", "median", "worst"]
    best, median, worst = (share[r.event] for r in found)
    assert best < median < worst
    assert found[0].words == f"{100 * best:.1f} % of its pixels are called wrongly"


def test_pixels_have_their_labels(found: Found) -> None:
    findings, (event,) = found("semantic", [2])
    assert [plane.title for plane in event.planes] == ["U", "V", "Y"]
    rows = findings.tables["pixels"]
    own = slice(rows.offsets[2], rows.offsets[3])
    assert sum(len(plane.place) for plane in event.planes) == own.stop - own.start
    for v, plane in enumerate(event.planes):
        here = rows.columns["view"][own] == v
        order = np.lexsort(plane.place.T[::-1])
        np.testing.assert_array_equal(plane.true[order], rows.columns["semantic"][own][here])
        pixel = np.ravel_multi_index(tuple(plane.place[order].T), SHAPE)
        np.testing.assert_array_equal(pixel, rows.columns["pixel"][own][here])
        assert not plane.wrong[plane.true == 5].any()
    assert not event.weighted


def test_weights_are_those_of_the_training(found: Found) -> None:
    _, (event,) = found("semantic", [2], TASKS["ssnet"].train.weights)
    assert event.weighted
    for plane in event.planes:
        assert (plane.weight[plane.true == 5] == 0).all()
        assert (plane.weight[plane.true != 5] > 0).all()


def test_clusters_have_the_label_of_their_particle(found: Found) -> None:
    """Four fifths of each particle's pixels are in one cluster: that is it."""
    _, (event,) = found("instance", [3])
    assert len(event.labels) == 3
    for plane in event.planes:
        in_cluster = plane.found != NOBODY
        np.testing.assert_array_equal(plane.found[in_cluster], plane.true[in_cluster])
        assert plane.wrong.sum() == (~in_cluster & (plane.true != NOBODY)).sum()


def test_vertices_and_boxes_are_where_they_are(found: Found) -> None:
    findings, (event,) = found("vertex", [4])
    for v, plane in enumerate(event.planes):
        true, best = plane.marks
        place = findings.columns["vertex_pixel"][4, 2 * v : 2 * v + 2]
        assert (true.row, true.column) == tuple(place)
        assert best.score is not None
        correct, predicted = plane.boxes
        assert correct.true
        np.testing.assert_allclose(np.array(predicted.corners) - correct.corners, 1, atol=1e-5)
        assert all(np.array(plane.low) < place)
        assert all(place < np.array(plane.high))


@pytest.mark.parametrize("target", ["semantic", "instance", "vertex", "points"])
def test_an_empty_event_is_drawn(target: str, found: Found) -> None:
    """It is never ranked, but a picture of it must not fail."""
    findings, (event,) = found(target, [1])
    assert 1 not in [r.event for r in ranked(findings)]
    figure = found_pictures._DRAWN[target][0](event)
    assert len(figure.axes) >= 3
    (shown,) = display([event])["events"]
    assert shown["name"] == "1:0:10"
    assert all(plane["row"] == [] for plane in shown["planes"])


def test_voxels_are_projected() -> None:
    """Each picture has of several voxels in one place the brightest."""
    voxels = np.ravel_multi_index(([0, 1, 1], [2, 0, 2], [3, 3, 3]), (2, 3, 4))
    order = np.argsort(voxels)
    rows = [
        {"pixel": voxels[k], "value": (5.0, 1.0, 2.0)[k], "semantic": k, "scores": [1, 0, 0, 0, 0]}
        for k in order
    ]
    findings = made_up.findings(
        "semantic", {"pixels": [rows]}, shape=(2, 3, 4), views=("xyz",), pixel_mm=(3.0, 4.0, 5.0)
    )
    sides = zip("xyz", (2, 3, 4), (3.0, 4.0, 5.0), strict=True)
    header: Any = SimpleNamespace(
        shape=(2, 3, 4),
        views=("xyz",),
        maker={UNITS: {"mm": 1.0}},
        axes={"xyz": tuple(Axis(name, "mm", 0.0, n * size, n) for name, n, size in sides)},
    )
    images: Any = SimpleNamespace(
        header=header, key=findings.key, paths=["v.h5"], read=lambda *_: None
    )
    (event,) = found_events(findings, [Ranked(0, "best", "")], images, Path("c.ckpt"))
    xy, xz, yz = event.planes
    assert [plane.title for plane in event.planes] == ["xy", "xz", "yz"]
    assert xy.axes == ("x", "y")
    assert yz.pixel == (0.4, 0.5)
    assert yz.place.tolist() == [[0, 3], [2, 3]]
    assert yz.value.tolist() == [1, 5]
    assert yz.true.tolist() == [1, 0]
    assert xz.wrong.tolist() == [False, True]


def test_one_method_alone(tmp_path: Path) -> None:
    task = TASKS["vertex"].model_copy(update={"baselines": []})
    config = write_found(tmp_path / "results", {"alone": task})
    build_report(config, tmp_path / "report.html")
    assert "nothing to compare with" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_points_of_all_kinds_are_in_the_figures(found: Found) -> None:
    """True points are open, those found filled."""
    _, (event,) = found("points", [5])
    figure = found_pictures.points(event)
    for axes, plane in zip(figure.axes, event.planes, strict=False):
        assert len(axes.lines) == len(plane.marks) == 2
        assert axes.lines[0].get_markerfacecolor() == "none"
        assert axes.lines[1].get_markerfacecolor() != "none"
