"""What a network is made of: layers, output shapes and parameters, as they are found to be."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn

from hepcnn.networks.detectors.detector import Detector
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import NETWORKS, Shape, build, options, require


class Layer(NamedTuple):
    """A layer: its name, its type, the shape of its output (batch left out), its parameters."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The layers of a network in the order they run, and its parameters in all."""

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int


def _count(module: nn.Module, *, recurse: bool = True, trainable: bool = False) -> int:
    found = module.parameters(recurse)
    return sum(p.numel() for p in found if p.requires_grad or not trainable)


def summarise(network: nn.Module, shape: Shape) -> Summary:
    """Follow an example through a network and note the shapes of what passes.

    Nothing is computed: torch's device "meta" knows shapes only. But what runs in a detector hangs
    on what it finds: of one, all of whose weights are 0, zeros are computed.

    Parameters
    ----------
    network : torch.nn.Module
        Takes `hepcnn.networks.inputs.Inputs`.
    shape : Shape
        Of an example.

    Returns
    -------
    Summary
        A layer is a module that holds parameters or has no parts; one that runs more than once
        is listed once, with its first output.
    """
    # A copy: the network stays as it is.
    device = "cpu" if isinstance(network, Detector) else "meta"
    copy = deepcopy(network).to_empty(device=device).eval()
    for tensor in (*copy.parameters(), *copy.buffers()):
        tensor.data.zero_()
    layers: dict[str, Layer] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):  # no list of anchors
                shape, count = tuple(output.shape[1:]), _count(module, recurse=False)
                layers.setdefault(name, Layer(name, type(module).__name__, shape, count))

        return hook

    for name, module in copy.named_modules():
        if _count(module, recurse=False) or not any(module.children()):
            module.register_forward_hook(note(name))
    with torch.inference_mode(), torch.device(device):
        copy(Inputs.zeros(shape))
    return Summary(tuple(layers.values()), _count(network), _count(network, trainable=True))


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="")


def listing() -> Table:
    """Make a table of all networks, in their original shapes."""
    table = _table()
    table.add_column("Network", no_wrap=True)
    table.add_column("V × C × H × W", no_wrap=True)
    table.add_column("Features", justify="right", no_wrap=True)
    table.add_column("Classes", justify="right", no_wrap=True)
    table.add_column("Parameters", justify="right", no_wrap=True)
    table.add_column("")
    for name, entry in NETWORKS.items():
        with torch.device("meta"):
            network = build(name, entry.shape, entry.classes)
        table.add_row(
            name,
            " × ".join(str(n) for n in entry.shape[:4]),
            str(entry.shape.features),
            str(entry.classes),
            f"{_count(network):,}",
            entry.title,
        )
    return table


def description(
    name: str, image: tuple[int, int, int] | None = None, classes: int | None = None
) -> RenderableType:
    """Make the page on one network: options, table of layers, parameters.

    Parameters
    ----------
    name : str
        One of `hepcnn.networks.registry.names`.
    image : tuple of int, optional
        Channels, height and width; by default the network's original, as is what comes beside
        the image.
    classes : int, optional
        By default the network's original.

    Raises
    ------
    InputError
        If there is no such network, or it cannot take such images.
    """
    entry = require(name)
    shape = Shape(entry.shape.views, *(image or entry.shape[1:4]), *entry.shape[4:])
    with torch.device("meta"):
        network = build(name, shape, entry.classes if classes is None else classes)
    summary = summarise(network, shape)
    table = _table()
    table.add_column("Layer (type)")
    table.add_column("Output shape")
    table.add_column("Parameters", justify="right")
    for layer in summary.layers:
        # Batch first and channels before height and width, as torch has them; Keras has them last.
        output = ", ".join(["None", *(str(n) for n in layer.shape)])
        table.add_row(f"{layer.name} ({layer.kind})", f"({output})", f"{layer.parameters:,}")
    chosen = (
        ", ".join(f"{key}: {json.dumps(value)}" for key, value in options(name).items()) or "none"
    )
    totals = (
        f"\nParameters: {summary.parameters:,}\n"
        f"  trainable: {summary.trainable:,}\n"
        f"  fixed: {summary.parameters - summary.trainable:,}\n"
        f"Options and their defaults: {chosen}"
    )
    return Group(Text(f"{name}: {entry.title}\n"), table, Text(totals))
