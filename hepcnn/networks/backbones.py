"""Seed networks of image recognition, for images of any size and number of channels.

The layers are those of torchvision (https://docs.pytorch.org/vision/stable/models.html) and, for
Inception-ResNet-v2, of timm (https://github.com/huggingface/pytorch-image-models); weights are
drawn, never downloaded. On three channels and with 1000 classes each is the published network, to
the last parameter. As in `hepcnn.networks.single_image`, the first layer folds the views and the
last is linear.

Either library is imported where it is needed only: to import both takes as long as torch.
"""

from __future__ import annotations

import math
from typing import cast

from torch import nn

from hepcnn.networks.checks import one_image
from hepcnn.networks.layers import FoldViews, sequential
from hepcnn.networks.registry import Shape

#: Channels that the originals are for.
_COLOURS = 3


def alexnet(shape: Shape, classes: int) -> nn.Sequential:
    """AlexNet, on one GPU: 61,100,840 parameters on 224 × 224 × 3 and 1000 classes.

    A. Krizhevsky, One weird trick for parallelizing convolutional neural networks,
    arXiv:1404.5997: the network of A. Krizhevsky et al., NIPS 25 (2012) 1097, with fewer maps.
    """
    from torchvision.models import AlexNet

    channels, *_ = one_image(shape, smallest=63)
    return _adapted(AlexNet(classes), channels)


def vgg16(shape: Shape, classes: int) -> nn.Sequential:
    """VGG-16: 138,357,544 parameters on 224 × 224 × 3 and 1000 classes.

    K. Simonyan, A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    arXiv:1409.1556, configuration D.
    """
    from torchvision.models import vgg16 as original

    channels, *_ = one_image(shape, smallest=32)
    return _adapted(original(weights=None, num_classes=classes), channels)


def googlenet(shape: Shape, classes: int) -> nn.Sequential:
    """GoogLeNet: 6,624,904 parameters on 224 × 224 × 3 and 1000 classes.

    C. Szegedy et al., Going deeper with convolutions, arXiv:1409.4842; with batch normalisation,
    which makes the auxiliary classifiers of its training superfluous: they are left out.
    """
    from torchvision.models import GoogLeNet

    channels, *_ = one_image(shape, smallest=15)
    return _adapted(GoogLeNet(classes, aux_logits=False, init_weights=False), channels)


def resnet18(shape: Shape, classes: int) -> nn.Sequential:
    """ResNet-18: 11,689,512 parameters on 224 × 224 × 3 and 1000 classes.

    K. He et al., Deep residual learning for image recognition, arXiv:1512.03385.
    """
    from torchvision.models import resnet18 as original

    channels, *_ = one_image(shape, smallest=1)
    return _adapted(original(weights=None, num_classes=classes), channels)


def resnet50(shape: Shape, classes: int) -> nn.Sequential:
    """ResNet-50: 25,557,032 parameters on 224 × 224 × 3 and 1000 classes.

    K. He et al., Deep residual learning for image recognition, arXiv:1512.03385; the strides are
    in the 3 × 3 convolutions, "ResNet v1.5".
    """
    from torchvision.models import resnet50 as original

    channels, *_ = one_image(shape, smallest=1)
    return _adapted(original(weights=None, num_classes=classes), channels)


def wide_resnet50(shape: Shape, classes: int) -> nn.Sequential:
    """Wide-ResNet-50-2: 68,883,240 parameters on 224 × 224 × 3 and 1000 classes.

    S. Zagoruyko, N. Komodakis, Wide residual networks, arXiv:1605.07146: ResNet-50 with twice the
    maps in the 3 × 3 convolutions.
    """
    from torchvision.models import wide_resnet50_2 as original

    channels, *_ = one_image(shape, smallest=1)
    return _adapted(original(weights=None, num_classes=classes), channels)


def inception_resnet_v2(shape: Shape, classes: int) -> nn.Sequential:
    """Inception-ResNet-v2: 55,843,464 parameters on 299 × 299 × 3 and 1000 classes.

    C. Szegedy et al., Inception-v4, Inception-ResNet and the impact of residual connections on
    learning, arXiv:1602.07261.
    """
    # The class, and none of timm's functions: they look for weights on the network.
    from timm.models.inception_resnet_v2 import InceptionResnetV2

    channels, *_ = one_image(shape, smallest=75)
    return _adapted(InceptionResnetV2(classes), channels)


def _adapted(network: nn.Module, channels: int) -> nn.Sequential:
    """Chain the parts of a network, which stand in the order they run, for so many channels."""
    adapt_channels(network, channels)
    parts = dict(network.named_children())
    last, head = parts.popitem()
    if isinstance(head, nn.Sequential):  # the dense layers of AlexNet and VGG
        parts[last], head = head[:-1], head[-1]
    layers: dict[str, nn.Module] = {}
    for name, part in parts.items():
        layers[name] = part
        if name == "avgpool":
            layers["flatten"] = nn.Flatten()
    return sequential(views=FoldViews(), **layers, output=head)


def adapt_channels(network: nn.Module, channels: int) -> None:
    """Exchange the first convolution of a network for three channels, if there are others.

    Its weights are drawn anew, as wide as the original's, but so that the outputs have the same
    variance.
    """
    if channels == _COLOURS:
        return
    found = ((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    name, old = next(found)
    new = nn.Conv2d(
        channels,
        old.out_channels,
        cast(tuple[int, int], old.kernel_size),
        cast(tuple[int, int], old.stride),
        cast(tuple[int, int], old.padding),
        bias=old.bias is not None,
    )
    spread = old.weight.data.std() * math.sqrt(_COLOURS / channels)
    new.weight.data.normal_().mul_(spread)
    if old.bias is not None:
        new.bias = old.bias
    network.set_submodule(name, new)
