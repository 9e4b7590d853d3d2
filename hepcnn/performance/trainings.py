"""Networks that are trained several times: the mean of their trainings, and the spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hepcnn.config import network_of
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, by_method
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.table import Cell, Column, Table

#: What captions say of tables of means, and of tables of counts, where networks are trained so.
MEANS = (
    "of a network trained several times the mean over its trainings, whose standard deviation (the "
    "spread of one training) is in the errors, in quadrature"
)
FIRST = "of a network trained several times its first training"


def trainings(figures: Sequence[str], merits: Mapping[str, Merits]) -> Table:
    """Figures of merit of the networks that are trained several times.

    Parameters
    ----------
    figures : sequence of str
        Names of the F figures of merit.
    merits : mapping of str to Merits, (F,)
        By training or baseline; see `hepcnn.config.trainings`.
    """
    columns = (
        METHOD,
        Column("figure", "figure of merit"),
        Column("trainings", "trainings", "number"),
        percent("mean", "mean", "estimate"),
        percent("spread", "spread", "number"),
        percent("lowest", "lowest", "number"),
        percent("highest", "highest", "number"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, mean in by_method(merits).items():
        own = np.stack([m.value for name, m in merits.items() if network_of(name) == method])
        if len(own) == 1:
            continue
        of_events = replace(mean, spread=np.zeros(()))
        for i, figure in enumerate(figures):
            values = (float(v) for v in (mean.spread[i], own[:, i].min(), own[:, i].max()))
            rows.append((method, figure, len(own), of_events[i].number, *values))
    caption = (
        "Networks trained several times, each training with a seed of its own: the mean over the "
        f"trainings with an error of the events alone ({BOOTSTRAP}), and the spread, the standard "
        "deviation over the trainings, which is that of one training"
    )
    return Table("trainings", caption, columns, tuple(rows))
