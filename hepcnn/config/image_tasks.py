"""Tasks that ask what is where in the images of a liquid-argon TPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.config.settings import Count, Name, Positive
from hepcnn.config.tasks import EventTables, Network, Task, Train

#: These tasks are not tried on altered samples.
_Nowhere = Annotated[list[str], Field(max_length=0)]


class ImageTrain(Train):
    """How networks learn what is where."""

    batch_size: Count = 16
    """Examples a step."""
    balance: Literal["none"] = "none"
    """Not of these tasks: their pixels have weights."""


class InstanceTrain(ImageTrain):
    """How networks learn which pixels belong together."""

    weights: PixelWeights = PixelWeights()
    """How much each pixel counts in the loss; not of detectors."""


class SegmentTrain(InstanceTrain):
    """How networks learn to name pixels."""

    loss: Literal["cross_entropy", "focal", "dice"] = "cross_entropy"
    """What is made small."""


class PointTrain(ImageTrain):
    """How networks learn to find points."""

    sigma: Positive = 2.0
    """Width of the peaks about true points that heat maps have (pixels)."""
    box: Positive = 200.0
    """Sides of the box about a true vertex that detectors of boxes find (mm)."""


class ImageTask(Task):
    """What is where in an image."""

    robustness: _Nowhere = []
    """Not of these tasks."""
    tables: EventTables = EventTables()
    """Tables."""


class SegmentTask(ImageTask):
    """Which class each pixel of wire planes, or each voxel, is of."""

    kind: Literal["segmentation"] = "segmentation"
    """The kind of question."""
    target: Literal["semantic"]
    """Heavily and minimum-ionising tracks, showers, Michel electrons and δ electrons."""
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = {"sparse_uresnet": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: Sequence[Literal["majority", "pixel_tree"]] = ["pixel_tree"]
    """Methods that stand beside the networks: the most frequent class; a boosted tree on the
    surroundings of each pixel."""
    train: SegmentTrain = SegmentTrain()
    """Training."""


class InstanceTask(ImageTask):
    """Which pixels of a wire plane are of the same particle."""

    kind: Literal["instances"] = "instances"
    """The kind of question."""
    target: Literal["instance"]
    """The particle that left most of a pixel's charge."""
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = {"sparse_uresnet": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: Sequence[Literal["clusters"]] = ["clusters"]
    """Methods that stand beside the networks: pixels that hang together."""
    train: InstanceTrain = InstanceTrain()
    """Training."""


class VertexTask(ImageTask):
    """Where the beam's interaction is, in each wire plane and in space."""

    kind: Literal["vertex"] = "vertex"
    """The kind of question."""
    target: Literal["vertex"]
    """The true vertex."""
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = {"sparse_uresnet": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: Sequence[Literal["upstream_end", "line_intersection", "distance_bands"]] = [
        "upstream_end",
        "line_intersection",
        "distance_bands",
    ]
    """Methods that stand beside the networks: the charge-weighted upstream end; where the lines
    through the tracks meet; a vote of the charge by its distance."""
    train: PointTrain = PointTrain()
    """Training."""


class PointTask(ImageTask):
    """Where in a wire plane tracks end and showers start."""

    kind: Literal["points"] = "points"
    """The kind of question."""
    target: Literal["points"]
    """Vertices, ends of tracks and starts of showers."""
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = {"sparse_uresnet": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: Sequence[Literal["cluster_ends"]] = ["cluster_ends"]
    """Methods that stand beside the networks: ends of what hangs together."""
    train: PointTrain = PointTrain()
    """Training."""
