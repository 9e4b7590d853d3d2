"""What every detector is: a network that finds boxes in images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from hepcnn.networks.inputs import Inputs

#: What is true of an image, or found in it, by name; see `Detector`.
Objects = dict[str, Tensor]
#: Images are padded to multiples of so many pixels: the strides of all feature maps divide it.
STRIDE = 32


class Detector(nn.Module, ABC):
    """A network that finds boxes in each view of an example by itself.

    The views are folded into the batch: view v of example b is image b·V + v. Boxes are (x1, y1,
    x2, y2) in pixels, as torchvision has them, x along the columns; classes are counted from 1.
    """

    @abstractmethod
    def forward(
        self, inputs: Inputs, targets: Sequence[Objects] | None = None
    ) -> dict[str, Tensor] | list[Objects]:
        """Give the losses where the truth is given, and else what is found.

        Either is done in training and in evaluation; the mode decides about the layers only: in
        evaluation batch normalisation uses the running statistics, and leaves them alone.

        Parameters
        ----------
        inputs : Inputs
            A batch of examples.
        targets : sequence of dict, optional
            Of each image ``boxes`` (n, 4) float32 of positive height and width, ``labels`` (n,)
            int64 ≥ 1 and, for a network that finds masks, ``masks`` (n, H, W) uint8.

        Returns
        -------
        dict or list of dict
            Losses by name, or of each image, by falling score: ``boxes``, ``labels``, ``scores``
            (n,) and perhaps ``masks`` (n, 1, H, W), the probability of each pixel.
        """


def folded(inputs: Inputs) -> Tensor:
    """Give the images of all views, (B·V, C, H, W)."""
    return inputs.images.flatten(0, 1)
