"""Predictions: the scores of one method for the examples of one split, in HDF5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.store.hdf5 import get_text, set_text
from hepcnn.store.results import check_array, check_cutflow, check_probabilities, opened, written
from hepcnn.store.shard import KEY

FORMAT = "hepcnn-predictions"
VERSION = 4
#: What is kept of each example beside its scores, for bins and weights in the tables, by detector.
FEATURES = {"rich": ("p", "eta", "n_tracks", "charge", "ghost"), "lartpc": ("energy", "n_hits")}
#: What may stand beside them: a weight of each example, such as an sWeight.
WEIGHT = "weight"
#: Features that may be NaN: the events tell no direction, or no energy.
UNKNOWN = ("eta", "energy")
#: How far the float32 scores of an example may be from a sum of 1.
TOLERANCE = 1e-4

_STATISTICS = ("classes", "prior", "temperature", "cutflow")
_ATTRIBUTES = ("task", "method", "altered", *_STATISTICS, "provenance")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores of one method for N examples and C classes, with what the tables need.

    Attributes
    ----------
    task, method : str
        Name of the task; name of the network or of the baseline.
    classes : tuple of str
        Names of the C classes.
    prior : ndarray, (C,) float64
        The class abundances under which the scores are posterior probabilities.
    key : ndarray, (N,) of `hepcnn.store.shard.KEY`
        Names of the examples.
    scores : ndarray, (N, C) float32
        Probabilities; each row sums to 1.
    label : ndarray, (N,) int16
        True class; −1 for what is none of them.
    features : dict of str to ndarray, (N,) float32
        Of the tracks of RICHes ``p`` (MeV), ``eta`` (NaN: the events tell no direction),
        ``n_tracks`` (tracks of the event), ``charge`` and ``ghost`` (1: of no particle, by the
        truth); of the events of liquid-argon TPCs ``energy`` (MeV: the neutrino's, or a single
        particle's kinetic energy; NaN: of neither) and ``n_hits``. ``weight``, if there is one.
    cutflow : tuple of (str, int)
        Counts from the events read down to ``("scored", N)``.
    provenance : dict
        See `hepcnn.provenance.record`.
    temperature : float
        Fitted on the validation split: the scores to the power 1/temperature, renormalised, are
        calibrated. `scores` are as they come from the method, without it.
    log_likelihood : ndarray, (N, C + 1) float32, optional
        ln L of each class and of ``below threshold``, relative to the pion; of the methods that
        are likelihoods.
    altered : str
        The sample, where it is another than the task's: one on which the method is tried as it is,
        without training on it.

    Raises
    ------
    InputError
        If shapes, types or values contradict one another; it names the part.
    """

    task: str
    method: str
    classes: tuple[str, ...]
    prior: NDArray[np.float64]
    key: NDArray[np.void]
    scores: NDArray[np.float32]
    label: NDArray[np.int16]
    features: Mapping[str, NDArray[np.float32]]
    cutflow: tuple[tuple[str, int], ...]
    provenance: Mapping[str, Any]
    temperature: float = 1.0
    log_likelihood: NDArray[np.float32] | None = None
    altered: str = ""

    def __post_init__(self) -> None:
        n, c = len(self.key), len(self.classes)
        if not c or len(set(self.classes)) < c:
            raise InputError(f"classes: {self.classes} must be distinct names, at least one")
        if set(self.features) - {WEIGHT} not in map(set, FEATURES.values()):
            known = " or ".join(", ".join(names) for names in FEATURES.values())
            raise InputError(f"features: {sorted(self.features)} must be {known}")
        check_array("prior", self.prior, (c,), np.dtype(np.float64))
        check_array("key", self.key, (n,), KEY)
        check_array("scores", self.scores, (n, c), np.dtype(np.float32))
        check_array("label", self.label, (n,), np.dtype(np.int16))
        for name, column in self.features.items():
            check_array(f"features/{name}", column, (n,), np.dtype(np.float32), name in UNKNOWN)
        if self.log_likelihood is not None:
            kind = np.dtype(np.float32)
            check_array("log_likelihood", self.log_likelihood, (n, c + 1), kind)
        if not 0 < self.temperature < np.inf:
            raise InputError(f"temperature: {self.temperature} is not above 0 and finite")
        check_probabilities("prior", self.prior[np.newaxis], TOLERANCE)
        check_probabilities("scores", self.scores, TOLERANCE)
        if n and not (self.label.min() >= -1 and self.label.max() < c):
            raise InputError(
                f"label: from {self.label.min()} to {self.label.max()}; must be −1 to {c - 1}"
            )
        check_cutflow(self.cutflow, n)

    def __len__(self) -> int:
        return len(self.key)


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions atomically; equal predictions give equal bytes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    p = predictions
    with written(path, FORMAT, VERSION) as file:
        set_text(file, "task", p.task)
        set_text(file, "method", p.method)
        set_text(file, "altered", p.altered)
        set_text(file, "classes", json.dumps(p.classes))
        file.attrs["prior"] = p.prior
        file.attrs["temperature"] = p.temperature
        set_text(file, "cutflow", json.dumps(p.cutflow))
        set_text(file, "provenance", json.dumps(p.provenance, sort_keys=True))
        features = {f"features/{name}": column for name, column in p.features.items()}
        arrays = {"key": p.key, "scores": p.scores, "label": p.label} | features
        if p.log_likelihood is not None:
            arrays["log_likelihood"] = p.log_likelihood
        for name, array in arrays.items():
            # gzip, not a plugin's filter: every HDF5 reader opens it, and the file is small.
            file.create_dataset(
                name, data=array, compression="gzip", shuffle=True, chunks=True, fletcher32=True
            )


def read_predictions(path: str | Path) -> Predictions:
    """Read and check a file of `write_predictions`.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format or version, lacks a part, or its parts
        contradict one another.
    """
    datasets = ("key", "scores", "label")
    with opened(path, FORMAT, VERSION, _ATTRIBUTES, datasets, ("features",)) as file:
        likelihood = file.get("log_likelihood")
        return Predictions(
            task=get_text(file, "task"),
            method=get_text(file, "method"),
            classes=tuple(json.loads(get_text(file, "classes"))),
            prior=np.asarray(file.attrs["prior"]),
            key=file["key"][()],
            scores=file["scores"][()],
            label=file["label"][()],
            features={name: column[()] for name, column in file["features"].items()},
            cutflow=tuple((step, count) for step, count in json.loads(get_text(file, "cutflow"))),
            provenance=json.loads(get_text(file, "provenance")),
            temperature=float(file.attrs["temperature"]),
            log_likelihood=None if likelihood is None else likelihood[()],
            altered=get_text(file, "altered"),
        )
