"""A trained network with all that is needed to use it, in one torch file.

The file holds tensors and one JSON text only, so that it is read without running code from it
(``torch.load(..., weights_only=True)``).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.config import Split
from hepcnn.errors import InputError
from hepcnn.files import atomic_path
from hepcnn.learning.image_statistics import Statistics
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.networks.registry import build

FORMAT = "hepcnn-checkpoint"
VERSION = 5


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network.

    Attributes
    ----------
    task, name : str
        Names of the task and of the network in it.
    target : str
        What it is asked for.
    architecture : str
        Name in the registry of networks.
    options : dict
        Options of the architecture.
    preprocessing : Preprocessing
        The images and features it is for, with its classes, and what is done to them.
    image_statistics : dict of dicts of float
        What the images of its training are like: see `hepcnn.learning.image_statistics`.
    split : Split
        Fractions of events that it was trained with.
    outputs : int
        Numbers that the network gives, of an example or a pixel.
    train : dict
        Settings of its training.
    prior : ndarray (C,) float64
        The class abundances under which its scores are posterior probabilities; of what is not
        one class an example empty.
    temperature : float
        The scores to the power 1/temperature, renormalised, are calibrated on the validation
        split.
    history : list of dict
        Metrics of each epoch.
    provenance : dict
        See `hepcnn.provenance.record`.
    weights : dict of Tensor
        Of the epoch with the lowest validation loss.
    """

    task: str
    name: str
    target: str
    architecture: str
    options: dict[str, Any]
    preprocessing: Preprocessing
    image_statistics: Statistics
    split: Split
    outputs: int
    train: dict[str, Any]
    prior: NDArray[np.float64]
    temperature: float
    history: list[dict[str, float]]
    provenance: dict[str, Any]
    weights: dict[str, Tensor]

    def network(self) -> nn.Module:
        """Build the network with its weights, for prediction.

        Raises
        ------
        InputError
            If the weights are not those of the architecture, as it now is.
        """
        network = build(self.architecture, self.preprocessing.shape, self.outputs, **self.options)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise InputError(
                f"the checkpoint's weights do not fit the network '{self.architecture}' of this "
                f"hepcnn: {error}"
            ) from error
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the file atomically; equal contents give equal bytes."""
        description = {
            **self.__dict__,
            "preprocessing": self.preprocessing.to_json(),
            "split": self.split.model_dump(),
            "prior": self.prior.tolist(),
        }
        del description["weights"]
        data = {
            "format": FORMAT,
            "version": VERSION,
            "description": json.dumps(description),
            "weights": self.weights,
        }
        # Through a file object: given a path, torch writes the temporary name into the file.
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save(data, file)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a checkpoint.

        Raises
        ------
        InputError
            If the file is missing, damaged, not a checkpoint or of another version.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        try:
            data = torch.load(path, map_location="cpu", weights_only=True)
            _check_sums(path)
        except Exception as error:  # whatever torch makes of other bytes
            raise InputError(f"{path}: not a checkpoint of `hepcnn train`, or damaged") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError(f"{path}: a torch file, but not a checkpoint of `hepcnn train`")
        if data.get("version") != VERSION:
            raise InputError(
                f"{path}: format version {data.get('version')}; this hepcnn reads version {VERSION}"
            )
        try:
            found = json.loads(data["description"])
            found["preprocessing"] = Preprocessing.from_json(found["preprocessing"])
            found["split"] = Split(**found["split"])
            found["prior"] = np.array(found["prior"], np.float64)
            return cls(**found, weights=data["weights"])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: a damaged checkpoint: {error}") from error


def _check_sums(path: Path) -> None:
    """Compare the file's parts with their checksums, which torch does not."""
    with zipfile.ZipFile(path) as parts:
        if damaged := parts.testzip():
            raise ValueError(f"{damaged} is damaged")
