"""Figures of a task about cuts: kaons against pions, pairs of species, and against p, η, tracks."""

from __future__ import annotations

from collections.abc import Mapping

from hepcnn.performance.columns import reference
from hepcnn.performance.curves import roc
from hepcnn.report import comparisons, curves
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.records import Estimate, distinct, estimate, of, points
from hepcnn.report.results import PidResults
from hepcnn.report.style import Look, plain

#: The method that the others are held against, if the task has it.
GLOBAL = "likelihood_global"
#: Axis, and factor from the table's unit to it, of each variable of the curves.
_AXES = {
    "p": (curves.MOMENTUM, 1e-3),
    "eta": (r"$\eta$", 1.0),
    "n_tracks": ("tracks in the event", 1.0),
}


def _momentum_range(task: PidResults) -> str:
    low, high = task.sample.momentum_range
    return rf"${low / 1000:g} \leq p < {high / 1000:g}$ GeV/$c$"


def _counts(task: PidResults) -> str:
    kaons, pions = (int(task.sample.true(name).sum()) for name in ("kaon", "pion"))
    return rf"{kaons:,} K, {pions:,} $\pi$"


def separation(task: PidResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    """K efficiency against π misID of all methods, and over the global likelihood."""
    sample = task.sample
    kaon, pion = (sample.true(name) for name in ("kaon", "pion"))
    scores = {method: sample.log_ratio(method) for method in sample.methods}
    weights = sample.weights(kaon), sample.weights(pion)
    rocs = {method: roc(score[kaon], score[pion], weights) for method, score in scores.items()}
    against = GLOBAL if GLOBAL in sample.methods and len(sample.methods) > 1 else None
    box = ["(NN)DLLK > cut, test split", _momentum_range(task), _counts(task)]
    return studio.picture(
        comparisons.separation(rocs, look, task.settings.tables.misid, box, against),
        "kaon_pion",
        alt="Pion misidentification, on a logarithmic scale, against kaon efficiency, by method",
        caption="What a kaon cut keeps and what it lets through, for every cut on NNDLLK (of a "
        "likelihood: DLLK). Lower and further right is better. Thin lines: the misIDs of the "
        "working points."
        + f" Below: the misID over that of {against} at the same efficiency."
        * bool(against),
        wide=against is not None,
    )


def scores(task: PidResults, method: str, studio: Studio) -> Picture:
    """Distribution of a method's log ratio."""
    score, name = task.sample.log_ratio(method), task.sample.variable(method)
    masks = [task.sample.true(species) for species in ("kaon", "pion")]
    weights = task.sample.weights(masks[0]), task.sample.weights(masks[1])
    box = [plain(method), _momentum_range(task)]
    return studio.picture(
        curves.scores(score[masks[0]], score[masks[1]], name, box, weights),
        f"nndllk_{method}",
        alt=f"Distribution of {name} of {method} for true kaons and true pions",
        caption=f"{method}: {name} of true kaons and pions, each normalised to 1. What lies beyond "
        "the axis is in its outermost bins.",
    )


def cuts(task: PidResults, method: str, studio: Studio) -> Picture:
    """Efficiency and misID of a method against momentum at LHCb's usual cuts."""
    records = [
        r
        for r in of(task.tables["working_points"].records, method=method)
        if not r["asked"].startswith("misID")
    ]
    pairs = {}
    for cut in distinct(records, "asked"):
        rows = of(records, asked=cut)
        pairs[cut] = (points(rows, "efficiency"), points(rows, "misid"))
    return studio.picture(
        curves.cuts(pairs, f"{plain(method)},  {_counts(task)}"),
        f"cuts_{method}",
        alt=f"Kaon efficiency and pion misID of {method} against momentum for stated cuts",
        caption=f"{method}: kaons kept (K → K) and pions let through (π → K) at stated cuts.",
    )


def fixed(task: PidResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    """Kaon efficiency of all methods against momentum, with a cut for each bin."""
    records = task.tables["kaon_efficiency"].records
    by_method = {m: of(records, method=m) for m in distinct(records, "method")}
    series = {
        rf"$\pi \to$ K misID {100 * m:g} %": {
            method: points(rows, f"at_{100 * m:g}") for method, rows in by_method.items()
        }
        for m in task.settings.tables.misid
    }
    return studio.picture(
        curves.panels(series, look, r"K $\to$ K efficiency"),
        "fixed_misid",
        alt="Kaon efficiency of every method against momentum, at fixed pion misIDs",
        caption="Kaon efficiency with the cut, found in each bin, that lets a fixed fraction of "
        "its pions through.",
        wide=True,
    )


def differential(task: PidResults, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    """Efficiency and misID of all methods against p, η and tracks, at one cut for all tracks."""
    asked = reference(task.settings.tables.misid)
    records = of(task.tables["differential"].records, asked=asked)
    found = []
    for variable in distinct(records, "variable"):
        along, scale = _AXES[variable]
        own = of(records, variable=variable)
        series = {
            title: {
                m: points(of(own, method=m), column, ("low", "high"), scale)
                for m in distinct(own, "method")
            }
            for title, column in ((r"K $\to$ K", "efficiency"), (r"$\pi$ $\to$ K", "misid"))
        }
        found.append(
            studio.picture(
                curves.panels(series, look, "fraction that passes", along=along, whole=False),
                f"differential_{variable}",
                alt=f"Kaon efficiency and pion misID of every method against {variable}, at the "
                "cut for one overall misID",
                caption="Kaons kept and pions let through, with the one cut that lets "
                f"{100 * asked:g} % of all pions through. No point: no cut does, or no track.",
                wide=True,
            )
        )
    return found


def pairs(task: PidResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    """Efficiency of one species at a misID of another, of all methods."""
    asked = reference(task.settings.tables.misid)
    values: dict[str, dict[str, Estimate]] = {}
    for r in of(task.tables["pairs"].records, asked=asked):
        row = f"{r['species']} / {r['misid_from']}"
        values.setdefault(row, {})[r["method"]] = estimate(r, "efficiency")
    return studio.picture(
        comparisons.merits(values, look, f"efficiency at {100 * asked:g} % misID"),
        "pairs",
        alt="Efficiency of one species at a fixed misID of another, for five pairs, by method",
        caption=f"Pairs of species: efficiency of the first at {100 * asked:g} % misID of the "
        "second. No point: no cut does.",
        wide=True,
    )
