"""A task of any form."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hepcnn.config.image_tasks import InstanceTask, PointTask, SegmentTask, VertexTask
from hepcnn.config.settings import Settings
from hepcnn.config.tasks import ClassTask, PidTask
from hepcnn.config.unions import chosen_by, tag

_FORMS: dict[str, type[Settings]] = {
    "species": PidTask,
    "particle": ClassTask,
    "interaction": ClassTask,
    "semantic": SegmentTask,
    "instance": InstanceTask,
    "vertex": VertexTask,
    "points": PointTask,
}
AnyTask = Annotated[
    Annotated[PidTask, tag(PidTask)]
    | Annotated[ClassTask, tag(ClassTask)]
    | Annotated[SegmentTask, tag(SegmentTask)]
    | Annotated[InstanceTask, tag(InstanceTask)]
    | Annotated[VertexTask, tag(VertexTask)]
    | Annotated[PointTask, tag(PointTask)],
    Field(discriminator=chosen_by("target", _FORMS, default="species")),
]
