"""How far a training is: what a killed one needs to go on as if nothing had been."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from hepcnn.config import Train
from hepcnn.files import atomic_path
from hepcnn.progress import note

_NAME = "progress.ckpt"


@dataclass
class TrainingProgress:
    """State between two epochs, and before the first where there is something to keep.

    The learning rate, the order of the batches and all random numbers of an epoch are functions of
    the seed and the epoch's number, so they need no place here.

    Attributes
    ----------
    weights, optimizer, scaler : dict
        States of the network, of Adam, and of the loss scaling of 16-bit training.
    history : list of dict
        Metrics of each epoch done.
    best : dict of Tensor
        Weights of the epoch with the lowest validation loss.
    precision : str
        Lightning's name of the precision that was measured to be the fastest; empty if none was.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    precision: str = ""

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the epoch with the lowest validation loss; the first of equal ones."""
        return 1 + int(np.argmin([row["validation_loss"] for row in self.history]))

    @property
    def diverged(self) -> bool:
        """Whether a loss of the last epoch is not a number."""
        last = self.history[-1] if self.history else {}
        return not np.isfinite([last.get("train_loss", 0), last.get("validation_loss", 0)]).all()

    def finished(self, settings: Train) -> bool:
        """Whether it ends here: all epochs, no gain for `patience` epochs, or diverged."""
        if not self.history:
            return False
        stale = self.epoch - self.best_epoch >= settings.patience
        return self.epoch >= settings.epochs or stale or self.diverged

    def save(self, folder: Path) -> None:
        """Write to a folder, atomically."""
        # Through a file object: given a path, torch does not tell why it cannot be written.
        with atomic_path(folder / _NAME) as path, path.open("wb") as file:
            torch.save(self.__dict__, file)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder; begin anew where there is nothing, or nothing that can be read."""
        path = folder / _NAME
        if not path.exists():
            return cls()
        try:
            return cls(**torch.load(path, map_location="cpu", weights_only=True))
        except Exception:  # whatever torch makes of other bytes
            note(f"{path}: unreadable, the training begins anew")
            return cls()
