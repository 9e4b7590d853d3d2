"""Networks by name.

Names, original shapes and descriptions are known without importing torch; `build` imports it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hepcnn.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import nn


class Shape(NamedTuple):
    """An example: views, channels, height and width of its images, and what comes beside them.

    `features` numbers, for each view the light that each of `hypotheses` lets expect, and what each
    of `likelihoods` of the analytic reconstruction says of these. `depth` is the length of the
    images' third axis, 0 in two dimensions.
    """

    views: int
    channels: int
    height: int
    width: int
    features: int = 0
    hypotheses: int = 0
    depth: int = 0
    likelihoods: int = 0

    @property
    def sides(self) -> tuple[int, ...]:
        """Lengths of an image's axes, two or three."""
        return (self.height, self.width, *([self.depth] if self.depth else []))


class Entry(NamedTuple):
    """A network's original shape and number of classes, and what it is.

    A `sparse` one computes at occupied places alone, and takes batches of these.
    """

    shape: Shape
    classes: int
    title: str
    sparse: bool = False


_PHOTOGRAPH = Shape(1, 3, 224, 224)
#: Seed networks of image recognition, in their original shapes: each is built by the function of
#: its name in `hepcnn.networks.backbones`.
BACKBONES = {
    "alexnet": Entry(_PHOTOGRAPH, 1000, "AlexNet (Krizhevsky 2014)"),
    "vgg16": Entry(_PHOTOGRAPH, 1000, "VGG-16 (Simonyan and Zisserman 2015)"),
    "googlenet": Entry(_PHOTOGRAPH, 1000, "GoogLeNet (Szegedy et al. 2015)"),
    "resnet18": Entry(_PHOTOGRAPH, 1000, "ResNet-18 (He et al. 2016)"),
    "resnet50": Entry(_PHOTOGRAPH, 1000, "ResNet-50 (He et al. 2016)"),
    "wide_resnet50": Entry(_PHOTOGRAPH, 1000, "Wide-ResNet-50-2 (Zagoruyko et al. 2016)"),
    "inception_resnet_v2": Entry(
        Shape(1, 3, 299, 299), 1000, "Inception-ResNet-v2 (Szegedy et al. 2017)"
    ),
}
#: All that see one image; the others are each built by the function of its name in
#: `hepcnn.networks.single_image`, `tower` and `sparse_tower` in their own modules.
SINGLE_IMAGE = {
    "lecture_cnn": Entry(Shape(1, 1, 32, 32), 6, "the lecture's CNN for RICH images"),
    "lenet5": Entry(Shape(1, 1, 32, 32), 10, "LeNet-5 (LeCun et al. 1998)"),
    "mlp": Entry(Shape(1, 1, 32, 32), 6, "fully connected layers on the pixels"),
    "lecture_cifar10": Entry(Shape(1, 3, 32, 32), 10, "the lecture's CNN for CIFAR-10"),
    "small": Entry(Shape(1, 2, 128, 32), 6, "a small CNN for long images"),
    "tower": Entry(Shape(1, 1, 192, 192), 5, "ours: a small, fast tower for wire planes"),
    "sparse_tower": Entry(
        Shape(1, 1, 192, 192), 5, "ours: sparse convolutions, for wire planes", True
    ),
    **BACKBONES,
}
#: Those that find boxes, in each view by itself: see `hepcnn.networks.detectors.detector`. Each is
#: built by the function of its name in its own module there; their classes are those of boxes.
DETECTORS = {
    "faster_rcnn": Entry(Shape(3, 1, 256, 256), 1, "Faster R-CNN (Ren et al. 2015)"),
    "mask_rcnn": Entry(Shape(3, 1, 256, 256), 1, "Mask R-CNN (He et al. 2017)"),
    "one_stage": Entry(Shape(3, 1, 256, 256), 1, "ours: boxes in one stage, as YOLO"),
}
_PLANE = Shape(1, 1, 256, 256)
#: Those that tell the class of each occupied pixel, or voxel: each is built by the function of its
#: name in its own module of `hepcnn.networks.pixels`.
PIXEL_NETWORKS = {
    "sparse_uresnet": Entry(_PLANE, 5, "sparse U-ResNet (Dominé and Terao 2019)", True),
    "uresnet": Entry(_PLANE, 5, "U-ResNet: a U-Net of residual modules"),
    "fcn8": Entry(_PLANE, 5, "FCN-8s (Long et al. 2015)"),
    "segnet": Entry(_PLANE, 5, "SegNet (Badrinarayanan et al. 2017)"),
    "deeplab": Entry(_PLANE, 5, "DeepLabV3 (Chen et al. 2017)"),
}
#: All of them; the others are each built by the function of its name in its own module.
NETWORKS = (
    SINGLE_IMAGE
    | DETECTORS
    | PIXEL_NETWORKS
    | {
        "siamese": Entry(Shape(2, 2, 128, 32, 3), 6, "a tower for each view, joined with features"),
        "aligned": Entry(
            Shape(2, 2, 128, 32, 3, 6, likelihoods=3),
            6,
            "ours: light where each hypothesis lets expect it",
        ),
    }
)


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


def is_sparse(name: str, chosen: Mapping[str, Any]) -> bool:
    """Tell whether a network of these options takes batches of sites: towers as their backbone."""
    tower = chosen.get("backbone") if name == "siamese" else None
    return (SINGLE_IMAGE.get(str(tower)) or require(name)).sparse


def _builder(name: str) -> Callable[..., nn.Module]:
    require(name)
    # Import statements, not modules' names in strings: `provenance.code_version` follows them.
    if name in DETECTORS:
        from hepcnn.networks.detectors import faster_rcnn, mask_rcnn, one_stage

        detectors = {"faster_rcnn": faster_rcnn, "mask_rcnn": mask_rcnn, "one_stage": one_stage}
        return getattr(detectors[name], name)
    if name in PIXEL_NETWORKS:
        from hepcnn.networks.pixels import deeplab, fcn, segnet, sparse_uresnet, uresnet

        pixels = {"sparse_uresnet": sparse_uresnet, "uresnet": uresnet, "fcn8": fcn}
        pixels |= {"segnet": segnet, "deeplab": deeplab}
        return getattr(pixels[name], name)
    from hepcnn.networks import aligned, backbones, siamese, single_image, sparse_tower, tower

    modules = {
        "aligned": aligned,
        "siamese": siamese,
        "tower": tower,
        "sparse_tower": sparse_tower,
    }
    modules |= dict.fromkeys(BACKBONES, backbones)
    return getattr(modules.get(name, single_image), name)


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
    shape : Shape
        Of an example.
    classes : int
        Length of the output.
    **chosen
        Options of this network; see `options`.

    Returns
    -------
    torch.nn.Module
        From `hepcnn.networks.inputs.Inputs` to logits (B, classes); of `PIXEL_NETWORKS` to
        `hepcnn.networks.pixels.output.AtSites`.

    Raises
    ------
    InputError
        If there is no such network or option, an option's value is not possible, the images are
        too small for the network, or it needs other inputs.
    """
    builder = _builder(name)
    valid = options(name)
    for option in chosen:
        if option not in valid:
            raise InputError(f"network '{name}': no option '{option}'; {nearest(option, valid)}")
    if min(shape[:4]) < 1 or min(shape) < 0:
        raise InputError(
            f"network '{name}': {shape}: views, channels, height and width must be above 0"
        )
    if classes < 1:
        raise InputError(f"network '{name}': {classes} classes; there must be at least 1")
    try:
        return builder(shape, classes, **chosen)
    except InputError as error:
        raise InputError(f"network '{name}': {error}") from error
