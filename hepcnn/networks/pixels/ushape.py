"""The U of both U-ResNets, dense and sparse: they differ in the layers it is put together from.

O. Ronneberger et al., U-Net, arXiv:1505.04597, with residual modules that normalise first (K. He
et al., Identity mappings in deep residual networks, arXiv:1603.05027), as L. Dominé and K. Terao
have it for liquid argon, arXiv:1903.05663: level l has (l + 1) times the maps of level 0, and half
the resolution of the level before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import nn

from hepcnn.networks.checks import check_count


class Parts(NamedTuple):
    """Layers of one kind, each made from its numbers of inputs and outputs.

    They take and give maps: a Tensor, or `hepcnn.networks.sparse.sites.SparseMaps`.

    Attributes
    ----------
    stem : callable
        A 3**D convolution of the images.
    stage : callable
        Residual modules, one after the other; of their widths, from the first's inputs to the
        last's outputs.
    down : callable
        To half the resolution.
    up : callable
        To twice the resolution: takes the maps and those of the finer level, and gives the latter
        with its outputs behind them.
    head : callable
        Linear, of each pixel by itself.
    """

    stem: Callable[[int, int], nn.Module]
    stage: Callable[[Sequence[int]], nn.Module]
    down: Callable[[int, int], nn.Module]
    up: Callable[[int, int], nn.Module]
    head: Callable[[int, int], nn.Module]


class UShape(nn.Module):
    """Down through all levels, and up again with what each level gave on the way down."""

    def __init__(
        self, parts: Parts, channels: int, outputs: int, levels: int, filters: int, blocks: int
    ) -> None:
        super().__init__()
        check_count("levels", levels)
        check_count("filters", filters)
        check_count("blocks", blocks)
        widths = [filters * (level + 1) for level in range(levels)]
        steps = list(itertools.pairwise(widths))
        self.stem = parts.stem(channels, filters)
        self.encoders = nn.ModuleList(parts.stage([n] * (blocks + 1)) for n in widths)
        self.downs = nn.ModuleList(parts.down(n, m) for n, m in steps)
        # From the deepest to the first.
        self.ups = nn.ModuleList(parts.up(m, n) for n, m in reversed(steps))
        self.decoders = nn.ModuleList(
            parts.stage([2 * n] + [n] * blocks) for n, _ in reversed(steps)
        )
        self.head = parts.head(filters, outputs)

    def forward(self, maps: Any) -> Any:
        maps = self.encoders[0](self.stem(maps))
        finer = []
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            finer.append(maps)
            maps = encoder(down(maps))
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            maps = decoder(up(maps, finer.pop()))
        return self.head(maps)
