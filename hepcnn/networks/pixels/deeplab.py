"""DeepLabV3: torchvision's, on residual networks whose last stages are dilated."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from hepcnn.errors import InputError, nearest
from hepcnn.networks.backbones import adapt_channels
from hepcnn.networks.checks import each_view
from hepcnn.networks.pixels.output import DenseNetwork
from hepcnn.networks.registry import Shape

_BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101")
#: Of stages that keep an eighth of the image's size: dilation of the first block, of the others.
_DILATIONS = {"layer3": (1, 2), "layer4": (2, 4)}


class DeepLab(DenseNetwork):
    """A trunk and torchvision's head, whose maps are interpolated to the size of the image."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def maps(self, images: Tensor) -> Tensor:
        if self.training and len(images) == 1:
            raise InputError(
                "network 'deeplab': it cannot be trained on one image at a time, since it "
                "normalises what it finds of whole images; take a larger batch"
            )
        maps = self.classifier(self.backbone(images))
        return functional.interpolate(maps, images.shape[2:], mode="bilinear")


def deeplab(shape: Shape, outputs: int, *, backbone: str = "resnet50") -> DeepLab:
    """DeepLabV3: 39,638,869 parameters on three channels and 21 classes.

    L.-C. Chen et al., Rethinking atrous convolution for semantic image segmentation,
    arXiv:1706.05587; torchvision's, without the auxiliary classifier. Weights are drawn.

    Parameters
    ----------
    backbone : str
        resnet18, resnet34, resnet50 or resnet101; the strides of their last two stages are
        exchanged for dilation.
    """
    from torchvision.models import resnet
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead

    if backbone not in _BACKBONES:
        known = nearest(str(backbone), _BACKBONES)
        raise InputError(f"option 'backbone': no '{backbone}'; {known}")
    channels = each_view(shape)
    network = getattr(resnet, backbone)(weights=None)
    adapt_channels(network, channels)
    for name, (first, others) in _DILATIONS.items():
        for number, block in enumerate(getattr(network, name)):
            _dilate(block, others if number else first)
    classifier = DeepLabHead(network.fc.in_features, outputs)
    *trunk, _, _ = network.named_children()  # all but the mean and the dense layer
    return DeepLab(nn.Sequential(OrderedDict(trunk)), classifier)


def _dilate(block: nn.Module, dilation: int) -> None:
    """Take the strides from a block's convolutions, and spread those that see neighbours."""
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (dilation, dilation)
