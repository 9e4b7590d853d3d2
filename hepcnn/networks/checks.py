"""Checks of networks' options and inputs."""

from __future__ import annotations

from hepcnn.errors import InputError
from hepcnn.networks.registry import Shape


def check_rate(name: str, value: object) -> None:
    """Refuse what is no rate of dropout."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"option '{name}': {value!r} must be a number from 0 to below 1")


def check_widths(name: str, value: object) -> None:
    """Refuse what is no list of layers' widths."""
    if not isinstance(value, list | tuple) or not all(type(n) is int and n > 0 for n in value):
        raise InputError(f"option '{name}': {value!r} must be a list of whole numbers above 0")


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Refuse what is no whole number, or is too small."""
    if type(value) is not int or value < least:
        raise InputError(f"option '{name}': {value!r} must be a whole number, at least {least}")


def check_switch(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise InputError(f"option '{name}': {value!r} must be true or false")


def one_image(shape: Shape, smallest: int) -> tuple[int, int, int]:
    """Give channels, height and width after the views are folded into the channels.

    Refuse features, and images of less than `smallest` × `smallest` pixels.
    """
    return shape.views * each_view(shape, smallest), shape.height, shape.width


def each_view(shape: Shape, smallest: int = 1, *, voxels: bool = False) -> int:
    """Give the channels of a view, for networks that see each by itself.

    Refuse features, images of less than `smallest` × `smallest` pixels, and images of three axes
    unless `voxels` are taken.
    """
    if shape.features:
        raise InputError("it takes no features; 'siamese' and 'aligned' do")
    if shape.depth and not voxels:
        raise InputError(
            "it takes images of two axes, and these have three; "
            "'uresnet' and 'sparse_uresnet' take both"
        )
    if min(shape.sides) < smallest:
        sides = " × ".join(str(side) for side in shape.sides)
        raise InputError(
            f"images of {sides} pixels are too small; it needs {smallest} × {smallest}"
        )
    return shape.channels
