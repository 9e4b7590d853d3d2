"""Figures of tasks that ask what is where: figures of merit by method, against energy, distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from hepcnn.report import comparisons, curves, matrices, merit_figures
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.merit_figures import Headline
from hepcnn.report.reading import TableFile
from hepcnn.report.records import Estimate, distinct, estimate, number, of, points
from hepcnn.report.results import FindingResults
from hepcnn.report.style import Look, hide_panels, label_panels, plain, styled

#: A fraction at each distance (cm).
_Within = list[tuple[float, Estimate]]
#: Values of methods by figure of merit.
Values = dict[str, dict[str, Estimate]]
_Looks = Mapping[str, Look]
_EDGES = ("energy_low", "energy_high")


def figures(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    """What is shown first of a task: its figures of merit of all methods."""
    drawn = [_merits(task, look, studio), *_MORE[task.settings.target](task, look, studio)]
    table, columns, titles = _ENERGY.get(task.settings.target, ("", (), ()))
    if table:
        drawn.append(_energy(task.tables[table], columns, titles, look, studio))
    return drawn


def values(task: FindingResults) -> Values:
    """The figures of merit of every method, by the names that the comparison has for them."""
    return _VALUES[task.settings.target](task.tables)


def headline(task: FindingResults) -> Headline:
    """The network that the validation chooses, by the first of the figures of merit."""
    found, settings = values(task), task.settings
    shown = dict(list(found.items())[: _CARDS[settings.target]])
    for r in task.tables["claims"].records:  # networks as they are compared: of all trainings
        if r["figure"] in shown:
            shown[r["figure"]][r["method"]] = estimate(r, "value")
    titles = {figure: figure for figure in shown}
    return merit_figures.headline(task, shown, titles, next(iter(found)), list(settings.baselines))


def differences(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    """Every method minus the first by all figures of merit of the comparison."""
    records = task.tables["comparison"].records
    if not records:
        return []
    found: Values = {}
    for r in records:
        found.setdefault(r["figure"], {})[r["method"]] = estimate(r, "difference")
    first = records[0]["other"]
    return [
        studio.picture(
            comparisons.merits(found, look, f"difference from {plain(first)}", signed=True),
            "differences",
            alt=f"Difference of every method from {first} in each figure of merit, with errors",
            caption=f"Each method minus {first}, paired on the same events: to the left of 0 it "
            f"is worse than {first}.",
            wide=True,
        )
    ]


def confusions(task: FindingResults, studio: Studio) -> list[Picture]:
    """The confusion matrix of the pixels of each method, where they have classes."""
    drawn = []
    for method in task.settings.methods:
        table = task.tables.get(f"confusion_{method}")
        if table is None:
            continue
        true, called = distinct(table.records, "true"), distinct(table.records, "called")
        rate, counts = np.full((len(called), len(true)), np.nan), dict.fromkeys(true, 0)
        for r in table.records:
            rate[called.index(r["called"]), true.index(r["true"])] = number(r["of_true"])
            counts[r["true"]] += int(r["pixels"])
        drawn.append(
            studio.picture(
                matrices.confusion(rate, true, called, list(counts.values()), "class", "pixels"),
                f"confusion_{method}",
                alt=f"Confusion matrix of {method}: true classes of pixels in columns",
                caption=f"{method}. Each column sums to 100 %; the diagonal is the efficiency.",
            )
        )
    return drawn


def _by_method(records: Iterable[Mapping[str, Any]], column: str) -> dict[str, Estimate]:
    return {r["method"]: estimate(r, column) for r in records}


def _less(wrong: Estimate) -> Estimate:
    """One minus a fraction."""
    return Estimate(1 - wrong.value, wrong.err_high, wrong.err_low)


def _pixel_values(tables: Mapping[str, TableFile]) -> Values:
    records, found = tables["pixels"].records, Values()
    for name in distinct(records, "classes"):
        own = _by_method(of(records, classes=name), "wrong")
        found[f"right pixels, {name}"] = {m: _less(wrong) for m, wrong in own.items()}
    for name in distinct(records, "classes"):
        found[f"mean IoU, {name}"] = _by_method(of(records, classes=name), "mean_iou")
    classes = tables["pixel_classes"].records
    for name in distinct(classes, "class"):
        rows = of(classes, **{"class": name})
        found[f"efficiency of {name}"] = _by_method(rows, "efficiency")
    return found


def _vertex_values(tables: Mapping[str, TableFile]) -> Values:
    records = tables["vertex"].records
    found = {
        f"within {_radius(c):g} cm": _by_method(records, c) for c in _columns(tables["vertex"])
    }
    return found | {"found": _by_method(records, "found")}


def _columns(table: TableFile, start: str = "within_") -> list[str]:
    return [c["name"] for c in table.columns if c["name"].startswith(start)]


def _radius(column: str) -> float:
    return float(column.split("_")[1])


def _instance_values(tables: Mapping[str, TableFile]) -> Values:
    records = tables["instances"].records
    titles = {c["name"]: c["title"] for c in tables["instances"].columns if c["kind"] == "estimate"}
    order = ("ari", "efficiency", "purity", "pixel_efficiency", "pixel_purity", "ap_50", "ap")
    return {titles[c].split(" (")[0]: _by_method(records, c) for c in order}


def _point_values(tables: Mapping[str, TableFile]) -> Values:
    records, found = tables["points"].records, Values()
    kinds = distinct(records, "kind")
    for kind in (kinds[-1], *kinds[:-1]):
        for what in ("efficiency", "purity"):
            own = _by_method(of(records, kind=kind), f"{what}_2_cm")
            found[f"{what} 2 cm, {kind}"] = own
    return found


_VALUES: dict[str, Callable[[Mapping[str, TableFile]], Values]] = {
    "semantic": _pixel_values,
    "vertex": _vertex_values,
    "instance": _instance_values,
    "points": _point_values,
}
#: How many of them are cards of the summary.
_CARDS = {"semantic": 3, "vertex": 3, "instance": 3, "points": 2}


def _merits(task: FindingResults, look: _Looks, studio: Studio) -> Picture:
    return studio.picture(
        comparisons.merits(values(task), look),
        "summary",
        alt="The figures of merit of every method, with errors",
        caption="Every method at a glance, with errors: networks in colour, other methods in black "
        "or white.",
        wide=True,
    )


def _pixels(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    found: Values = {}
    for r in task.tables["pixels"].records:
        found.setdefault(f"all, {r['classes']}", {})[r["method"]] = estimate(r, "wrong")
    for r in task.tables["boundary"].records:
        row = f"{r['where']}, {r['classes']}"
        found.setdefault(row, {})[r["method"]] = estimate(r, "wrong")
    return [
        studio.picture(
            comparisons.merits(found, look, "wrong pixels", whole=False),
            "wrong_pixels",
            alt="Fraction of wrong pixels of every method: all, at boundaries and elsewhere",
            caption="Wrong pixels, all, at boundaries of true classes and elsewhere: of the task's "
            "classes, and of track against shower. Further left is better.",
            wide=True,
        )
    ]


def _vertices(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    panels = {"in space": _against(task.tables["vertex"], task.tables["vertex"].records)}
    planes = task.tables["vertex_planes"]
    for view in distinct(planes.records, "view"):
        own = of(planes.records, view=view)
        panels[f"in the plane {view.upper()}"] = _against(planes, own)
    return [
        studio.picture(
            within(panels, look, "vertices within"),
            "within",
            alt="Fraction of the vertices found within a distance of the true one, by method",
            caption="True vertices with the found one within a distance, in space and in the plane "
            "of each view. Higher is better.",
            wide=True,
        )
    ]


def _against(table: TableFile, records: Iterable[Mapping[str, Any]]) -> dict[str, _Within]:
    columns = _columns(table)
    return {r["method"]: [(_radius(c), estimate(r, c)) for c in columns] for r in records}


def _instances(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    found: Values = {}
    for r in task.tables["instance_classes"].records:
        for what in ("efficiency", "purity"):
            found.setdefault(f"{what} of {r['class']}", {})[r["method"]] = estimate(r, what)
    return [
        studio.picture(
            comparisons.merits(dict(sorted(found.items())), look),
            "instance_classes",
            alt="Efficiency and purity of the particles of each class, by method",
            caption="Efficiency and purity of the particles of each class.",
            wide=True,
        )
    ]


def _key_points(task: FindingResults, look: _Looks, studio: Studio) -> list[Picture]:
    table = task.tables["points"]
    found = {
        f"{what}, {kind.replace('_', ' ')}": {
            r["method"]: [(_radius(c), estimate(r, c)) for c in _columns(table, f"{what}_")]
            for r in of(table.records, kind=kind)
        }
        for kind in distinct(table.records, "kind")
        for what in ("efficiency", "purity")
    }
    return [
        studio.picture(
            within(found, look, "points within"),
            "within",
            alt="Efficiency and purity of key points of each kind against the distance allowed",
            caption="Efficiency: true points with a candidate of their kind that near; purity: "
            "candidates with a true point of their kind that near.",
            wide=True,
        )
    ]


_MORE: dict[str, Callable[[FindingResults, _Looks, Studio], list[Picture]]] = {
    "semantic": _pixels,
    "vertex": _vertices,
    "instance": _instances,
    "points": _key_points,
}
#: What is drawn against energy: table, columns and their titles.
_ENERGY: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "semantic": ("pixel_energy", ("wrong",), ("wrong pixels",)),
    "vertex": ("vertex_energy", ("found", "within_1_cm", "within_5_cm"), ()),
    "instance": ("instance_energy", ("ari", "efficiency", "purity"), ()),
}


def _energy(
    table: TableFile, columns: Sequence[str], titles: Sequence[str], look: _Looks, studio: Studio
) -> Picture:
    known = {c["name"]: c["title"].split(" (")[0] for c in table.columns}
    names = dict(zip(columns, titles or [known[c] for c in columns], strict=True))
    rows = [r for r in table.records if r["bin"] not in ("all", "unknown")]
    series = {}
    for groups in distinct(rows, "classes") if "classes" in known else [None]:
        own = rows if groups is None else of(rows, classes=groups)
        for column, title in names.items():
            panel = title if groups is None else f"{title}, {groups}"
            series[panel] = {
                m: points(of(own, method=m), column, _EDGES) for m in distinct(own, "method")
            }
    return studio.picture(
        curves.panels(series, look, "fraction", along="true energy [GeV]", whole=False),
        "energy",
        alt=f"{', '.join(names.values())} against true energy, by method",
        caption="Against the event's true energy. Events without one are in no bin.",
        wide=True,
    )


@styled
def within(
    panels: Mapping[str, Mapping[str, _Within]], look: Mapping[str, Look], quantity: str
) -> Figure:
    """Draw fractions within distances, a panel each for what is near what.

    Parameters
    ----------
    panels : mapping of str to mapping of str to list of (float, Estimate)
        By panel title, then by method: distance (cm) and fraction.
    look : mapping of str to Look
        By method.
    quantity : str
        What is drawn.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.9 * columns + 0.4, 2.7 * rows + 0.9))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, (title, by_method) in zip(grid.flat, panels.items(), strict=False):
        for method, found in by_method.items():
            value, low, high = np.array([e for _, e in found], np.float64).reshape(-1, 3).T
            axes.errorbar(
                [distance for distance, _ in found],
                value,
                yerr=np.vstack([low, high]),
                marker=look[method].marker,
                linestyle=look[method].line,
                color=look[method].colour,
                markersize=4.5,
                linewidth=1.1,
                elinewidth=1.0,
                label=plain(method),
            )
        axes.set_title(plain(title), fontsize=12)
        axes.set(xscale="log", ylim=(0, 1.02))
        radii = sorted({distance for found in by_method.values() for distance, _ in found})
        axes.set_xticks(radii, [f"{r:g}" for r in radii], minor=False)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.4g}"))
    hide_panels(grid, len(panels))
    return label_panels(figure, "distance [cm]", f"{quantity} [%]")
