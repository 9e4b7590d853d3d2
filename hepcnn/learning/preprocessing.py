"""What is done to an example before a network sees it: one object, kept in the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Network
from hepcnn.config.steps import Step
from hepcnn.errors import InputError, nearest
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.learning.loading import EpochDataset
from hepcnn.networks.registry import Shape
from hepcnn.store.batches import Batches
from hepcnn.store.blocks import Selection, Transform, read_blocks
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.rich import likelihoods_of

#: What of an image set's header must be the same in training and in prediction. The order of the
#: classes is among them: labels are indices into it.
_SAME = ("detector", "views", "shape", "channels", "axes", "classes", "features", "values")
#: Features of which the logarithm is taken: they range over orders of magnitude.
_LOGARITHMIC = ("p",)


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The images and features that a network is for, and the scale of their values.

    Attributes
    ----------
    header : Header
        Of the image set of the training, as it is stored.
    steps : tuple of Step
        The network's own processing steps, in order.
    views, channels : tuple of str
        What the network sees of the images.
    scale : ndarray (V, C) float32
        Values are multiplied by it: one over the mean of the occupied pixels of the training
        images after the steps, so that any channel enters the network near 1 where there is
        something.
    features : tuple of str
        What it is given beside the images, F numbers in all; the momentum as its logarithm.
    mean, deviation : ndarray (F,) float32
        Of the features in the training examples; they are brought to 0 and 1.
    """

    header: Header
    steps: tuple[Step, ...]
    views: tuple[str, ...]
    channels: tuple[str, ...]
    scale: NDArray[np.float32]
    features: tuple[str, ...]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @property
    def shape(self) -> Shape:
        """What an example is made of."""
        known = self.header.features
        hypotheses = min(known.get(f"angle_{view}") or 0 for view in self.views)
        height, width, *depth = step_header(self.steps, self.header).shape
        views, channels = len(self.views), len(self.channels)
        return Shape(
            views,
            channels,
            height,
            width,
            features=len(self.mean),
            hypotheses=hypotheses,
            depth=depth[0] if depth else 0,
            likelihoods=len(likelihoods_of(self.header)),
        )

    @classmethod
    def fit(cls, images: ImageSet, which: NDArray[np.int64], network: Network) -> Self:
        """Choose what a network sees, and find the scales from some examples.

        Parameters
        ----------
        images : ImageSet
            The images.
        which : int array
            Indices of the examples, strictly increasing.
        network : Network
            The settings that choose.

        Raises
        ------
        InputError
            If the images have no such view, channel or feature, where it gives the nearest; a
            feature is not known of any example; or a step is not possible.
        """
        seen = cls.unscaled(images.header, network)
        columns = [_moments(name, images.features(name)[which]) for name in seen.features]
        mean, deviation = np.concatenate([np.empty((2, 0)), *columns], axis=1, dtype=np.float32)
        selection = Selection.of(images, seen.views, seen.channels, seen.transform(images))
        scale = _scale(images, which, selection)
        return replace(seen, scale=scale, mean=mean, deviation=deviation)

    @classmethod
    def unscaled(cls, header: Header, network: Network) -> Self:
        """Choose what a network sees, values as they are: no image is needed.

        Raises
        ------
        InputError
            As `fit`.
        """
        steps = tuple(network.steps)
        step_header(steps, header)
        views = _chosen("views", network.views, header.views)
        channels = _chosen("channels", network.channels, header.channels)
        features = _chosen("features", network.features, tuple(header.features))
        width = sum(header.features[name] or 1 for name in features)
        scale = np.ones((len(views), len(channels)), np.float32)
        mean, deviation = np.zeros(width, np.float32), np.ones(width, np.float32)
        return cls(header, steps, views, channels, scale, features, mean, deviation)

    def standardise(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring features (B, F) to mean 0 and deviation 1; what is not finite to 0."""
        known = self.header.features
        ends = np.cumsum([known[name] or 1 for name in self.features])
        columns = zip(self.features, np.split(raw, ends, axis=1), strict=False)
        values = [_logarithm(name, column) for name, column in columns]
        if not values:
            return raw
        standard = (np.concatenate(values, axis=1) - self.mean) / self.deviation
        return np.where(np.isfinite(standard), standard, np.float32(0))

    def transform(self, images: ImageSet) -> Transform | None:
        """What its steps make of images."""
        return _transform(self.steps, images)

    def header_of(self, images: ImageSet) -> Header:
        """Of images after its steps: of their own detector, which may be another's than trained."""
        return step_header(self.steps, images.header)

    def dataset(
        self,
        images: ImageSet,
        which: NDArray[np.int64],
        batch_size: int,
        *,
        rank: int = 0,
        ranks: int = 1,
        **settings: Any,
    ) -> EpochDataset:
        """Prepare the batches of some examples, as the network sees them.

        Parameters
        ----------
        images, which, batch_size, **settings
            See `hepcnn.store.batches.Batches`.
        rank, ranks : int
            This process and the number of processes that share each batch.
        """
        batches = Batches(
            images,
            which,
            batch_size,
            views=self.views,
            channels=self.channels,
            features=self.features,
            scale=self.scale,
            transform=_transform(self.steps, images),
            **settings,
        )
        return EpochDataset(batches, rank, ranks, self.standardise)

    def check(self, images: ImageSet) -> None:
        """Refuse images of another kind.

        Raises
        ------
        InputError
            It names what differs.
        """
        mine, other = self.header.to_json(), images.header.to_json()
        for name in _SAME:
            if mine[name] != other[name]:
                raise InputError(
                    f"the checkpoint is for other images than {images.paths[0]}: '{name}' is "
                    f"{json.dumps(mine[name])} in the checkpoint and {json.dumps(other[name])} "
                    "in the images"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        lists = {name: getattr(self, name).tolist() for name in ("scale", "mean", "deviation")}
        steps = [step.model_dump(mode="json") for step in self.steps]
        return {**self.__dict__, **lists, "header": self.header.to_json(), "steps": steps}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        values: dict[str, Any] = {
            name: tuple(data[name]) for name in ("views", "channels", "features")
        }
        for name in ("scale", "mean", "deviation"):
            values[name] = np.array(data[name], np.float32)
        steps = tuple(Network(steps=data["steps"]).steps)
        return cls(header=Header.from_json(data["header"]), steps=steps, **values)


def _chosen(what: str, wanted: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Names as they are wanted, or all, if there are such."""
    if wanted is None:
        return tuple(known)
    if what != "features" and not wanted:
        raise InputError(f"{what}: none is chosen; there are {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise InputError(f"{what}: the images have no '{name}'; {nearest(name, known)}")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{what}: {', '.join(wanted)}: one is named twice")
    return tuple(wanted)


def _logarithm(name: str, values: NDArray[Any]) -> NDArray[Any]:
    return np.log(values) if name in _LOGARITHMIC else values


def _moments(name: str, feature: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and standard deviation (2, k) of what is known of a feature (N,) or (N, k)."""
    values = _logarithm(name, feature.astype(np.float64))
    columns = values.reshape(len(values), -1)
    known = np.isfinite(columns)
    if not known.any():
        raise InputError(f"features: '{name}' is a number in none of the {len(values)} examples")
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, columns, 0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, columns - mean, 0) ** 2).sum(axis=0) / count)
    return np.stack([mean, np.where(deviation > 0, deviation, 1)])


def _transform(steps: tuple[Step, ...], images: ImageSet) -> Transform | None:
    """What the steps make of images."""
    if not steps:
        return None
    header = images.header
    return Transform(step_header(steps, header), partial(apply_steps, steps, header))


def _scale(images: ImageSet, which: NDArray[np.int64], selection: Selection) -> NDArray[np.float32]:
    """One over the mean of the occupied pixels, of each view and channel."""
    total = np.zeros((len(selection.views), len(selection.channels)))
    occupied = np.zeros_like(total)
    for block in read_blocks(images, which, selection):
        for v, sparse in enumerate(block.views):
            total[v] += sparse.value.sum(axis=0, dtype=np.float64)
            occupied[v] += np.count_nonzero(sparse.value, axis=0)
    # A channel with nothing in it stays nothing.
    scale = np.divide(occupied, total, out=np.ones_like(total), where=total > 0)
    return scale.astype(np.float32)
