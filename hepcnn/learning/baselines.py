"""Prediction with the methods that are no networks; they are fitted here, on the training split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Config, ImageTask, VertexTask, entry
from hepcnn.errors import InputError, nearest
from hepcnn.learning.examples import indices, predictions
from hepcnn.performance.temperature import fit_temperature
from hepcnn.progress import progress
from hepcnn.provenance import record
from hepcnn.reconstruction import boosted, controls, counting
from hepcnn.reconstruction.posterior import posterior
from hepcnn.reconstruction.shapes import image_shapes
from hepcnn.reconstruction.trees import MEASURING, TREES, tree_columns
from hepcnn.store.blocks import Selection, read_blocks
from hepcnn.store.findings_file import write_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import write_predictions

#: The baselines that are likelihoods, and the columns of ln L.
LOG_LIKELIHOODS = {
    "likelihood_local": "log_local",
    "likelihood_global": "log_global",
    "likelihood_marginal": "log_marginal",
}


@dataclass(frozen=True, eq=False)
class Examples:
    """Some examples of an image set, as a baseline sees them."""

    images: ImageSet
    target: str
    which: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int16]:
        """Their classes, −1 for others."""
        return self.images.labels(self.target)[self.which]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.images.header.classes[self.target]

    def column(self, name: str) -> NDArray[np.float32]:
        """One of their features."""
        header = self.images.header
        if name not in header.features:
            needed = "made of wire planes ('maker: planes')"
            if header.detector == "rich":
                needed = "in Cherenkov coordinates ('coordinates: cherenkov')"
            raise InputError(
                f"{self.images.paths[0]}: no feature '{name}'; this baseline needs an image set "
                f"{needed}"
            )
        return self.images.features(name)[self.which]

    def windows(self) -> dict[str, counting.Windows]:
        """What the analytic reconstruction counts in each RICH."""
        names = ("angle", "photons", "counts", "expected_other")
        return {
            rich: counting.Windows(*(self.column(f"{name}_{rich}") for name in names))
            for rich in self.images.header.views
        }

    def numbers(self, tree: str) -> NDArray[np.float32]:
        """What a boosted tree sees, (N, F)."""
        names = tree_columns(tree, self.images.header.views)
        stored = np.column_stack([self._numbers(name) for name in names])
        return np.hstack([stored, self.shapes]) if tree in MEASURING else stored

    def _numbers(self, name: str) -> NDArray[np.float32]:
        """A feature; of ln L the differences to a pion's, which alone mean something."""
        found = self.column(name)
        if name not in LOG_LIKELIHOODS.values():
            return found
        pion = self.classes.index("pion")
        return np.delete(found - found[:, [pion]], pion, axis=1)

    @cached_property
    def shapes(self) -> NDArray[np.float32]:
        """What `image_shapes` measures in their images, view by view, (N, V·K).

        The images are read in blocks: the memory in use does not depend on how many there are.
        """
        header, selection = self.images.header, Selection.of(self.images, None, None)
        parts = []
        with progress("measure shapes", len(self.which), "examples") as advance:
            for block in read_blocks(self.images, self.which, selection):
                views = zip(block.views, header.views, strict=True)
                parts.append(np.hstack([image_shapes(own, header, view) for own, view in views]))
                advance(len(block.index))
        return np.concatenate(parts)


def _fit(
    name: str, train: Examples, validation: Examples, seed: int
) -> Callable[[Examples], NDArray[np.float32]]:
    """Fit a baseline; gives the function that scores examples."""
    labels, n_classes = train.labels, len(train.classes)
    prior = controls.frequencies(labels, n_classes)
    if name == "majority":
        scores = prior.astype(np.float32)
        return lambda examples: np.tile(scores, (len(examples.which), 1))
    if name in LOG_LIKELIHOODS:
        column = LOG_LIKELIHOODS[name]
        return lambda examples: posterior(examples.column(column)[:, :n_classes], prior)
    if name == "threshold_counting":
        calibration = {
            rich: counting.calibrate(windows, labels) for rich, windows in train.windows().items()
        }
        return lambda examples: posterior(
            counting.log_likelihood(examples.windows(), calibration), prior
        )
    if name in TREES:
        numbers, judging = train.numbers(name), validation.numbers(name)
        tree = boosted.fit(numbers, labels, judging, validation.labels, n_classes, seed)
        return lambda examples: boosted.scores(tree, examples.numbers(name))
    control = controls.momentum_prior(labels, train.column("p"), n_classes)
    return lambda examples: controls.scores(control, examples.column("p"))


def predict_baseline(
    paths: Sequence[Path],
    config: Config,
    task_name: str,
    name: str,
    output: Path,
    part: str = "test",
    train: Sequence[Path] = (),
    altered: str = "",
) -> None:
    """Fit a baseline on the training split and write its scores of another part.

    Parameters
    ----------
    paths : sequence of paths
        Image shards to score.
    config : Config
        The configuration: the task, the split and the seed count.
    task_name, name : str
        Names of the task and of one of its baselines.
    output : Path
        Predictions (HDF5).
    part : str
        The part to score: train, validation, test or all.
    train : sequence of paths
        Image shards to fit on, where they are others than those to score.
    altered : str
        The sample of the shards to score, where it is one of the task's robustness samples.

    Raises
    ------
    InputError
        If the task has no such baseline or robustness sample, a part has no example, or the images
        lack what the baseline looks at.
    """
    task, split = entry(config.tasks, task_name, "task"), config.split
    for given, known, what in (
        (name, task.baselines, "baseline"),
        (altered, ["", *task.robustness], "robustness sample"),
    ):
        if given not in known:
            raise InputError(f"task '{task_name}': no {what} '{given}'; {nearest(given, known)}")
    images = ImageSet(paths)
    fitted = ImageSet(train) if train else images
    if fitted.header.to_json() != images.header.to_json():
        raise InputError(f"{images.paths[0]} and {fitted.paths[0]} are not of the same image set")
    which = indices(images, split, part)
    settings: dict[str, object] = {"task": task_name, "target": task.target, "baseline": name}
    settings |= {"split": split.model_dump(), "part": part, "altered": altered}
    identities = zip([*images.paths, *fitted.paths], [*images.ids, *fitted.ids], strict=True)
    inputs = {str(path): identity for path, identity in identities}
    made = record("predict", settings, code=__name__, inputs=inputs, seed=config.seed)
    described: dict[str, Any] = {"task": task_name, "target": task.target, "method": name}
    described["provenance"] = made
    if isinstance(task, ImageTask):
        # Here: they import torch, which no other baseline needs.
        from hepcnn.learning.finding import findings
        from hepcnn.learning.finding_baselines import Given, find_without

        box = task.train.box if isinstance(task, VertexTask) else 0.0
        found = find_without(task, name, Given(images, which, fitted, split, config.seed))
        seen = None, images.header.views, box
        write_findings(output, findings(found, images, which, part, *seen, **described))
        return
    training, validation = (
        Examples(fitted, task.target, indices(fitted, split, own))
        for own in ("train", "validation")
    )
    chosen = Examples(images, task.target, which)
    score = _fit(name, training, validation, config.seed)
    likelihood = LOG_LIKELIHOODS.get(name)
    write_predictions(
        output,
        predictions(
            images,
            which,
            part,
            score(chosen),
            prior=controls.frequencies(training.labels, len(training.classes)),
            temperature=fit_temperature(score(validation), validation.labels),
            log_likelihood=chosen.column(likelihood) if likelihood else None,
            altered=altered,
            **described,
        ),
    )
