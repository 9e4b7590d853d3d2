"""The report: one self-contained HTML page that works offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import yaml

from hepcnn.config import Config, PolarImages
from hepcnn.files import write_text
from hepcnn.provenance import record
from hepcnn.report import style
from hepcnn.report.blocks import Grid, Picture, Studio, from_file, grid
from hepcnn.report.class_section import ClassSection, class_section
from hepcnn.report.drawing import draw_all
from hepcnn.report.finding_section import FindingSection, finding_section
from hepcnn.report.image_section import ImageSection
from hepcnn.report.packed import File, Packed
from hepcnn.report.pid_section import PidSection, pid_section
from hepcnn.report.plane_section import plane_section
from hepcnn.report.polar_section import polar_section
from hepcnn.report.results import (
    AnyResults,
    FindingResults,
    PidResults,
    Results,
    ShownImages,
    Validation,
    read_results,
)

TaskSection = PidSection | ClassSection | FindingSection


@dataclass(frozen=True)
class ValidationSection:
    """Checks of one detector: how many passed, their table and their figures."""

    name: str
    checks: int
    failed: Sequence[str]
    table: Grid
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    config: Config
    settings: str
    images: Sequence[ImageSection]
    tasks: Sequence[TaskSection]
    validation: Sequence[ValidationSection]
    origins: Grid
    versions: Grid
    record: Mapping[str, Any]


def build_report(config: Config, output: Path, processes: int = 1) -> None:
    """Read the results of a configuration, draw all figures and write the page.

    The figures are put beside what they show too, as PDF and PNG: in ``tasks/TASK/figures`` and
    ``images/IMAGESET/figures`` of the results folder. Equal results give equal bytes.

    Parameters
    ----------
    config : Config
        Says what there is to show and in which folder.
    output : Path
        The page.
    processes : int
        Sections drawn at a time, each by a process with a thread.

    Raises
    ------
    InputError
        If a result is missing, with the command that makes it; if one is damaged, or does not
        belong to the others; if a file cannot be written; or if a process was killed.
    """
    results = read_results(config)
    folder = Path(config.output)
    tasks = [
        partial(_task, found, results.images, Studio(folder / "tasks" / name / "figures"))
        for name, found in results.tasks.items()
    ]
    images = [
        partial(_images, config, name, found, Studio(folder / "images" / name / "figures"))
        for name, found in results.images.items()
    ]
    # Tasks first: they take longest.
    drawn: list[Any] = draw_all([*tasks, *images], processes)
    page = _page(results, drawn[len(tasks) :], drawn[: len(tasks)])
    write_text(output, render(page))


def _images(config: Config, name: str, found: ShownImages, studio: Studio) -> ImageSection:
    settings = config.images[name]
    if isinstance(settings, PolarImages):
        geometry = config.samples[settings.sample].geometry
        return polar_section(name, settings, geometry, found, studio)
    return plane_section(name, settings, found, studio)


def _task(found: AnyResults, images: Mapping[str, ShownImages], studio: Studio) -> TaskSection:
    if isinstance(found, PidResults):
        return pid_section(found, studio)
    seen = images[found.settings.images_of(found.settings.methods[0])].images
    if isinstance(found, FindingResults):
        return finding_section(found, seen, studio)
    return class_section(found, seen, studio)


def render(page: Page) -> str:
    """Fill the template; all text from outside is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hepcnn", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Compact; the filter escapes what could end a script.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    packed = Packed()
    environment.globals["pack"] = packed.pack
    return environment.get_template("page.html").render(page=page, packed=packed.files)


def _page(results: Results, images: Sequence[ImageSection], tasks: Sequence[TaskSection]) -> Page:
    rows: list[tuple[str, Mapping[str, Any]]] = list(_origins(results))
    own = record(
        "report",
        {"output": results.config.output},
        code=__name__,
        inputs={what: origin["id"] for what, origin in rows},
    )
    rows.append(("this page", own))
    stages = [[what, *_origin(made)] for what, made in rows]
    versions: dict[str, dict[str, str]] = {}
    for _, made in rows:
        for name, version in dict(made.get("versions", {})).items():
            versions.setdefault(name, {})[version] = ""
    return Page(
        config=results.config,
        settings=yaml.safe_dump(results.config.model_dump(mode="json"), sort_keys=False),
        images=images,
        tasks=tasks,
        validation=[_validation(name, v) for name, v in results.validation.items()],
        origins=grid(
            "Where each file comes from. Equal ids mean equal contents",
            ("file", "stage", "id", "code", "seed", "made from"),
            stages,
        ),
        versions=grid(
            "Versions of the software that made them",
            ("software", "version"),
            [(name, ", ".join(found)) for name, found in versions.items()],
        ),
        record=own,
    )


def _validation(name: str, found: Validation) -> ValidationSection:
    records, table = found.checks.records, from_file(found.checks)
    failed = dict.fromkeys(r["check"] for r in records if r["result"] != "pass")
    pictures = [
        Picture(
            File(png, "png"),
            style.png_size(png),
            alt=f"Figure of the check {check} of {name}",
            caption=f"{check}: {'failed' if check in failed else 'passed'}.",
        )
        for check, png in found.figures.items()
    ]
    return ValidationSection(name, len(found.figures), list(failed), table, pictures)


def _origins(results: Results) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every file that the page is made of, with its record."""
    folder = Path(results.config.output)

    def short(path: Path) -> str:
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

    for shown in results.images.values():
        yield from zip(map(short, shown.images.paths), shown.images.provenance, strict=True)
    for name, task in results.tasks.items():
        for method, provenance in task.provenance.items():
            yield f"tasks/{name}/{method}/predictions.h5", provenance
        for key, provenance in task.altered.items():
            method, _, altered = key.rpartition("@")
            yield f"tasks/{name}/{method}/predictions@{altered}.h5", provenance
        yield f"tasks/{name}/tables", next(iter(task.tables.values())).provenance
    for name, validation in results.validation.items():
        yield f"validation/{name}", validation.checks.provenance


def _origin(provenance: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Stage, id, code, seed and inputs of a record, as text."""
    seed = provenance.get("seed")
    return (
        str(provenance.get("stage", "unknown")),
        str(provenance.get("id", "unknown")),
        str(provenance.get("code", "unknown")),
        "none" if seed is None else str(seed),
        ", ".join(f"{Path(k).name} {v}" for k, v in provenance.get("inputs", {}).items()),
    )
