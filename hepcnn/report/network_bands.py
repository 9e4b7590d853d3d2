"""Bands of event displays that show a network: its input, feature maps and filters."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from hepcnn.report.bands import Band, Place
from hepcnn.report.style import COLOURS, CONTROL, plain

#: Feature maps of an image, and filters of a tower, that are drawn at most: squares of them.
_MAPS, _FILTERS = 16, 64


def feature_maps(layer: str, maps: NDArray[np.float32], titles: list[str]) -> Band:
    """A band of what a layer makes of each image.

    Parameters
    ----------
    layer : str
        Its name.
    maps : ndarray (n, C, H, W) or (n, ...)
        Feature maps; or numbers, of a dense layer. Of many maps those are drawn that vary most,
        each in its own scale, the same for all images: red above 0, blue below.
    titles : list of str
        Of the n images.
    """

    def draw(place: Place) -> None:
        axes = place.images(len(maps))
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(plain(title))
        if maps.ndim == 4:
            chosen = np.sort(np.argsort(-maps.std(axis=(0, 2, 3)), kind="stable")[:_MAPS])
            for ax, tiles in zip(axes, _scaled(maps[:, chosen]), strict=True):
                _tiled(ax, tiles)
            count, (height, width) = maps.shape[1], maps.shape[2:]
            what = (
                f"{len(chosen)} of {count} feature maps"
                if count > _MAPS
                else f"{count} feature maps"
            )
            what += f"\n{height} × {width} pixels each"
        else:
            for ax, numbers in zip(axes, maps.reshape(len(maps), -1), strict=True):
                ax.stairs(numbers, color=COLOURS[0], fill=True)
                ax.set_xlabel("output")
            what = f"{maps[0].size} numbers"
        place.say(f"{plain(layer)}\n{what}")

    return Band(draw)


def filters(weights: NDArray[np.float32], titles: list[str]) -> Band:
    """A band of the first convolution's filters.

    Parameters
    ----------
    weights : ndarray (T, outputs, inputs, h, w)
        Of each tower; those of several inputs stand side by side.
    titles : list of str
        Of the T towers.
    """

    def draw(place: Place) -> None:
        axes = place.images(len(weights))
        flat = weights.reshape(len(weights), -1, *weights.shape[3:])
        for ax, title, tiles in zip(axes, titles, flat[:, :_FILTERS], strict=True):
            ax.set_title(plain(title))
            _tiled(ax, tiles / np.abs(tiles).max(initial=1e-12))
        _, outputs, inputs, height, width = weights.shape
        every = f"{outputs * inputs} filters of the first layer"
        shown = f"{_FILTERS} of {every}" if outputs * inputs > _FILTERS else every
        seen = f"\n{inputs} input channels in turn" if inputs > 1 else ""
        place.say(f"{shown}{seen}\n{height} × {width} pixels each")

    return Band(draw)


def _scaled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each map by its largest absolute value in any of the images."""
    extreme = np.abs(maps).max(axis=(0, 2, 3), keepdims=True)
    return np.divide(maps, extreme, where=extreme > 0, out=np.zeros_like(maps))


def _tiled(ax: Axes, tiles: NDArray[np.float32]) -> None:
    """Images (n, H, W), from −1 to 1, in a square with lines between them."""
    across = int(np.ceil(np.sqrt(len(tiles))))
    down = -(-len(tiles) // across)
    height, width = tiles.shape[1:]
    page = np.full((down, height + 1, across, width + 1), np.nan)
    for i, tile in enumerate(tiles):
        page[i // across, :-1, i % across, :-1] = tile[::-1]  # rows upwards, as in the displays
    page = page.reshape(down * (height + 1), -1)[:-1, :-1]
    cmap = mpl.colormaps["RdBu_r"].with_extremes(bad=CONTROL)
    ax.imshow(page, cmap=cmap, vmin=-1, vmax=1, interpolation="none", aspect="auto")
    ax.set_xticks([])
    ax.set_yticks([])
