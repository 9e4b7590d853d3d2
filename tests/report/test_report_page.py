"""The page: whole, self-contained, safe, and clear about what is missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from packed_files import packed_files

from hepcnn.config import Config, Network, PidTables, PidTask, RichSample, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError
from hepcnn.report import curves, style
from hepcnn.report.blocks import LONG
from hepcnn.report.page import build_report
from hepcnn.report.pid_merits import headline
from hepcnn.report.polar_section import mean_images, ring_radius
from hepcnn.report.results import read_results
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions, write_predictions
from hepcnn.store.shard import Skipped
from hepcnn.validation.checks import Check, Row, checks_table, write_checks

Make = Callable[..., Config]


class Reader(HTMLParser):
    """Collects the tags with their attributes, the ids and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _build(config: Config, folder: Path) -> str:
    page = folder / "report.html"
    build_report(config, page)
    return page.read_text(encoding="utf-8")


def _name_only(figure: Figure, folder: Path, name: str) -> None:
    """Stands for `style.save`, which test_report_figures.py tests: PDFs take half of the time."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("pdf", "png"):
        (folder / f"{name}.{suffix}").touch()


@pytest.fixture(scope="module", autouse=True)
def _no_layout() -> Iterator[None]:
    """Half of the rest of the time; test_report_figures.py lays every kind of figure out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.ConstrainedLayoutEngine, "execute", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def results(make_results: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    folder = tmp_path_factory.mktemp("whole") / "results"
    return folder, make_results(folder, classes=("pion", "kaon", "proton"))


@pytest.fixture(scope="module")
def page(results: tuple[Path, Config]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "save", _name_only)
        return _build(results[1], results[0])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures for the page only."""
    monkeypatch.setattr(style, "save", lambda *_: None)


@pytest.fixture
def undrawn(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figure at all: for what the page says beside them."""
    monkeypatch.setattr(style, "svg", lambda _: "<svg/>")


def _linked(page: str) -> list[str]:
    """Everything that the page, its style and the figures within it would load or lead to."""
    found = re.findall(r"(?:src|href|srcset|action|data)=[\"']([^\"']*)", page)
    found += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", page)
    for media, content in packed_files(page).values():
        if media.startswith("image/svg"):
            found += re.findall(r"href=[\"']([^\"']*)", content.decode())
            found += re.findall(r"url\(([^)]*)\)", content.decode())
    return [link if isinstance(link, str) else "".join(link) for link in found]


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    links = _linked(page)
    assert len(links) > 50
    assert [link for link in links if not link.startswith(("data:", "#"))] == []
    assert re.findall(r"<script[^>]*src", page) == []
    assert "<link" not in page


def test_links_within_the_page_lead_somewhere(page: str) -> None:
    reader = Reader(page)
    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    targets = {href[1:] for a in reader.all("a") if (href := a.get("href") or "").startswith("#")}
    assert targets
    assert targets <= ids


def test_every_figure_has_a_text_in_its_place(page: str) -> None:
    images = Reader(page).all("img")
    assert len(images) > 15
    assert all(len(image["alt"] or "") > 20 for image in images)


def test_tables_have_captions_and_their_files(page: str, results: tuple[Path, Config]) -> None:
    assert page.count('<figure class="table">') == page.count("<table>")
    links = {a["download"]: a["data-file"] for a in Reader(page).all("a") if "download" in a}
    files = packed_files(page)
    folder = results[0] / "tasks" / "rich_pid" / "tables"
    for name in ("comparison.csv", "efficiency.json", "confusion_majority.csv"):
        media, content = files[links[name] or ""]
        assert media.startswith({"csv": "text/csv", "son": "application/json"}[name[-3:]])
        assert content == (folder / name).read_bytes()


def test_each_file_is_packed_once_and_every_one_is_used(page: str) -> None:
    files, used = packed_files(page), re.findall(r'data-file="([^"]*)"', page)
    assert set(used) == set(files)
    assert len(set(files.values())) == len(files)


def test_long_tables_load_folded(page: str) -> None:
    """A table that stands open has no more rows than fit a screen."""
    depth, rows = 0, []
    for tag in re.findall(r"<(/?details|table|tr)\b", page):
        if tag == "table":
            rows.append(0)
        elif tag == "tr":
            rows[-1] += not depth
        else:
            depth += 1 if tag == "details" else -1
    assert max(rows) <= LONG + 2


def test_numbers_are_those_of_the_tables(page: str, results: tuple[Path, Config]) -> None:
    folder = results[0] / "tasks" / "rich_pid" / "tables"
    text = Reader(page).text
    assert (folder / "printout_lecture_cnn.txt").read_text(encoding="utf-8") in text
    assert "400" in text  # tracks of the images, from the cutflow
    assert "2019" in text  # the seed


@pytest.mark.usefixtures("page")
def test_figures_are_put_beside_the_tables(results: tuple[Path, Config]) -> None:
    folder = results[0] / "tasks" / "rich_pid" / "figures"
    names = {path.name for path in folder.iterdir()}
    assert {"kaon_pion.pdf", "kaon_pion.png", "confusion_lecture_cnn.pdf", "training.png"} <= names
    assert (results[0] / "images" / "rich_polar" / "figures").is_dir()


@pytest.mark.usefixtures("quick")
def test_the_same_results_give_the_same_bytes(
    page: str, results: tuple[Path, Config], tmp_path: Path
) -> None:
    assert _build(results[1], tmp_path) == page


@pytest.mark.usefixtures("quick")
def test_hostile_text_several_tasks_image_sets_and_a_shard_left_over(
    make_results: Make, make_shards: Callable[..., list[Path]], tmp_path: Path
) -> None:
    name, network, images = "a-first", "my_own", "others"
    hostile = "<script>alert(1)</script> <b onload='x$y'>&"
    tasks = {
        name: PidTask(images=images, networks={network: Network(architecture="mlp")}, baselines=[]),
        "second": PidTask(
            images="plain", networks={"mlp": Network()}, baselines=["majority"], remark=hostile
        ),
    }
    toys = {"tracks": 500, "events": 40, "classes": ("pion", "kaon")}
    config = make_results(tmp_path / "results", tasks, **toys)
    (left_over,) = make_shards(tmp_path, shards=1, events=4, seed=9)
    shutil.copy(left_over, tmp_path / "results" / "images" / "plain" / "9999.h5")
    reader = Reader(_build(config, tmp_path))
    assert len(reader.all("script")) == 2  # what is packed, and what unpacks it
    assert not any("onload" in attributes for _, attributes in reader.tags)
    for text in (f"Task {name}", network, "Task second", f"Images {images}", "Images plain"):
        assert text in reader.text
    assert "The task has one method" in reader.text
    assert "1 other shard in the folder of plain" in reader.text
    assert "9999.h5" not in reader.text


@pytest.fixture(scope="module")
def everything(make_results: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    """Results with an ablation, an altered sample, the global likelihood and a validation."""
    folder = tmp_path_factory.mktemp("everything") / "results"
    task = PidTask(
        images="rich_polar",
        networks={"first": Network(architecture="mlp"), "second": Network(architecture="mlp")},
        baselines=["majority"],
        robustness=["dark"],
        tables=PidTables(ablation=["first", "second"]),
    )
    config = make_results(folder, {"rich_pid": task}, tracks=500, events=8)
    rows = (Row("σ (mrad)", 0.3, 0.2, 0.4),), (Row("hits", 7.0, 1.0, 5.0),)
    checks = [
        Check(name, "a sentence", row, lambda: curves.momentum({"pion": np.array([5000.0])}))
        for name, row in zip(("resolution", "occupancy"), rows, strict=True)
    ]
    settings = {"sample": "rich", "simulate": {"tracks": 100.0}}
    made = {"id": "checked", "stage": "validate", "inputs": {}, "settings": settings}
    write_checks(folder / "validation" / "rich", checks_table(checks, "Checks"), checks, made)
    return folder, config.model_copy(update={"validation": ["rich"]})


@pytest.mark.usefixtures("undrawn")
def test_ablation_robustness_and_validation_are_shown(
    everything: tuple[Path, Config], tmp_path: Path
) -> None:
    page = _build(everything[1], tmp_path)
    reader = Reader(page)
    ids = {attributes.get("id") for _, attributes in reader.tags}
    assert {"task-1-ablation", "task-1-robustness", "validation-1"} <= ids
    assert "1 of 2 checks pass" in re.sub(r"\s+", " ", reader.text)
    assert "occupancy: failed." in reader.text
    assert '<td class="failed">FAIL</td>' in page
    assert reader.text.count("FAIL: occupancy") == 1
    links = {a["download"] for a in reader.all("a") if "download" in a}
    assert {"ablation.csv", "robustness.csv", "checks.csv", "reliability.csv"} <= links
    for text in ("predictions@dark.h5", "validation/rich", "checked"):
        assert text in reader.text
    files = packed_files(page)
    shown = [files[image["data-file"] or ""] for image in reader.all("img")]
    assert sum(media == "image/png" for media, _ in shown) == 2


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("tasks/rich_pid/first/predictions@dark.h5", "--altered dark"),
        ("validation/rich/checks.json", "hepcnn validate rich"),
        ("validation/rich/figures/occupancy.png", "hepcnn validate rich"),
    ],
)
def test_a_missing_check_or_altered_sample_is_named(
    everything: tuple[Path, Config], tmp_path: Path, missing: str, command: str
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(everything[0], folder)
    (folder / missing).unlink()
    with pytest.raises(InputError, match=re.escape(missing)) as error:
        read_results(everything[1].model_copy(update={"output": str(folder)}))
    assert command in str(error.value)


def test_tables_made_of_other_altered_predictions_are_refused(
    everything: tuple[Path, Config], tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(everything[0], folder)
    path = folder / "tasks" / "rich_pid" / "first" / "predictions@dark.h5"
    write_predictions(path, replace(read_predictions(path), provenance={"id": "another"}))
    with pytest.raises(InputError, match="made of other predictions"):
        read_results(everything[1].model_copy(update={"output": str(folder)}))


def test_checks_of_another_simulation_are_refused(everything: tuple[Path, Config]) -> None:
    other = RichSample(simulate=RichSimulation(tracks=50))
    config = everything[1].model_copy(update={"samples": everything[1].samples | {"rich": other}})
    with pytest.raises(InputError, match=r"checks\.json: made with 'tracks' 100.* validate rich"):
        read_results(config)


def test_the_headline_says_who_is_best_and_who_is_not_worse(
    everything: tuple[Path, Config],
) -> None:
    """Two networks with the same scores are alike, and both better than the majority class."""
    found = headline(read_results(everything[1]).tasks["rich_pid"])
    assert found.network == "first"
    assert (found.better, found.alike, found.worse) == (["majority"], ["second"], [])
    titles = [f"K → K at {misid} % π → K" for misid in (1, 3, 5, 10)]
    assert [m.title for m in found.merits] == titles
    assert found.merits[2].others == {"majority": "5.0 ± 0.0"}
    assert all(m.better for m in found.merits)


def test_no_task_two_views_and_species_without_tracks(
    make_results: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = [Skipped("bad.root", "truncated", 12), Skipped("worse.root", "no tree", -1)]
    monkeypatch.setattr(style, "save", lambda *_: None)
    monkeypatch.setattr(style, "svg", lambda _: "<svg/>")
    monkeypatch.setattr(ImageSet, "skipped", property(lambda _: skipped))
    warnings = [(Path("0001.h5"), "only 3 of 7 hits")]
    monkeypatch.setattr(ImageSet, "warnings", property(lambda _: warnings))
    config = make_results(
        tmp_path / "results",
        {},
        events=40,
        views=("rich1", "rich2"),
        abundance=(0, 0, 0.5, 0.5, 0, 0),
    )
    reader = Reader(_build(config, tmp_path))
    assert "PID printout" not in reader.text
    for text in (
        "2 files were left out",
        "with 12 events and an unknown number more",
        "bad.root",
        "truncated",
        "Something looks wrong in rich_polar",
        "only 3 of 7 hits",
    ):
        assert text in reader.text
    alts = [image["alt"] or "" for image in reader.all("img")]
    assert sum("Image of one" in alt and "RICH2" in alt for alt in alts) == 2


def _shards(folder: Path) -> Path:
    return folder / "images" / "rich_polar"


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("images/rich_polar", "hepcnn convert"),
        ("tasks/rich_pid/lecture_cnn/history.csv", "hepcnn train"),
        ("tasks/rich_pid/lecture_cnn/predictions.h5", "hepcnn predict"),
        ("tasks/rich_pid/majority/predictions.h5", "--baseline majority"),
        ("tasks/rich_pid/tables/efficiency.json", "hepcnn evaluate"),
        ("tasks/rich_pid/tables/printout_majority.txt", "hepcnn evaluate"),
    ],
)
def test_a_missing_file_is_named_with_its_command(
    make_results: Make, tmp_path: Path, missing: str, command: str
) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8)
    path = tmp_path / "results" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(InputError, match=re.escape(missing)) as error:
        build_report(config, tmp_path / "report.html")
    assert command in str(error.value)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("lecture_cnn/history.csv", "epoch,loss\n1,2\n"),
        ("lecture_cnn/history.csv", ""),
        ("tables/efficiency.json", "{"),
        ("tables/efficiency.json", "[]"),
        ("tables/efficiency.json", '{"name": "efficiency"}'),
    ],
)
def test_a_damaged_file_is_named(make_results: Make, tmp_path: Path, file: str, text: str) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8)
    (tmp_path / "results" / "tasks" / "rich_pid" / file).write_text(text)
    with pytest.raises(InputError, match=re.escape(file)):
        build_report(config, tmp_path / "report.html")


def test_files_that_do_not_belong_together_are_refused(make_results: Make, tmp_path: Path) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8)
    task = config.tasks["rich_pid"]
    tables = task.tables.model_copy(update={"momentum_range": (3000.0, 50_000.0)})
    other = config.model_copy(
        update={"tasks": {"rich_pid": task.model_copy(update={"tables": tables})}}
    )
    with pytest.raises(InputError, match="momentum_range"):
        build_report(other, tmp_path / "report.html")

    path = tmp_path / "results" / "tasks" / "rich_pid" / "tables" / "species.json"
    path.write_text(path.read_text().replace("rich_pid-majority", "another"))
    with pytest.raises(InputError, match=r"species\.json: made of other predictions"):
        build_report(config, tmp_path / "report.html")


def test_shards_that_no_prediction_was_made_of_are_ignored_and_counted(
    make_results: Make, make_shards: Callable[..., list[Path]], tmp_path: Path
) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8, classes=("pion", "kaon"))
    (left_over,) = make_shards(tmp_path, shards=1, events=4, seed=9, shape=(16, 16))
    shutil.copy(left_over, _shards(tmp_path / "results") / "9999.h5")
    shown = read_results(config).images["rich_polar"]
    assert [path.name for path in shown.images.paths] == ["0000.h5", "0001.h5"]
    assert shown.ignored == 1


def test_predictions_of_shards_that_are_gone_are_refused(
    make_results: Make, make_shards: Callable[..., list[Path]], tmp_path: Path
) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8)
    folder = _shards(tmp_path / "results")
    (folder / "0001.h5").unlink()
    with pytest.raises(InputError, match=r"no longer holds the shards .* 'majority'"):
        read_results(config)
    # One of them was converted anew since, the other is as it was.
    (other,) = make_shards(tmp_path, shards=1, events=4, seed=9, classes=SPECIES)
    shutil.copy(other, folder / "0001.h5")
    with pytest.raises(InputError, match="no longer holds the shards"):
        read_results(config)


def test_no_shard_of_a_network_may_be_gone_either(make_results: Make, tmp_path: Path) -> None:
    tasks = {"rich_pid": PidTask(images="rich_polar", baselines=[])}
    config = make_results(tmp_path / "results", tasks, tracks=200, events=8)
    path = tmp_path / "results" / "tasks" / "rich_pid" / "lecture_cnn" / "predictions.h5"
    made = read_predictions(path)
    inputs = made.provenance["inputs"] | {"checkpoint.ckpt": "its id"}
    write_predictions(path, replace(made, provenance={**made.provenance, "inputs": inputs}))
    assert read_results(config).images["rich_polar"].ignored == 0
    (_shards(tmp_path / "results") / "0000.h5").unlink()
    with pytest.raises(InputError, match="'lecture_cnn'"):
        read_results(config)


def test_scores_of_events_that_were_trained_on_are_refused(
    make_results: Make, tmp_path: Path
) -> None:
    config = make_results(tmp_path / "results", tracks=200, events=8)
    path = tmp_path / "results" / "tasks" / "rich_pid" / "lecture_cnn" / "predictions.h5"
    made = read_predictions(path)
    settings = {"settings": {"part": "train"}}
    write_predictions(path, replace(made, provenance={**made.provenance, **settings}))
    with pytest.raises(InputError, match="split 'train'"):
        read_results(config)


def test_mean_images_are_sums_over_tracks(make_shards: Callable[..., list[Path]], tmp_path) -> None:
    images = ImageSet(make_shards(tmp_path, events=20))
    everything = images.read(0, len(images))
    sparse = everything.views["rich1"]
    dense = np.zeros((len(images), 64))
    rows = np.repeat(np.arange(len(images)), np.diff(sparse.offsets))
    dense[rows, sparse.pixel] = sparse.value[:, 0]
    for index, (mean, count) in enumerate(mean_images(images, "rich1").values()):
        own = dense[images.labels("species") == index]
        assert count == len(own)
        np.testing.assert_allclose(mean.ravel(), own.mean(axis=0))


def test_expected_rings_are_those_of_the_field() -> None:
    rich1 = load_geometry("lhcb-run3")["rich1"]
    saturated = ring_radius(rich1, "electron", 50_000)
    assert 94 < saturated < 98  # PHYSICS: radii of 94 to 97 mm
    assert ring_radius(rich1, "kaon", 40_000) < saturated
    assert np.isnan(ring_radius(rich1, "kaon", 8_000))


def _with_seeds(make_results: Make, folder: Path, seeds: int) -> Config:
    networks = {"net": Network(seeds=seeds), "other": Network(architecture="mlp")}
    task = PidTask(images="rich_polar", networks=networks, baselines=["majority", "momentum_prior"])
    return make_results(folder, {"rich_pid": task}, events=12)


@pytest.mark.usefixtures("undrawn")
def test_what_is_claimed_stands_first(make_results: Make, tmp_path: Path) -> None:
    config = _with_seeds(make_results, tmp_path / "results", 5)
    text = re.sub(r"\s+", " ", Reader(_build(config, tmp_path)).text)
    assert "It exceeds every baseline by 3 sigma, seeds included." in text
    assert "(chosen of 2 networks by the lowest validation loss)" in text
    assert "net, trained 5 times: at most" in text
    assert "Networks trained several times" in text


def test_a_network_trained_once_claims_nothing(make_results: Make, tmp_path: Path) -> None:
    config = _with_seeds(make_results, tmp_path / "results", 1)
    found = headline(read_results(config).tasks["rich_pid"])
    assert found.rival is not None
    assert not found.rival.beaten
    assert "trained once" in found.rival.verdict
    assert found.better == ["majority", "momentum_prior"]


def test_the_headline_is_chosen_by_the_validation_not_by_the_test_sample(
    everything: tuple[Path, Config], tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(everything[0], folder)
    history = folder / "tasks" / "rich_pid" / "first" / "history.csv"
    history.write_text(history.read_text().replace(",0.6,", ",0.9,"))
    config = everything[1].model_copy(update={"output": str(folder)})
    assert headline(read_results(config).tasks["rich_pid"]).network == "second"
