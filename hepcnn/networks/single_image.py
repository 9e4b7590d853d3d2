"""Networks that see one image: the views are folded into its channels.

Each function builds one network from the shape of an example (views, channels, height, width) and
the number of classes; its keyword-only arguments are the network's options. Images come as
(B, V, C, H, W), logits go out as (B, classes). Weights are torch's defaults, drawn from its global
random numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from hepcnn.errors import InputError
from hepcnn.networks.layers import Dropout, Flatten
from hepcnn.networks.registry import Shape


def _sequential(**layers: nn.Module) -> nn.Sequential:
    """Layers in their order, each by name: the names stand in summaries and in checkpoints."""
    return nn.Sequential(OrderedDict(layers))


def _one_image(shape: Shape, smallest: int) -> tuple[int, int, int]:
    """Channels, height and width after the views are folded into the channels."""
    views, channels, height, width = shape
    if min(height, width) < smallest:
        raise InputError(
            f"images of {height} × {width} pixels are too small; it needs {smallest} × {smallest}"
        )
    return views * channels, height, width


def _check_rate(dropout: float) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise InputError(f"option 'dropout': {dropout!r} must be a number from 0 to below 1")


def lecture_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """The lecture's CNN for RICH images: 1,625,350 parameters on 32 × 32 × 1 and 6 classes.

    Two 3 × 3 convolutions without padding, one pooling, two dense layers. The design is that of
    Keras' MNIST example, ``mnist_cnn.py``, dropout rates included. ReLU and the maximum commute:
    after the pooling it has a quarter of the work.
    """
    channels, height, width = _one_image(shape, smallest=6)
    return _sequential(
        views=nn.Flatten(1, 2),
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
    channels, height, width = _one_image(shape, smallest=16)
    height, width = (((size - 4) // 2 - 4) // 2 for size in (height, width))
    return _sequential(
        views=nn.Flatten(1, 2),
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
    channels, height, width = _one_image(shape, smallest=1)
    if not isinstance(hidden, list | tuple) or not all(type(n) is int and n > 0 for n in hidden):
        raise InputError(f"option 'hidden': {hidden!r} must be a list of whole numbers above 0")
    _check_rate(dropout)
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    inputs = channels * height * width
    for i, outputs in enumerate(hidden, start=1):
        layers[f"dense{i}"] = nn.Linear(inputs, outputs)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"dropout{i}"] = Dropout(dropout)
        inputs = outputs
    layers["output"] = nn.Linear(inputs, classes)
    return _sequential(**layers)


def lecture_cifar10(shape: Shape, classes: int, *, dropout: float = 0.25) -> nn.Sequential:
    """The lecture's CNN for CIFAR-10: 1,070,794 parameters on 32 × 32 × 3 and 10 classes.

    Two times a padded 3 × 3 convolution and pooling, then two dense layers. The lecture's dropout
    is not known (it has no parameters): here it follows each pooling and the hidden dense layer.

    Parameters
    ----------
    dropout : float
        Rate of all dropout.
    """
    channels, height, width = _one_image(shape, smallest=4)
    _check_rate(dropout)
    return _sequential(
        views=nn.Flatten(1, 2),
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
