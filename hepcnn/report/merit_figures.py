"""What the page says first of a task: its network, how it stands, and where it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepcnn.performance.choosing import choose
from hepcnn.report import comparisons
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.reading import TableFile
from hepcnn.report.records import Estimate, Records, columns, distinct, estimate, of
from hepcnn.report.results import TaskResults
from hepcnn.report.style import Look


@dataclass(frozen=True)
class Merit:
    """A figure of merit of one method beside others', as text in %."""

    title: str
    value: str
    others: Mapping[str, str]
    better: bool


@dataclass(frozen=True)
class Rival:
    """The baseline that is best by the headline's figure of merit.

    Attributes
    ----------
    method, value : str
        Its name, and its figure of merit in %.
    verdict : str
        What is claimed of the network beside all baselines, in words.
    beaten : bool
        Whether it is claimed that the network exceeds every baseline.
    """

    method: str
    value: str
    verdict: str
    beaten: bool


@dataclass(frozen=True)
class Headline:
    """The network that the validation chooses, and how it compares by one figure of merit.

    `reason` says how it was chosen, empty of one alone; `asked` is the figure's title; `rival` the
    best baseline, None if there is none. `better`, `alike` and `worse` are the methods that the
    network is significantly better than, not told apart from, and significantly worse than.
    """

    asked: str
    network: str
    reason: str
    value: str
    rival: Rival | None
    better: Sequence[str]
    alike: Sequence[str]
    worse: Sequence[str]
    merits: Sequence[Merit]


def headline(
    task: TaskResults,
    values: Mapping[str, Mapping[str, Estimate]],
    titles: Mapping[str, str],
    asked: str,
    others: Sequence[str],
) -> Headline:
    """Say which network the validation chooses, and how it compares with all methods.

    Parameters
    ----------
    task : TaskResults
        The task, with its histories and its tables `comparison` and `claims`.
    values : mapping of str to mapping of str to Estimate
        By figure of merit of the comparison, then by method.
    titles : mapping of str to str
        By figure of merit.
    asked : str
        The figure of merit.
    others : sequence of str
        The baselines that a reader compares with.
    """
    choice = choose(task.settings, task.histories)
    best, compared = choice.network, task.tables["comparison"].records
    merits, baselines = [], task.settings.baselines
    for figure, by_method in values.items():
        sides = _sides(compared, best, figure)
        shown = {method: value.text for method, value in by_method.items()}
        better = bool(baselines) and all(sides.get(other) == "better" for other in baselines)
        beside = {other: shown[other] for other in others}
        merits.append(Merit(titles[figure], shown[best], beside, better))
    sides = _sides(compared, best, asked)
    found = {side: [m for m in sides if sides[m] == side] for side in ("better", "alike", "worse")}
    value, rival = values[asked][best].text, _rival(task, best, asked, values[asked])
    return Headline(titles[asked], best, choice.reason, value, rival, **found, merits=merits)


def _rival(
    task: TaskResults, network: str, figure: str, values: Mapping[str, Estimate]
) -> Rival | None:
    """The best of all baselines, with what is claimed."""
    baselines = list(task.settings.baselines)
    if not baselines:
        return None
    best = max(baselines, key=lambda m: np.nan_to_num(values[m].value, nan=-1.0))
    (claim,) = of(task.tables["claims"].records, method=network, figure=figure)
    return Rival(best, values[best].text, claim["verdict"], claim["claimed"] == "yes")


def _sides(records: Records, method: str, figure: str) -> dict[str, str]:
    """Whether a method is better than, alike or worse than each other by a figure of merit."""
    sides = {}
    for r in of(records, figure=figure):
        if method in (r["method"], r["other"]):
            other = r["other"] if r["method"] == method else r["method"]
            sides[other] = {method: "better", other: "worse"}.get(r["better"], "alike")
    return sides


def merits(records: Records) -> dict[str, dict[str, Estimate]]:
    """Values and errors by figure of merit, then by method, from the comparison."""
    values: dict[str, dict[str, Estimate]] = {}
    for r in records:
        by_method = values.setdefault(r["figure"], {})
        by_method[r["method"]] = estimate(r, "value")
        by_method[r["other"]] = estimate(r, "other_value")
    return values


def summary(table: TableFile, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    """All figures of merit of all methods, from the comparison."""
    values = {title(figure): found for figure, found in merits(table.records).items()}
    if not values:
        return []
    return [
        studio.picture(
            comparisons.merits(values, look),
            "summary",
            alt="The figures of merit of every method, with errors",
            caption="Every method at a glance: networks in colour, other methods in black or "
            "white, controls in grey.",
            wide=True,
        )
    ]


def differences(
    table: TableFile, methods: Sequence[str], figure: str, studio: Studio, name: str = "differences"
) -> list[Picture]:
    """Every method minus every other by one figure of merit of the comparison."""
    records, words = of(table.records, figure=figure), title(figure)
    if not records:
        return []
    found = {
        (r["method"], r["other"]): (estimate(r, "difference"), r["better"] != "–") for r in records
    }
    return [
        studio.picture(
            comparisons.differences(methods, found),
            name,
            alt=f"Difference of every two methods in {words}, with its error",
            caption=f"{words[0].upper()}{words[1:]}: row minus column, in percentage points, "
            "paired on the same events. Coloured where significant, corrected for the number of "
            "comparisons: blue better, orange worse.",
            wide=len(methods) > 6,
        )
    ]


def title(figure: str) -> str:
    """A figure of merit of the comparison in the words of the page."""
    return figure.replace(" pi ", " π ")


def reliability(
    table: TableFile, look: Mapping[str, Look], what: Mapping[str, str], studio: Studio
) -> Picture:
    """Reliability curves as given and tempered, of the probabilities named, with their titles."""
    names = ("mean", "right", "right_err_low", "right_err_high")
    series = {}
    for scores in distinct(table.records, "scores"):
        for of_what, title in what.items():
            own = of(table.records, scores=scores, of=of_what)
            curves = {m: columns(of(own, method=m), *names) for m in distinct(own, "method")}
            series[f"{title}, {scores}"] = {m: (c[0], c[1], c[2], c[3]) for m, c in curves.items()}
    return studio.picture(
        comparisons.reliability(series, look),
        "reliability",
        alt="Fraction right against mean probability, as given and after temperature scaling",
        caption="Whether probabilities are what they say, in bins of equally many examples: on the "
        "diagonal they are. Above it a method is too cautious, below it too sure.",
        wide=True,
    )
