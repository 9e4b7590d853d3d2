"""What a trained network makes of one example, layer by layer: arrays for displays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.errors import InputError, nearest
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.loading import loader
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.siamese import Siamese
from hepcnn.networks.sparse.layers import SubmanifoldConv
from hepcnn.networks.sparse.sites import SparseMaps
from hepcnn.networks.sparse_tower import Stage
from hepcnn.store.images import ImageSet


@dataclass(frozen=True, eq=False)
class Response:
    """A network's view of one example.

    Attributes
    ----------
    images : ndarray (V, C, H, W) float32
        The images as they enter the network: after all steps and scales.
    scores : ndarray (K,) float32
        Posterior probabilities of the classes.
    maps : dict of str to ndarray float32
        By layer what it gives: (n, C, H, W) of a convolution or of a stage of sparse ones, (n, D)
        of a dense layer; n is the number of images that the layer sees, the views where a tower
        sees all of them.
    """

    images: NDArray[np.float32]
    scores: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]


def respond(
    trained: Checkpoint, images: ImageSet, index: int, layers: Sequence[str] = ()
) -> Response:
    """Run one example through a network.

    Parameters
    ----------
    trained : Checkpoint
        The network.
    images : ImageSet
        Such as it is for.
    index : int
        The example.
    layers : sequence of str
        Names of the layers whose output is wanted, as in `convolutions` and in checkpoints.

    Raises
    ------
    InputError
        If the images are others, or there is no such layer; it gives the nearest.
    """
    trained.preprocessing.check(images)
    maps: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: object) -> None:
            if isinstance(output, SparseMaps):
                output = output.dense()
            # Of images: what sparse layers inside of a stage give, by site, cannot be drawn.
            if isinstance(output, Tensor) and len(output) in (1, views):
                # A copy: the next layer may work in place.
                maps.setdefault(name, output.float().numpy().copy())

        return hook

    views = len(trained.preprocessing.views)
    one = np.array([index])
    dataset = trained.preprocessing.dataset(images, one, 1, target=trained.target, memory=0)
    # Building draws weights, which the checkpoint's replace.
    with torch.random.fork_rng(), torch.inference_mode():
        network = trained.network()
        known = dict(network.named_modules())
        del known[""]
        for name in layers:
            _require(name, known, trained.name)
            known[name].register_forward_hook(keep(name))
        (batch,) = loader(dataset)
        scores = network(Inputs.of(batch)).float().softmax(dim=1)[0].numpy()
    if silent := [name for name in layers if name not in maps]:
        raise InputError(f"layer '{silent[0]}' of {trained.name} gives nothing by itself")
    return Response(batch["images"][0].numpy().copy(), scores, maps)


def _require(layer: str, known: Iterable[str], network: str) -> None:
    """Refuse a layer that is not there; of a part of a name, show all that have it."""
    if layer not in known:
        near = [name for name in known if layer in name.split(".")]
        raise InputError(f"no layer '{layer}' in {network}; {nearest(layer, near or known)}")


def convolutions(trained: Checkpoint) -> list[str]:
    """Names of a network's convolutions of images, in order; of one of several towers.

    Of sparse convolutions, of their stages: these alone know where in the image a value is.
    """
    found = [n for n, m in _network(trained).named_modules() if isinstance(m, nn.Conv2d | Stage)]
    return [name for name in found if not name.startswith("towers.") or name[7:].startswith("0.")]


def first_filters(trained: Checkpoint) -> NDArray[np.float32]:
    """Weights of the convolutions that see the images.

    Returns
    -------
    ndarray (T, outputs, inputs, h, w) float32
        Of the first convolution of each of T towers; T = 1 in a network without towers, and with
        one for all views.

    Raises
    ------
    InputError
        If the network has no convolution of images.
    """
    network = _network(trained)
    towers = network.towers if isinstance(network, Siamese) else [network]
    firsts = [weight for tower in towers for weight in _kernels(tower)[:1]]
    if not firsts:
        raise InputError(f"{trained.name} ({trained.architecture}) has no convolution of images")
    return np.stack([first.detach().numpy() for first in firsts])


def _network(trained: Checkpoint) -> nn.Module:
    with torch.random.fork_rng():
        return trained.network()


def _kernels(network: nn.Module) -> list[Tensor]:
    """Weights (outputs, inputs, h, w) of a network's convolutions, in order."""
    return [
        m.weight if isinstance(m, nn.Conv2d) else m.kernel
        for m in network.modules()
        if isinstance(m, nn.Conv2d | SubmanifoldConv)
    ]
