"""The convolutions of VGG-16, as FCN-8s and SegNet begin with them.

K. Simonyan, A. Zisserman, arXiv:1409.1556, configuration D. Batch normalisation follows each
convolution: the originals begin with trained weights, and these are drawn.
"""

from __future__ import annotations

import itertools

from torch import nn

#: Of each stage its maps, in those of the first, and its convolutions. VGG-16 has 64 maps first.
STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


def stage(inputs: int, hidden: int, outputs: int, convolutions: int) -> nn.Sequential:
    """3 × 3 convolutions, normalised and rectified: `hidden` maps from all but the last."""
    widths = [inputs] + [hidden] * (convolutions - 1) + [outputs]
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(widths):
        convolution = nn.Conv2d(n, m, 3, padding=1, bias=False)
        # For rectifiers: K. He et al., arXiv:1502.01852.
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers += [convolution, nn.BatchNorm2d(m), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def encoder(channels: int, width: int) -> nn.ModuleList:
    """All stages, without the pooling after each."""
    widths = [channels, *(width * wider for wider, _ in STAGES)]
    return nn.ModuleList(
        stage(n, m, m, convolutions)
        for (n, m), (_, convolutions) in zip(itertools.pairwise(widths), STAGES, strict=True)
    )
