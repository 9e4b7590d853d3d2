"""The page with classifications of events: alone, and beside an identification of tracks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from hepcnn.config import ClassTask, Config, Network
from hepcnn.errors import InputError
from hepcnn.report import style
from hepcnn.report.page import build_report
from hepcnn.report.results import read_results

Make = Callable[..., Config]
TASK = ClassTask(
    images="planes",
    target="interaction",
    networks={"tower": Network(architecture="siamese")},
    baselines=["majority", "charge_tree"],
)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Files are named and not drawn; test_report_figures.py lays figures out."""

    def save(figure: Figure, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.pdf").touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.ConstrainedLayoutEngine, "execute", lambda *_: None)
        patch.setattr(style, "save", save)
        yield


@pytest.fixture(scope="module")
def results(add_planes: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    folder = tmp_path_factory.mktemp("planes") / "results"
    return folder, add_planes(folder, {"lartpc_event": TASK})


@pytest.fixture(scope="module")
def page(results: tuple[Path, Config]) -> str:
    build_report(results[1], results[0] / "report.html")
    return (results[0] / "report.html").read_text(encoding="utf-8")


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("</style>", 1)[1]))


def test_all_parts_are_there_and_links_lead_somewhere(page: str) -> None:
    ids = set(re.findall(r'id="([^"]+)"', page.split("<main", 1)[1]))
    parts = ("comparison", "confusion", "energy", "selection", "events", "pairs", "calibration")
    assert {f"task-1-{part}" for part in (*parts, "training", "population")} <= ids
    assert {"images-1-cutflow", "images-1-examples", "images-1-occupancy"} <= ids
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= ids | {"top"}
    assert page.count("<script") == 2  # what is packed, and what unpacks it


def test_pixels_are_as_long_as_the_images_say(page: str) -> None:
    """In mm: what a tick is depends on the sample."""
    said = "planes of beam: U, V, Y, 64 × 72 pixels of 3.29 mm × 3 mm, region charge"
    assert said in _text(page)


@pytest.mark.usefixtures("page")
def test_figures_are_put_beside_the_tables(results: tuple[Path, Config]) -> None:
    figures = results[0] / "tasks" / "lartpc_event" / "figures"
    names = {path.stem for path in figures.iterdir()}
    assert {
        *("summary", "selection", "areas", "training", "reliability", "probability_tower"),
        *("efficiency_energy", "purity_energy", "separation_nue_cc_nc", "confusion_charge_tree"),
        *("differences_0", "differences_3", "event_right_tower", "filters_tower"),
    } <= names
    images = {path.stem for path in (results[0] / "images" / "planes" / "figures").iterdir()}
    assert {"occupancy", "event_numu_cc", "event_cosmic"} <= images


def test_the_summary_says_how_good_the_best_network_is(
    page: str, results: tuple[Path, Config]
) -> None:
    table = read_results(results[1]).tasks["lartpc_event"].tables["classes"].records
    (accuracy,) = (
        r["efficiency"] for r in table if (r["method"], r["class"]) == ("tower", "accuracy")
    )
    text = _text(page)
    assert f"tower calls {100 * accuracy:.1f}" in text
    tables = read_results(results[1]).tasks["lartpc_event"].tables
    compared = [r for r in tables["comparison"].records if r["figure"] == "accuracy"]
    # Of 60 events, and corrected for all comparisons.
    assert {r["better"] for r in compared if r["method"] == "tower"} == {"–"}
    assert "not told apart from majority and charge_tree" in text
    (claim,) = (r["verdict"] for r in tables["claims"].records if r["figure"] == "accuracy")
    assert f"It {claim}" in text
    assert "one of numu_cc, nue_cc, nc and cosmic" in text


def test_words_are_those_of_events_alone(page: str) -> None:
    text = _text(page)
    assert "Area under the curve" in text
    assert "NNDLLK" not in text
    assert "PID printout" not in text
    assert "tracks" not in text.split("Provenance")[0].lower().split("the whole configuration")[0]


def test_tables_are_to_be_had_as_files(page: str) -> None:
    links = set(re.findall(r'download="([^"]+)"', page))
    assert {"classes.csv", "published.json", "selection.csv", "pairs.csv", "energy.csv"} <= links


def test_both_detectors_on_one_page(
    add_planes: Make, make_results: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "svg", lambda _: "<svg/>")
    folder = tmp_path / "results"
    rich = make_results(folder, tracks=300, events=8, classes=("pion", "kaon"))
    config = add_planes(folder, {"lartpc_event": TASK}, rich)
    build_report(config, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = _text(page)
    for part in ("NNDLLK", "Area under the curve", "PID printout", "Task lartpc_event", "rich_pid"):
        assert part in text
    assert {"images-1-means", "images-2-occupancy"} <= set(re.findall(r'id="([^"]+)"', page))


def test_one_method_alone_and_no_altered_sample(
    add_planes: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "svg", lambda _: "<svg/>")
    task = TASK.model_copy(update={"baselines": []})
    config = add_planes(tmp_path / "results", {"alone": task})
    build_report(config, tmp_path / "report.html")
    assert "nothing to compare with" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_missing_checkpoint_is_named_with_its_command(add_planes: Make, tmp_path: Path) -> None:
    config = add_planes(tmp_path / "results", {"event": TASK})
    (tmp_path / "results" / "tasks" / "event" / "tower" / "checkpoint.ckpt").unlink()
    with pytest.raises(InputError, match=r"checkpoint\.ckpt: no such file; .*hepcnn train"):
        read_results(config)
