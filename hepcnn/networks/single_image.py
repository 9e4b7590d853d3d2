"""Networks that see one image: the views are folded into its channels.

Each function builds one network from the shape of an example and the number of classes; its
keyword-only arguments are the network's options. Features are not taken. Weights are torch's
defaults, drawn from its global random numbers. The first layer folds the views, the last is linear:
`trunk` gives what is between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import nn

from hepcnn.networks.checks import check_rate, check_widths, one_image
from hepcnn.networks.layers import Dropout, Flatten, FoldViews, dense, sequential
from hepcnn.networks.registry import Shape, build


def lecture_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """The lecture's CNN for RICH images: 1,625,350 parameters on 32 × 32 × 1 and 6 classes.

    Two 3 × 3 convolutions without padding, one pooling, two dense layers. The design is that of
    Keras' MNIST example, ``mnist_cnn.py``, dropout rates included. ReLU and the maximum commute:
    after the pooling it has a quarter of the work.
    """
    channels, height, width = one_image(shape, smallest=6)
    return sequential(
        views=FoldViews(),
        conv1=nn.Conv2d(channels, 32, 3),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, 3),
        pool=nn.MaxPool2d(2),
        relu2=nn.ReLU(),
        dropout1=Dropout(0.25),
        flatten=Flatten(),
        dense1=nn.Linear(64 * ((height - 4) // 2) * ((width - 4) // 2), 128),
        relu3=nn.ReLU(),
        dropout2=Dropout(0.5),
        dense2=nn.Linear(128, classes),
    )


def lenet5(shape: Shape, classes: int) -> nn.Sequential:
    """LeNet-5: 61,706 parameters on 32 × 32 × 1 and 10 classes.

    Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998)
    2278. As is usual now, and other than in 1998: C3 sees all maps of S2 (there a table of
    connections); S2 and S4 average without trained coefficients; tanh is not scaled; the output
    is linear, trained with cross-entropy (there radial basis functions).
    """
    channels, height, width = one_image(shape, smallest=16)
    height, width = (((size - 4) // 2 - 4) // 2 for size in (height, width))
    return sequential(
        views=FoldViews(),
        c1=nn.Conv2d(channels, 6, 5),
        tanh1=nn.Tanh(),
        s2=nn.AvgPool2d(2),
        c3=nn.Conv2d(6, 16, 5),
        tanh3=nn.Tanh(),
        s4=nn.AvgPool2d(2),
        flatten=Flatten(),
        c5=nn.Linear(16 * height * width, 120),
        tanh5=nn.Tanh(),
        f6=nn.Linear(120, 84),
        tanh6=nn.Tanh(),
        output=nn.Linear(84, classes),
    )


def mlp(
    shape: Shape, classes: int, *, hidden: Sequence[int] = (512, 128), dropout: float = 0.5
) -> nn.Sequential:
    """Fully connected layers with ReLU on the flattened pixels: what a network without
    convolutions does with the same image.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers; empty: a linear classifier.
    dropout : float
        Rate of dropout after each hidden layer.
    """
    channels, height, width = one_image(shape, smallest=1)
    check_widths("hidden", hidden)
    check_rate("dropout", dropout)
    layers = dense(channels * height * width, hidden, classes, dropout)
    return sequential(views=FoldViews(), flatten=nn.Flatten(), **dict(layers.named_children()))


def lecture_cifar10(shape: Shape, classes: int, *, dropout: float = 0.25) -> nn.Sequential:
    """The lecture's CNN for CIFAR-10: 1,070,794 parameters on 32 × 32 × 3 and 10 classes.

    Two times a padded 3 × 3 convolution and pooling, then two dense layers. The lecture's dropout
    is not known (it has no parameters): here it follows each pooling and the hidden dense layer.

    Parameters
    ----------
    dropout : float
        Rate of all dropout.
    """
    channels, height, width = one_image(shape, smallest=4)
    check_rate("dropout", dropout)
    return sequential(
        views=FoldViews(),
        conv1=nn.Conv2d(channels, 32, 3, padding="same"),
        pool1=nn.MaxPool2d(2),
        relu1=nn.ReLU(),
        dropout1=Dropout(dropout),
        conv2=nn.Conv2d(32, 64, 3, padding="same"),
        pool2=nn.MaxPool2d(2),
        relu2=nn.ReLU(),
        dropout2=Dropout(dropout),
        flatten=Flatten(),
        dense1=nn.Linear(64 * (height // 4) * (width // 4), 256),
        relu3=nn.ReLU(),
        dropout3=Dropout(dropout),
        dense2=nn.Linear(256, classes),
    )


def small(shape: Shape, classes: int, *, dropout: float = 0.25) -> nn.Sequential:
    """A small CNN for images of any form, such as the long ones of Cherenkov angle and azimuth.

    Four padded 3 × 3 convolutions with ReLU, which halve the longer axis, or both where they are
    equal, to 8 × 8 at least. Then a maximum over pairs along the width and a dense layer: it keeps
    where along the height there is something, which is the angle.

    Parameters
    ----------
    dropout : float
        Rate of dropout before either dense layer.
    """
    channels, height, width = one_image(shape, smallest=4)
    check_rate("dropout", dropout)
    layers: dict[str, nn.Module] = {"views": FoldViews()}
    for i, outputs in enumerate((16, 24, 32, 32), start=1):
        longest = max(height, width)
        down, across = (2 if size == longest > 8 else 1 for size in (height, width))
        layers[f"conv{i}"] = nn.Conv2d(channels, outputs, 3, (down, across), padding=1)
        layers[f"relu{i}"] = nn.ReLU()
        height, width = -(-height // down), -(-width // across)
        channels = outputs
    return sequential(
        **layers,
        pool=nn.MaxPool2d((1, 2)),
        dropout1=Dropout(dropout),
        flatten=Flatten(),
        dense1=nn.Linear(channels * height * (width // 2), 32),
        relu5=nn.ReLU(),
        dropout2=Dropout(dropout),
        dense2=nn.Linear(32, classes),
    )


def trunk(name: str, shape: Shape, options: Mapping[str, Any]) -> tuple[nn.Sequential, int]:
    """Build a network without its first and its last layer: from images to what it saw in them.

    Parameters
    ----------
    name : str
        One of `hepcnn.networks.registry.SINGLE_IMAGE`.
    shape : Shape
        Of its images; one view.
    options : mapping
        Its options.

    Returns
    -------
    torch.nn.Sequential
        From images (B, C, H, W) to (B, width).
    int
        The width.
    """
    network = cast(nn.Sequential, build(name, shape, 1, **options))
    return network[1:-1], cast(nn.Linear, network[-1]).in_features
