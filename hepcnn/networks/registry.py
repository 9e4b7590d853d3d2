"""Networks by name.

Names, original shapes and descriptions are known without importing torch; `build` imports it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from hepcnn.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import nn

#: Views, channels, height and width of an example.
Shape = tuple[int, int, int, int]


class Entry(NamedTuple):
    """A network's original shape and number of classes, and what it is."""

    shape: Shape
    classes: int
    title: str


#: Each is built by the function of its name in `hepcnn.networks.single_image`.
NETWORKS = {
    "lecture_cnn": Entry((1, 1, 32, 32), 6, "the lecture's CNN for RICH images"),
    "lenet5": Entry((1, 1, 32, 32), 10, "LeNet-5 (LeCun et al. 1998)"),
    "mlp": Entry((1, 1, 32, 32), 6, "fully connected layers on the pixels"),
    "lecture_cifar10": Entry((1, 3, 32, 32), 10, "the lecture's CNN for CIFAR-10"),
}


def names() -> list[str]:
    """List the names of all networks."""
    return list(NETWORKS)


def require(name: str) -> Entry:
    """Look a network up, without importing torch.

    Raises
    ------
    InputError
        If there is none of this name; it gives the nearest.
    """
    if name not in NETWORKS:
        raise InputError(f"no network '{name}'; {nearest(name, NETWORKS)}")
    return NETWORKS[name]


def _builder(name: str) -> Callable[..., nn.Module]:
    require(name)
    # An import statement, not a module's name in a string: `provenance.code_version` follows it.
    from hepcnn.networks import single_image

    return getattr(single_image, name)


def options(name: str) -> dict[str, Any]:
    """Give the options of a network with their defaults, from its builder's signature.

    Raises
    ------
    InputError
        If there is no network of this name.
    """
    parameters = inspect.signature(_builder(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def build(name: str, shape: Shape, classes: int, /, **chosen: Any) -> nn.Module:
    """Build a network, its weights drawn from torch's global random numbers.

    Seed them first (``torch.manual_seed``) for the same weights.

    Parameters
    ----------
    name : str
        One of `names`.
    shape : tuple of int
        Views V, channels C, height H and width W of an example.
    classes : int
        Length of the output.
    **chosen
        Options of this network; see `options`.

    Returns
    -------
    torch.nn.Module
        From images float32 (B, V, C, H, W) to logits (B, classes).

    Raises
    ------
    InputError
        If there is no such network or option, an option's value is not possible, or the images
        are too small for the network.
    """
    builder = _builder(name)
    valid = options(name)
    for option in chosen:
        if option not in valid:
            raise InputError(f"network '{name}': no option '{option}'; {nearest(option, valid)}")
    if len(shape) != 4 or min(shape) < 1:
        raise InputError(f"network '{name}': shape {shape} must be 4 numbers above 0")
    if classes < 1:
        raise InputError(f"network '{name}': {classes} classes; there must be at least 1")
    try:
        return builder(shape, classes, **chosen)
    except InputError as error:
        raise InputError(f"network '{name}': {error}") from error
