"""The whole configuration: lists of samples, images and tasks that name one another."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hepcnn.config.any_task import AnyTask
from hepcnn.config.comparable import check_comparable
from hepcnn.config.image_tasks import ImageTask, SegmentTask
from hepcnn.config.images import DETECTOR, AnyImages, PlaneImages, PolarImages
from hepcnn.config.samples import AnySample, RichSample, RichSimulation
from hepcnn.config.settings import Analytic, FilePath, Fraction, Name, Settings
from hepcnn.config.steps import OF_VALUES
from hepcnn.config.tasks import PidTask, Task
from hepcnn.config.trials import trials
from hepcnn.errors import nearest


class Split(Settings):
    """Fractions of the events, by hash of (run, subrun, event): stable when files are added."""

    train: Fraction = 0.7
    """To fit."""
    validation: Fraction = 0.15
    """To stop early and to choose."""
    test: Fraction = 0.15
    """For the tables, and for nothing else."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test is {total:g} and must be 1")
        return self


def _images(data: dict[str, Any]) -> dict[str, AnyImages]:
    """The lecture's image set, if there is the sample that it is of."""
    sample = data.get("samples", {}).get("rich")
    return {"rich_polar": PolarImages(sample="rich")} if isinstance(sample, RichSample) else {}


def _tasks(data: dict[str, Any]) -> dict[str, AnyTask]:
    """The lecture's task, if its image set was not chosen either."""
    own = data.get("images", {}) != {"rich_polar": PolarImages(sample="rich")}
    return {} if own else {"rich_pid": PidTask(images="rich_polar")}


class Config(Settings):
    """The whole configuration."""

    output: FilePath = "results"
    """Folder of everything that is made."""
    seed: Annotated[int, Field(ge=0)] = 20190305
    """Seed of all random numbers."""
    samples: Annotated[dict[Name, AnySample], Field(min_length=1)] = {
        "rich": RichSample(simulate=RichSimulation())
    }
    """Sets of ROOT files."""
    images: dict[Name, AnyImages] = Field(default_factory=_images)
    """Image sets. By default `rich_polar`, of the sample `rich` if there is one of a RICH."""
    tasks: dict[Name, AnyTask] = Field(default_factory=_tasks)
    """Tasks. By default `rich_pid`, of the default image set if no other is chosen."""
    split: Split = Split()
    """Events for training, validation and test."""
    validation: list[Literal["rich", "lartpc"]] = []
    """Detectors whose simulation and reconstruction are checked and shown in the report."""

    @field_validator("images")
    @classmethod
    def _of_rows(cls, images: dict[str, AnyImages], info: ValidationInfo) -> dict[str, AnyImages]:
        """Of LArCV's images one row is a pixel by default: only here both are known."""
        samples = info.data.get("samples", {})
        larcv = {n for n, s in samples.items() if s.detector == "lartpc" and s.reader == "larcv"}
        return {
            name: own.of_rows() if isinstance(own, PlaneImages) and own.sample in larcv else own
            for name, own in images.items()
        }

    @model_validator(mode="after")
    def _references(self) -> Self:
        for name, images in self.images.items():
            if images.sample not in self.samples:
                raise ValueError(
                    f"images.{name}.sample: no sample '{images.sample}'; "
                    + nearest(images.sample, self.samples)
                )
            detector = self.samples[images.sample].detector
            if detector != DETECTOR[images.maker]:
                raise ValueError(
                    f"images.{name}.maker: '{images.maker}' makes images of "
                    f"{DETECTOR[images.maker]} events; sample '{images.sample}' is {detector}"
                )
        for name, task in self.tasks.items():
            if task.images not in self.images:
                raise ValueError(
                    f"tasks.{name}.images: no image set '{task.images}'; "
                    + nearest(task.images, self.images)
                )
            self._check_task(f"tasks.{name}", task)
            self._check_trials(f"tasks.{name}", task)
        for detector in self.validation:
            if not any(s.detector == detector and s.simulate for s in self.samples.values()):
                raise ValueError(f"validation: no sample of {detector} is simulated")
        return self

    def _check_task(self, place: str, task: Task) -> None:
        """Refuse image sets that are not of the same examples, and samples that there are not."""
        images = self.images[task.images]
        for name, network in task.networks.items():
            here = f"{place}.networks.{name}"
            if network.images is None:
                continue
            if network.images not in self.images:
                raise ValueError(
                    f"{here}.images: no image set '{network.images}'; "
                    + nearest(network.images, self.images)
                )
            other = self.images[network.images]
            for what in ("maker", "sample", "must_cross", "momentum_range"):
                if getattr(other, what, None) != getattr(images, what, None):
                    raise ValueError(
                        f"{here}.images: '{network.images}' and '{task.images}' are not of the "
                        f"same examples: {what} is {getattr(other, what)} in the one and "
                        f"{getattr(images, what)} in the other"
                    )
        self._check_kind(place, task)
        if isinstance(task, ImageTask):
            check_comparable(place, task, self.images)
        for sample in task.robustness:
            if sample not in self.samples:
                raise ValueError(
                    f"{place}.robustness: no sample '{sample}'; {nearest(sample, self.samples)}"
                )
            if sample == images.sample:
                raise ValueError(
                    f"{place}.robustness: '{sample}' is the sample that the task is trained on"
                )

    def _check_trials(self, place: str, task: Task) -> None:
        """Refuse values of a search that the task could not have as a network's own."""
        for network in task.search:
            try:
                found = trials(task, network, self.seed).values()
            except ValueError as error:
                raise ValueError(f"{place}.{error}") from error
            for trial in found:
                try:
                    self._check_task(place, trial.task)
                except ValueError as error:
                    raise ValueError(f"{place}.{trial.place}: {error}") from error

    def _check_kind(self, place: str, task: Task) -> None:
        """Refuse what a task asks of images that cannot give it."""
        images = self.images[task.images]
        wanted = ["polar"] if isinstance(task, PidTask) else ["planes"]
        wanted += ["voxels"] if isinstance(task, SegmentTask) else []
        if images.maker not in wanted:
            raise ValueError(
                f"{place}.images: the target '{task.target}' needs images of the maker "
                f"'{' or '.join(wanted)}'; '{task.images}' is of '{images.maker}'"
            )
        steps = [("images", getattr(images, "steps", []))]
        for name, network in task.networks.items():
            own = self.images[task.images_of(name)]
            steps.append((f"networks.{name}.images", getattr(own, "steps", [])))
            steps.append((f"networks.{name}.steps", network.steps))
        for where, own_steps in steps:
            if task.target == "vertex" and any(step.step == "mirror" for step in own_steps):
                raise ValueError(
                    f"{place}.{where}: 'mirror' leaves no vertex in space where it was; "
                    "'train.augment' mirrors in training alone"
                )
            for step in own_steps if images.maker == "voxels" else ():
                if step.step not in OF_VALUES:
                    raise ValueError(
                        f"{place}.{where}: '{step.step}' is for wire planes, not for voxels; these "
                        f"are for both: {', '.join(OF_VALUES)}"
                    )
        if images.maker == "voxels" and "pixel_tree" in task.baselines:
            raise ValueError(f"{place}.baselines: 'pixel_tree' is for wire planes, not for voxels")
        if isinstance(images, PolarImages):
            analytic = [b for b in task.baselines if b in get_args(Analytic)]
            if analytic and images.coordinates != "cherenkov":
                raise ValueError(
                    f"{place}.baselines: {', '.join(analytic)} need 'images' in Cherenkov "
                    f"coordinates; '{task.images}' is in {images.coordinates} coordinates"
                )
            for name, network in task.networks.items():
                if network.steps or task.train_of(name).augment:
                    raise ValueError(
                        f"{place}.networks.{name}: 'steps' and 'train.augment' are for wire planes"
                    )
