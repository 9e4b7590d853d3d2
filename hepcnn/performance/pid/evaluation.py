"""The tables of the identification of tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.config import NOMINAL, PidTask
from hepcnn.config.cuts import parse_cut
from hepcnn.performance import population
from hepcnn.performance.calibration import calibration_tables
from hepcnn.performance.columns import reference
from hepcnn.performance.comparison import Compared
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.pid import comparison, tables, working_points
from hepcnn.performance.pid.maps import Maps, make_maps
from hepcnn.performance.pid.merits import bin_names, bootstrap, merit_names, of_methods
from hepcnn.performance.pid.printout import printout
from hepcnn.performance.pid.sample import PidSample, select, select_altered
from hepcnn.store.predictions import Predictions

#: Tables of all methods together that every task has.
TOGETHER = (
    *("kaon_efficiency", "comparison", "species", "efficiency", "working_points", "scan", "pairs"),
    *("differential", "calibration", "reliability", "abundances", "cutflow"),
)


def table_names(task: PidTask) -> list[str]:
    """Names of the tables of a task, in order."""
    return [
        *TOGETHER,
        *(["ablation"] if task.tables.ablation else []),
        *(["robustness"] if task.robustness else []),
        *(f"confusion_{method}" for method in task.methods),
    ]


def evaluate(
    predictions: Sequence[Predictions], task: PidTask, name: str, generator: np.random.Generator
) -> tuple[Compared, dict[str, str], Maps | None]:
    """Make the tables of a task, the PID printout of each method, and the maps of its cuts.

    Parameters are those of `hepcnn.performance.evaluate.evaluate`.
    """
    sample, altered = select(predictions, task, name), select_altered(predictions, task, name)
    settings = task.tables
    edges, misid = settings.momentum_bins, settings.misid
    samples = {NOMINAL: sample} | altered
    trained = {s: bootstrap(of, misid, edges, generator) for s, of in samples.items()}
    merits = {s: of_methods(found) for s, found in trained.items()}
    own = merits[NOMINAL]
    made = [
        comparison.kaon_efficiency(sample, own, edges, misid),
        comparison.comparison(sample, own, misid),
        tables.species(sample),
        tables.efficiency(sample, edges),
        working_points.working_points(sample, edges, misid),
        working_points.scan(sample, settings.scan, settings.charges),
        working_points.pairs(sample, misid),
        working_points.differential(sample, settings.curve_bins, misid),
        *calibration_tables(sample, {"kaon": "P_K"}, "the kaon"),
        population.abundances(sample, "particles"),
        tables.cutflow(sample, settings),
    ]
    if settings.ablation:
        made.append(comparison.ablation(sample, own, settings.ablation, misid))
    if task.robustness:
        made.append(working_points.robustness(samples, merits, misid))
    made += [population.confusion(sample, method) for method in sample.methods]
    asked = reference(misid)
    figures = [*merit_names(misid), *bin_names(asked, edges)]
    found = {
        s: {name: own.with_bins(misid.index(asked)) for name, own in of.items()}
        for s, of in trained.items()
    }
    weighted = sample.weight is not None
    compared = Compared(tuple(made), figures, found.pop(NOMINAL), found, weighted)
    cuts = [parse_cut(cut) for cut in settings.cuts]
    maps = make_maps(sample, cuts, settings.map_bins, settings.charges) if cuts else None
    return compared, {m: _printout(sample, m) for m in sample.methods}, maps


def _printout(sample: PidSample, method: str) -> str:
    identified = sample.event[sample.called(method) >= 0]
    tracks = sample.features["n_tracks"]
    return printout(
        sample.confusion(method),
        method=method,
        momentum=sample.momentum_range,
        multiplicity=(float(tracks.min()), float(tracks.max())),
        events=clopper_pearson(len(np.unique(identified)), sample.n_events),
    )
