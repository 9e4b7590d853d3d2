"""Methods of a task on images that its tables could never compare: found before any is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepcnn.config.image_tasks import ImageTask
from hepcnn.config.images import AnyImages, PlaneImages, PolarImages, VoxelImages
from hepcnn.config.steps import Binarise, Blur, Crop, Downsample, Mirror, Step, Threshold
from hepcnn.config.tasks import Network

#: What decides which pixels a method sees, by its name in messages, as far as settings say; None:
#: they do not.
_Seen = dict[str, Any]
_PIXEL = "ticks × wires of a pixel"
#: The shape of images that are not cut: it follows from the geometry.
_WHOLE = "whole"


def check_comparable(place: str, task: ImageTask, images: Mapping[str, AnyImages]) -> None:
    """Refuse, inside a validator, a method that `hepcnn evaluate` is certain to refuse.

    Those on pixels and key points must see the same pixels; those on the vertex, whose distances
    are in cm, the same planes. Of what images alone can tell nothing is refused: whether windows
    that are cropped in different ways are the same, or a threshold leaves any pixel out.

    Parameters
    ----------
    place : str
        The task's place in the configuration.
    task : ImageTask
        The image sets of its methods are of the same maker.
    images : mapping of str to image set
        All of the configuration.

    Raises
    ------
    ValueError
        It names the network, the key and what would be right.
    """
    # A baseline sees the task's image set as it is.
    first = [*task.baselines, *task.networks][0]
    for name in task.networks:
        own, other = (_compared(task, method, images) for method in (name, first))
        for what, value in own.items():
            if value is None or other[what] is None or value == other[what]:
                continue
            sets = [_seen(images[task.images_of(method)], Network()) for method in (name, first)]
            key = "views" if what == "views" else "steps"
            key = "images" if sets[0][what] != sets[1][what] else key
            raise ValueError(
                f"{place}.networks.{name}.{key}: all methods for the target '{task.target}' must "
                f"have the same {what}, and '{name}' has {_text(value)}, '{first}' "
                f"{_text(other[what])}; give '{name}' the same, or a task of its own"
            )


def _compared(task: ImageTask, method: str, images: Mapping[str, AnyImages]) -> _Seen:
    """What must be alike of what a method sees."""
    own = images[task.images_of(method)]
    if task.target == "vertex":
        # Whichever planes a network sees, it finds nothing in the others.
        return {"views": _seen(own, Network())["views"]}
    seen = _seen(own, task.networks.get(method, Network()))
    if task.target == "points":
        del seen["blur"]
    return seen


def _seen(images: AnyImages, network: Network) -> _Seen:
    """What a network makes of an image set."""
    assert not isinstance(images, PolarImages)
    seen: _Seen = {"views": tuple(network.views or ["xyz"]), "shape": images.shape or _WHOLE}
    if isinstance(images, VoxelImages):
        return seen | {"voxel": images.voxel, "region": images.region, "blur": ()}
    seen |= {
        "views": tuple(network.views or images.planes),
        _PIXEL: (images.ticks_per_pixel, images.wires_per_pixel),
        "region": _region(images),
        "mirrored axes": (),
        "blur": (),
    }
    for step in (*images.steps, *network.steps):
        seen |= _changed(seen, step)
    return seen


def _region(images: PlaneImages) -> tuple[Any, ...]:
    """Where the window lies."""
    corners = tuple(images.corner.get(plane, (0.0, 0.0)) for plane in images.planes)
    return (images.region, *({"vertex": images.anchor, "fixed": corners}.get(images.region, ())))


def _changed(seen: _Seen, step: Step) -> _Seen:
    """What a step makes of it."""
    match step:
        case Downsample():
            pixel = zip(seen[_PIXEL], step.factor, strict=True)
            bigger = {_PIXEL: tuple(round(size * by, 6) for size, by in pixel)}
            if seen["shape"] == _WHOLE:
                return bigger
            sides = zip(seen["shape"], step.factor, strict=True)
            return bigger | {"shape": tuple(-(-side // by) for side, by in sides)}
        case Crop():
            return {"shape": step.shape, "region": None}
        case Mirror():
            return {"mirrored axes": tuple(sorted({*seen["mirrored axes"]} ^ {step.axis}))}
        case Blur():
            return {"blur": None if seen["blur"] is None else (*seen["blur"], step.sigma)}
        case Threshold() | Binarise() if seen["blur"]:
            return {"blur": None}
    return {}


def _text(value: Any) -> str:
    """A value as a reader sees it."""
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
