"""Our network: it looks where each hypothesis lets expect light.

A likelihood asks of every hypothesis how well the hits near its ring agree with the light that it
lets expect. This network asks the same of the same hits, but learns the answer: of each hypothesis
it sees a window of the image along θ about the expected angle, in which its ring is a straight
ridge, and gives a score with weights that all hypotheses share. It can know what a likelihood of
independent photons does not: that an error of the track's direction moves the whole ring, which
bends the ridge to cos φ; that rings of unseen tracks cross it; the shape of the resolution.

Where images come with the analytic reconstruction, the network begins as its best likelihood, and
learns what is to be corrected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.errors import InputError
from hepcnn.networks.checks import check_count, check_widths
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.layers import dense
from hepcnn.networks.registry import Shape

#: Strengths of signal, in means of what is expected otherwise: see `_weighed`.
_STRENGTHS = (1 / 16, 1 / 4, 1.0)
#: Expected photons are of this order.
_PHOTONS = 16.0
#: Logarithms of likelihoods beyond this are of no more use.
_CERTAIN = 50.0
_TINY = 1e-6


def _weighed(images: Tensor) -> Tensor:
    """What hits are worth by what is expected in their pixels: (B, C, H, W) to (B, H, E, W).

    A hit where s photons are expected from the track and b from all else adds ln(1 + s/b) to the
    likelihood, the integral of 1/(σ + b) over the strength σ from 0 to s. Hence the functions of b
    that linear filters are given: n · σ/(σ + b) at some strengths, and the number of hits n.
    The first channel is n, each other one the sum of a b over a pixel's hits.
    """
    hits, *others = (channel.contiguous() for channel in images.unbind(1))
    maps, square, some = [hits], hits.square(), hits + _TINY
    for other in others:
        maps += [square / some.add(other, alpha=1 / strength) for strength in _STRENGTHS]
    return torch.stack(maps, dim=2)


class Ridge(nn.Module):
    """What one view tells of each hypothesis.

    Linear filters along θ about the expected angle, of which the sum over φ and the first
    harmonics are taken, and what convolutions along φ make of them.

    Parameters
    ----------
    channels, width : int
        Of the images.
    rows : int
        The window reaches so many rows to either side.
    filters : int
        Filters.
    harmonics : int
        Harmonics of φ.
    """

    waves: Tensor

    def __init__(self, channels: int, width: int, rows: int, filters: int, harmonics: int) -> None:
        super().__init__()
        self.rows = rows
        maps = 1 + len(_STRENGTHS) * (channels - 1)
        self.filters = nn.Parameter(torch.empty(filters, 2 * rows + 1, maps))
        # Few pixels are occupied: larger than for dense images.
        nn.init.normal_(self.filters, std=1.7 / math.sqrt(self.filters[0].numel()))
        self.around = nn.Sequential(
            nn.Conv1d(filters, filters, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.Conv1d(filters, filters, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
        )
        phi = 2 * math.pi / width * torch.arange(width)
        waves = [torch.ones(width)]
        for m in range(1, harmonics + 1):
            waves += [torch.cos(m * phi), torch.sin(m * phi)]
        # The sum of a few tens of hits is of the order of 1.
        self.register_buffer("waves", torch.stack(waves, dim=1) / 4, persistent=False)
        self.outputs = filters * (len(waves) + harmonics + 2)

    def forward(self, images: Tensor, row: Tensor) -> Tensor:
        """From images (B, C, H, W) and expected rows (B, K) to numbers (B, K, D)."""
        filtered = self.filtered(images, row)
        amplitude = filtered @ self.waves
        waves = amplitude[..., 1:].unflatten(-1, (-1, 2))
        around = self.around(filtered)
        told = [
            amplitude.flatten(1),
            waves.square().sum(dim=-1).flatten(1),
            around.mean(dim=-1),
            around.amax(dim=-1),
        ]
        light = (row >= 0).unsqueeze(-1)
        return torch.cat(told, dim=1).unflatten(0, row.shape) * light

    def filtered(self, images: Tensor, row: Tensor) -> Tensor:
        """Filters at each hypothesis, of the image interpolated along θ: (B·K, filters, W)."""
        # Always in 32 bits: in 16 a row has not even a whole number's precision.
        with torch.autocast("cuda" if images.is_cuda else "cpu", enabled=False):
            return self._filtered(images.float(), row.float())

    def _filtered(self, images: Tensor, row: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        # Rows of contiguous numbers, and one with nothing in it for all that is outside.
        table = functional.pad(_weighed(images), (0, 0, 0, 0, 0, 1))
        # The centre of the first row is at 0.5.
        position = (row - 0.5).flatten().unsqueeze(1)
        lower = position.floor()
        steps = torch.arange(-self.rows, self.rows + 2, device=row.device)
        index = lower.long() + steps
        outside = (index < 0) | (index >= height) | (row.flatten().unsqueeze(1) < 0)
        first = torch.arange(batch, device=row.device).repeat_interleave(row.shape[1])
        index = index.masked_fill(outside, height) + first.unsqueeze(1) * (height + 1)
        windows = table.flatten(0, 1).flatten(1).index_select(0, index.flatten())
        windows = windows.view(len(index), -1, width)
        # Filters at the rows below and above: what they give is interpolated, which is the same
        # as the filter on the interpolated image, for less.
        pads = (0, 0, 0, 1), (0, 0, 1, 0)
        kernels = torch.cat([functional.pad(self.filters, pad).flatten(1) for pad in pads])
        below, above = torch.matmul(kernels, windows).chunk(2, dim=1)
        return torch.lerp(below, above, (position - lower).unsqueeze(2))


class Aligned(nn.Module):
    """A score for each hypothesis, from all views, and what they tell together.

    Parameters
    ----------
    shape : Shape
        Of an example.
    ridges : sequence of Ridge
        One a view.
    hidden : sequence of int
        Widths of the dense layers on what the views tell of a hypothesis.
    joint : int
        Width of the dense layer on all hypotheses together.
    analytic : bool
        Whether the likelihoods of the analytic reconstruction are seen.
    """

    def __init__(
        self,
        shape: Shape,
        ridges: Sequence[Ridge],
        hidden: Sequence[int],
        joint: int,
        analytic: bool,
    ) -> None:
        super().__init__()
        self.views = nn.ModuleList(ridges)
        self.likelihoods = shape.likelihoods if analytic else 0
        inputs = sum(ridge.outputs for ridge in ridges) + 2 * shape.views + shape.features
        inputs += self.likelihoods
        self.evidence = dense(inputs, hidden[:-1], hidden[-1])
        # No bias: it would be the same for all. `direct`: a likelihood is linear in what is summed.
        self.score = nn.Linear(hidden[-1], 1, bias=False)
        self.direct = nn.Linear(inputs, 1, bias=False)
        nn.init.zeros_(self.direct.weight)
        if self.likelihoods:  # the last one alone, which all else corrects
            nn.init.zeros_(self.score.weight)
            nn.init.ones_(self.direct.weight[:, -1:])
        # All hypotheses together: priors, and what one tells of another.
        together = shape.hypotheses * hidden[-1] + shape.features
        self.joint = dense(together, (joint,), shape.hypotheses)
        for parameter in self.joint[-1].parameters():
            nn.init.zeros_(parameter)

    def scores(self, inputs: Inputs) -> Tensor:
        """Scores (B, K) of each hypothesis by itself."""
        return self._judge(inputs)[0]

    def forward(self, inputs: Inputs) -> Tensor:
        scores, evidence = self._judge(inputs)
        return scores + self.joint(torch.cat([evidence.flatten(1), inputs.features], dim=1))

    def _judge(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Scores (B, K), and what there is for and against each hypothesis (B, K, D)."""
        images, features, expected, log_likelihood = inputs
        row, photons = expected.unbind(-1)
        told = [view(images[:, v], row[:, v]) for v, view in enumerate(self.views)]
        told += [(row >= 0).movedim(1, 2), photons.movedim(1, 2) / _PHOTONS]
        told.append(features.unsqueeze(1).expand(-1, row.shape[2], -1))
        if self.likelihoods:
            told.append(_CERTAIN * (log_likelihood.movedim(1, 2) / _CERTAIN).tanh())
        everything = torch.cat(told, dim=2)
        evidence = functional.relu(self.evidence(everything))
        return (self.score(evidence) + self.direct(everything)).squeeze(2), evidence


def aligned(
    shape: Shape,
    classes: int,
    *,
    rows: int = 12,
    filters: int = 12,
    harmonics: int = 2,
    hidden: Sequence[int] = (48, 16),
    joint: int = 32,
    analytic: bool = True,
) -> nn.Module:
    """Scores from a window of each view about the angle that each hypothesis lets expect.

    Height must be θ and width φ, the first channel hits and any other one what is expected in
    their pixels, and there must be as many hypotheses as classes, in the same order.

    Parameters
    ----------
    rows : int
        The window reaches so many rows of the image to either side.
    filters : int
        Learnt profiles along θ, for each view.
    harmonics : int
        Harmonics of the azimuth φ: the first is what an error of the track's direction makes of
        a ring, the second what it makes of its width.
    hidden : sequence of int
        Widths of the dense layers on what the views and the features tell of a hypothesis, at
        least one; its score is linear in the last.
    joint : int
        Width of the dense layer on all hypotheses and the features together, which adds to the
        scores.
    analytic : bool
        Whether it sees ln L of the analytic reconstruction, where the images have it, and begins
        as the best of these.
    """
    for name, value, least in (
        ("rows", rows, 0),
        ("filters", filters, 1),
        ("harmonics", harmonics, 0),
        ("joint", joint, 1),
    ):
        check_count(name, value, least=least)
    check_widths("hidden", hidden)
    if not hidden:
        raise InputError("option 'hidden': there must be at least one layer")
    if not shape.hypotheses:
        raise InputError(
            "it needs the expected angles of each hypothesis: an image set with "
            "'coordinates: cherenkov'"
        )
    if shape.hypotheses != classes:
        raise InputError(f"{shape.hypotheses} hypotheses are not the {classes} classes")
    ridges = [
        Ridge(shape.channels, shape.width, rows, filters, harmonics) for _ in range(shape.views)
    ]
    return Aligned(shape, ridges, hidden, joint, analytic)
