"""Trainings by epoch, as `hepcnn train` writes them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hepcnn.errors import InputError
from hepcnn.files import read_text
from hepcnn.performance.intervals import Floats

#: Columns of every history, and those of one in which examples are right or wrong.
LOSSES = ("epoch", "train_loss", "validation_loss")
ACCURACIES = ("train_accuracy", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class History:
    """Training of a network by epoch, each (epochs,); epochs count from 1.

    NaN is not known; `others` are further figures of the validation by name.
    """

    epoch: Floats
    train_loss: Floats
    validation_loss: Floats
    train_accuracy: Floats
    validation_accuracy: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)

    def curves(self, quantity: str) -> tuple[Floats, Floats]:
        """A quantity in training and in validation."""
        if quantity in self.others:
            return np.full_like(self.epoch, np.nan), self.others[quantity]
        train, validation = (getattr(self, f"{p}_{quantity}") for p in ("train", "validation"))
        return train, validation

    def kept(self, quantity: str) -> float:
        """A quantity of the validation in the epoch whose weights are kept; NaN: not known."""
        if self.best is None or quantity not in ("loss", "accuracy", *self.others):
            return float("nan")
        return float(self.curves(quantity)[1][self.epoch == self.best][0])

    @property
    def best(self) -> int | None:
        """The epoch with the lowest validation loss: its weights are the ones kept."""
        loss = self.validation_loss
        return int(self.epoch[np.nanargmin(loss)]) if np.isfinite(loss).any() else None


def read_history(
    path: Path, make: str, required: Sequence[str] = (*LOSSES, *ACCURACIES)
) -> History:
    """A history, made by the command `make`; columns that are not `required` may be missing."""
    try:
        rows = list(csv.DictReader(read_text(path, make).splitlines()))
    except csv.Error as error:
        raise InputError(f"{path}: not a history ({error}); make it again with '{make}'") from error
    if not rows:
        raise InputError(f"{path}: a history without an epoch; make it again with '{make}'")
    known = {*LOSSES, *ACCURACIES}
    others = [c for c in rows[0] if c.startswith("validation_") and c not in known]
    names = [*required, *(c for c in (*ACCURACIES, *others) if c in rows[0] and c not in required)]
    try:
        columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a history with the columns {', '.join(names)} ({error}); make it "
            f"again with '{make}'"
        ) from error
    unknown = np.full(len(rows), np.nan)
    main = {name: columns.get(name, unknown) for name in (*LOSSES, *ACCURACIES)}
    more = {name.removeprefix("validation_"): columns[name] for name in others}
    return History(**main, others=more)
