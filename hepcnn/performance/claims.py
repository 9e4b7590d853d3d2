"""What is claimed for networks: only what exceeds every baseline.

A network exceeds every baseline if it exceeds the one that is hardest to exceed: that of the least
difference over its error, on the same events. Each baseline has to be exceeded by as many errors,
so that the number of baselines makes no claim likelier and needs no correction (an
intersection–union test). The error has the spread of one training, see
`hepcnn.performance.bootstrap`; it is known of `ENOUGH` trainings or more, and without it nothing is
claimed.

**Systematic variations.** Of what is not known of a detector, some samples are altered within what
it may be (`systematics` of a task). Let D be the difference on the task's own sample, and D_s that
on the altered sample s, with errors σ and σ_s of their events. The systematic error is the root of
the mean over s of (D_s − D)² − σ_s² − σ², or 0 if that is negative: the variance between samples
that events do not explain, the method of moments of DerSimonian and Laird.

References
----------
R. L. Berger, Technometrics 24 (1982) 295.
R. DerSimonian and N. Laird, Controlled Clinical Trials 7 (1986) 177.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hepcnn.config import Task, network_of
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, by_method
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.comparison import over_error
from hepcnn.performance.table import Cell, Column, Number, Table
from hepcnn.reconstruction.trees import PIXEL_TREE_IMAGES, PIXEL_TREE_PIXELS

#: Errors by which a network must exceed every baseline.
CLAIM = 3.0
#: Trainings from which the spread of one is taken: of 5 it is known to 35 %.
ENOUGH = 5
_COLUMNS = (
    METHOD,
    Column("figure", "figure of merit"),
    Column("trainings", "trainings", "number"),
    percent("value", "method", "estimate"),
    Column("baseline", "hardest baseline"),
    percent("baseline_value", "hardest baseline", "estimate"),
    percent("difference", "difference", "estimate"),
    percent("systematic", "of it systematic", "number"),
    Column("sigma", "difference / its error", "number", 1),
    Column("claimed", "claimed"),
    Column("verdict", "verdict"),
)


def claims(
    figures: Sequence[str],
    merits: Mapping[str, Merits],
    task: Task,
    altered: Mapping[str, Mapping[str, Merits]],
) -> Table:
    """How far every network exceeds the baseline that is hardest to exceed.

    Parameters
    ----------
    figures : sequence of str
        Names of the F figures of merit, for all of which more is better.
    merits : mapping of str to Merits, (F,)
        By training or baseline; see `hepcnn.config.trainings`.
    task : Task
        Says which methods are networks, which are baselines, and its `systematics`.
    altered : mapping of str to mapping of str to Merits, (F,)
        The same on altered samples; those of `systematics` are looked at.
    """
    methods = by_method(merits)
    varied = [by_method(altered[sample]) for sample in task.systematics]
    baselines = [name for name in methods if name in task.baselines]
    rows: list[tuple[Cell, ...]] = []
    for network in (name for name in task.networks if name in methods):
        trainings = sum(network_of(name) == network for name in merits)
        for i, figure in enumerate(figures):
            own = methods[network][i]
            rivals = {
                name: (methods[name][i], [(v[network] - v[name])[i] for v in varied])
                for name in baselines
            }
            rows.append((network, figure, trainings, *_row(own, rivals, trainings)))
    caption = (
        "What is claimed for each network: how far it exceeds the baseline that is hardest to "
        f"exceed, of all baselines, on the same events. Errors: {BOOTSTRAP}, and in quadrature the "
        "standard deviation over trainings with seeds of their own: that of one training, not of "
        "their mean, for the claim is about what a user gets who trains once; and the systematic "
        "error, what the difference varies between altered samples beyond what their events explain"
        f" ({', '.join(task.systematics) or 'none is looked at'}). Claimed: what "
        f"exceeds every baseline by {CLAIM:g} errors, with {ENOUGH} trainings or more. Each row "
        "alone: the report looks at that of the network which the validation chooses. Baselines "
        "that learn do so from all of the training split"
    )
    if "pixel_tree" in task.baselines:
        caption += f", but pixel_tree from {PIXEL_TREE_PIXELS:,} pixels of {PIXEL_TREE_IMAGES} "
        caption += "images at most"
    return Table("claims", caption, _COLUMNS, tuple(rows))


def systematic_error(difference: Merits, varied: Sequence[Merits]) -> float:
    """Systematic error of a difference: see the module's text. NaN if nothing is varied."""
    if not varied:
        return float("nan")
    beyond = [
        (v.value - difference.value) ** 2 - v.of_events**2 - difference.of_events**2 for v in varied
    ]
    return float(np.sqrt(np.maximum(np.mean(beyond), 0.0)))


def _row(
    own: Merits, baselines: Mapping[str, tuple[Merits, Sequence[Merits]]], trainings: int
) -> tuple[Cell, ...]:
    """The cells after the trainings, of a scalar figure.

    Of each baseline its own figure, and on each varied sample how far the network exceeds it.
    """
    nothing = Merits(np.array(np.nan), np.full_like(own.draws, np.nan)).number
    # A baseline without this figure is no rival.
    rivals = {name: b for name, b in baselines.items() if np.isfinite(b[0].value)}
    if not rivals or not np.isfinite(own.value):
        unknown = "has no baseline to exceed" if np.isfinite(own.value) else "is not known"
        nan = float("nan")
        return own.number, "–", nothing, nothing, nan, nan, "no", unknown
    systematic = {n: systematic_error(own - b, varied) for n, (b, varied) in rivals.items()}
    differences = {
        name: (own - b).with_spread(float(np.nan_to_num(systematic[name]))).number
        for name, (b, _) in rivals.items()
    }
    sigmas = {name: over_error(d.value, d.err_low) for name, d in differences.items()}
    # What is not known is the hardest.
    hardest = min(sigmas, key=lambda name: np.nan_to_num(sigmas[name], nan=-np.inf))
    claimed, verdict = _verdict(hardest, differences[hardest], sigmas[hardest], trainings)
    cells = rivals[hardest][0].number, differences[hardest], systematic[hardest], sigmas[hardest]
    return own.number, hardest, *cells, claimed, verdict


def _verdict(baseline: str, difference: Number, sigma: float, trainings: int) -> tuple[str, str]:
    """Whether it is claimed, and the reason in words."""
    if np.isnan(sigma):
        return "no", f"is not known beside {baseline}: too few events"
    if sigma < CLAIM:
        shown = f"{100 * difference.value:+.2f} ± {100 * difference.err_low:.2f} %"
        return "no", f"does not exceed {baseline} by {CLAIM:g} sigma ({shown.replace('-', '−')})"
    exceeds = f"exceeds every baseline by {CLAIM:g} sigma"
    if trainings >= ENOUGH:
        return "yes", f"{exceeds}, seeds included"
    trained = "once" if trainings == 1 else f"{trainings} times"
    return "no", f"{exceeds} of the events, but is trained {trained}: {ENOUGH} seeds are needed"
