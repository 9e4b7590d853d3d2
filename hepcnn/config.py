"""One file says it all: samples, images and tasks, in three lists that name one another.

Every key has a default and a description; an unknown key is an error. `hepcnn config` prints the
resolved whole, `hepcnn config --schema` the JSON schema, and the Snakefile validates through the
same models.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError, nearest

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Species = Literal["electron", "muon", "pion", "kaon", "proton", "deuteron"]
Rich = Literal["rich1", "rich2"]
Channel = Literal["hits", "tracks", "expected_other"]
Control = Literal["majority", "momentum_prior"]
Analytic = Literal["threshold_counting", "boosted_tree", "likelihood_local", "likelihood_global"]
Edges = Annotated[list[NonNegative], Field(min_length=2)]
T = TypeVar("T")


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"{bounds[0]:g} is not below {bounds[1]:g}")
    return bounds


Range = Annotated[tuple[Positive, Positive], AfterValidator(_rising)]


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _check_mixture(mixture: Mapping[Species, float]) -> None:
    if not sum(mixture.values()) > 0:
        raise ValueError("a mixture of species needs at least one abundance above 0")


class RichSimulation(Settings):
    """Simulated RICH events. The defaults are LHCb Run 3 in scale; all of it can be changed.

    Where no source is named, a default is a round number: momenta for the median of 7 to 8 GeV and
    the mean of 12 to 15 GeV of LHCb's long tracks, tracks between the means of Run 1 (30 to 40) and
    of Run 3 (four to five times as many), tracking errors for 0.4 mrad of each photon's angle.
    """

    events: Count = 400
    """Events in the whole sample."""
    shards: Count = 4
    """Files that the sample is written to."""
    tracks: Positive = 100.0
    """Mean number of reconstructed long tracks an event."""
    tracks_spread: NonNegative = 0.5
    """RMS of the events' activity over its mean (several collisions an event); 0: all alike."""
    spectrum: Literal["lognormal", "flat"] = "lognormal"
    """Momentum spectrum: log-normal as LHCb's long tracks, or flat in momentum."""
    momentum_median: Positive = 7500.0
    """Median of the log-normal spectrum before the range is applied (MeV)."""
    momentum_width: Positive = 0.95
    """Width of the log-normal spectrum in ln p."""
    momentum_range: Range = (2000.0, 100000.0)
    """Lowest and highest momentum generated (MeV)."""
    mixture: dict[Species, NonNegative] | Literal["flat"] = {
        "electron": 0.025,
        "muon": 0.004,
        "pion": 0.689,
        "kaon": 0.181,
        "proton": 0.100,
        "deuteron": 0.001,
    }
    """Abundance of each species (normalised to 1), or `flat`. The default is that of the
    lecture's test sample, and a few deuterons."""
    unreconstructed: NonNegative = 2.0
    """Tracks that radiate but are not in the list of tracks, per reconstructed track. With the
    default, half of the hits are theirs, and the peak occupancy of RICH1 is 30 % at 150 tracks."""
    dark_hits: NonNegative = 100.0
    """Mean number of random hits an event, in each RICH."""
    tracking_angle: NonNegative = 0.3
    """Error of the track's direction at high momentum (mrad, each projection)."""
    tracking_scattering: NonNegative = 3.0
    """Error of the track's direction from multiple scattering: this over p (mrad GeV)."""
    tracking_position: NonNegative = 0.5
    """Error of the track's position at the entry (mm, each projection)."""
    tracking_momentum: NonNegative = 0.005
    """Relative error of the momentum."""
    emission: bool = True
    """Emission points spread along the track (off: the middle of the radiator)."""
    chromatic: bool = True
    """Photon energies spread over the accepted band (off: its mean)."""
    pixel: bool = True
    """Hits at the centres of binary pixels (off: the exact point)."""
    tracking: bool = True
    """Tracks written with the tracking errors above (off: the true track)."""
    index_shift: float = 0.0
    """Added to the refractive index of both gases: what the reconstruction does not know of."""
    dead_tubes: Fraction = 0.0
    """Fraction of the photomultiplier tubes that give no hit; always the same ones."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.shards > self.events:
            raise ValueError(f"shards: {self.shards} are more than the events ({self.events})")
        if isinstance(self.mixture, dict):
            _check_mixture(self.mixture)
        return self


class Sample(Settings):
    """A named set of ROOT files with one layout: simulated, or the user's."""

    detector: Literal["rich"] = "rich"
    """What made the events."""
    geometry: str = "lhcb-run3"
    """A geometry by name (lhcb-run3, lhcb-run1) or a YAML file in the same form."""
    simulate: RichSimulation | None = None
    """Make the events; exclusive with `files`."""
    files: list[str] = []
    """ROOT files: paths, globs, root:// addresses; `FILE.root:TREE` names the tree too."""
    tree: str = "events"
    """Name of the TTree or RNTuple."""
    branches: dict[str, str] = {}
    """For each native branch that is called otherwise: its name, or an expression of names,
    numbers and + - * / ( ), for example ``1000 * Track_P``."""
    on_bad_file: Literal["fail", "skip"] = "fail"
    """`skip`: leave a bad file out; it is counted, listed and shown in the report."""
    files_per_job: Count = 1
    """Files that one conversion job makes into one image shard."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.simulate is None) == (not self.files):
            raise ValueError("give either 'simulate' or 'files'")
        return self


class PolarImages(Settings):
    """Track-centred images: the hits around each track, in r or θ and in φ."""

    sample: str
    """The sample that the images are made of."""
    maker: Literal["polar"] = "polar"
    """How images are made."""
    coordinates: Literal["detector", "cherenkov"] = "detector"
    """`detector`: distance r and azimuth φ about the track's projection on the photon plane.
    `cherenkov`: the Cherenkov angle θ and the azimuth φ of each hit, taken as a photon of the
    track; with them come the results of the analytic reconstruction, which the likelihood
    baselines need."""
    rich: Annotated[list[Rich], Field(min_length=1)] = ["rich1"]
    """The RICHes seen; each is a view."""
    required: list[Rich] | None = None
    """The RICHes that a track must cross to be kept, by default all that are seen. In another one
    that it does not cross its image is empty."""
    shape: tuple[Count, Count] = (32, 32)
    """Bins in r or θ, and in φ."""
    radius: dict[Rich, Positive] = {"rich1": 130.0, "rich2": 170.0}
    """Outer radius of the image in each RICH (mm on the photon plane), in detector coordinates."""
    angle: dict[Rich, Positive] = {"rich1": 64.0, "rich2": 36.0}
    """Largest θ of the image in each RICH (mrad), in Cherenkov coordinates."""
    channels: Annotated[list[Channel], Field(min_length=1)] = ["hits"]
    """What is counted in the bins. `hits`: photon hits. `tracks`: the projections of the event's
    other tracks (detector coordinates only). `expected_other`: the photons expected in the hits'
    pixels from all but this track, in thousandths: the background, and the other tracks as the
    global likelihood takes them to be (Cherenkov coordinates only)."""
    momentum_range: Range = (3000.0, 100000.0)
    """Tracks kept: low <= p < high (MeV)."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(set(self.rich)) < len(self.rich) or len(set(self.channels)) < len(self.channels):
            raise ValueError("a RICH or a channel is named twice")
        bounds = "angle" if self.coordinates == "cherenkov" else "radius"
        if missing := [name for name in self.rich if name not in getattr(self, bounds)]:
            raise ValueError(f"{bounds}: no entry for {', '.join(missing)}")
        foreign = "tracks" if self.coordinates == "cherenkov" else "expected_other"
        if foreign in self.channels:
            raise ValueError(f"channels: there is no '{foreign}' in {self.coordinates} coordinates")
        if self.required is not None:
            if unseen := [name for name in self.required if name not in self.rich]:
                raise ValueError(f"required: {', '.join(unseen)} is not in 'rich'")
            if not self.required:
                raise ValueError("required: a track must cross at least one RICH")
        return self

    @property
    def must_cross(self) -> list[Rich]:
        """The RICHes that a track must cross."""
        return self.rich if self.required is None else self.required


class Network(Settings):
    """One network of a task."""

    architecture: str | None = None
    """Name in `hepcnn networks`; by default the entry's own name."""
    options: dict[str, Any] = {}
    """Options of the architecture."""
    images: str | None = None
    """The image set it sees, of the same sample and tracks; by default the task's."""
    views: list[str] | None = None
    """The views it sees; by default all."""
    channels: list[str] | None = None
    """The channels it sees; by default all."""
    features: list[str] = []
    """What it is given beside the images: columns of the image set's features, such as `p`,
    `eta` and `n_tracks`."""


class Train(Settings):
    """How the networks of a task are trained."""

    epochs: Count = 8
    """At most so many epochs."""
    batch_size: Count = 256
    """Examples a step."""
    learning_rate: Positive = 1e-3
    """Step size of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate over the epochs."""
    balance: Literal["none", "class", "sampler"] = "none"
    """`class`: loss weights inverse to each class's abundance; `sampler`: classes drawn equally
    often. The tables undo either by the prior that it stands for."""
    patience: Count = 3
    """Stop after so many epochs without a lower validation loss."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Numbers used in training; `auto`: bf16 where the hardware computes in it, else 32."""
    devices: Literal["auto"] | Count = "auto"
    """How many GPUs (or, without GPUs, CPU processes)."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Loader processes; 0 loads in the training process, which is the fastest for images that
    fit its cache."""


class Tables(Settings):
    """The performance tables of a task."""

    momentum_range: Range = (3000.0, 100000.0)
    """Tracks in the tables: low <= p < high (MeV)."""
    momentum_bins: Annotated[list[Positive], Field(min_length=2)] = [
        3000.0, 9300.0, 15600.0, 30000.0, 50000.0, 100000.0,
    ]  # fmt: skip
    """Edges of the momentum bins (MeV), half-open; PIDCalib2's thresholds are among them."""
    misid: list[Fraction] = [0.01, 0.03, 0.05, 0.10]
    """Working points: fractions of true pions that pass the kaon cut."""
    mixture: dict[Species, NonNegative] | Literal["natural", "flat"] = "natural"
    """The population that decisions and purities are for: `natural` is the test sample's own."""
    curve_bins: dict[Literal["p", "eta", "n_tracks"], Edges] = {
        "p": [3000.0, 9300.0, 15600.0, 19000.0, *(24400.0 + 5400.0 * k for k in range(15))],
        "eta": [1.5, 2.5, 3.0, 3.5, 4.0, 5.0],
        "n_tracks": [0.0, 50.0, 200.0, 300.0, 500.0],
    }
    """Edges of the bins of the curves against momentum (MeV), pseudorapidity and tracks in the
    event; those of PIDCalib2 in p and n_tracks."""
    ablation: list[str] = []
    """Methods, each a step from the one before: the steps of the ablation table."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        edges = {"momentum_bins": self.momentum_bins}
        edges |= {f"curve_bins.{name}": bins for name, bins in self.curve_bins.items()}
        for name, bins in edges.items():
            if any(a >= b for a, b in pairwise(bins)):
                raise ValueError(f"{name}: the edges must increase")
        if isinstance(self.mixture, dict):
            _check_mixture(self.mixture)
        return self


class Task(Settings):
    """A question asked of an image set, and the methods that answer it side by side."""

    images: str
    """The image set."""
    kind: Literal["classification"] = "classification"
    """The kind of question."""
    target: Literal["species"] = "species"
    """The truth that is asked for."""
    networks: Annotated[dict[str, Network], Field(min_length=1)] = {"lecture_cnn": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: list[Control | Analytic] = ["majority", "momentum_prior"]
    """Methods without an image that stand beside the networks. The analytic ones need an image set
    in Cherenkov coordinates."""
    robustness: list[str] = []
    """Samples on which the same methods are tried as they are, without training on them."""
    train: Train = Train()
    """Training."""
    tables: Tables = Tables()
    """Tables."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if both := set(self.networks) & set(self.baselines):
            raise ValueError(f"networks: {', '.join(sorted(both))} is the name of a baseline")
        methods = [*self.networks, *self.baselines]
        for name in self.tables.ablation:
            if name not in methods:
                raise ValueError(f"tables.ablation: no method '{name}'; {nearest(name, methods)}")
        return self

    @property
    def methods(self) -> list[str]:
        """Networks and baselines, in the order of the tables."""
        return [*self.networks, *self.baselines]

    def images_of(self, method: str) -> str:
        """Name of the image set of a network or a baseline."""
        network = self.networks.get(method)
        return (network and network.images) or self.images


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


class Config(Settings):
    """The whole configuration."""

    output: str = "results"
    """Folder of everything that is made."""
    seed: Annotated[int, Field(ge=0)] = 20190305
    """Seed of all random numbers."""
    samples: Annotated[dict[str, Sample], Field(min_length=1)] = {
        "rich": Sample(simulate=RichSimulation())
    }
    """Sets of ROOT files."""
    images: dict[str, PolarImages] = {"rich_polar": PolarImages(sample="rich")}
    """Image sets."""
    tasks: dict[str, Task] = {"rich_pid": Task(images="rich_polar")}
    """Tasks."""
    split: Split = Split()
    """Events for training, validation and test."""
    validation: list[Literal["rich"]] = []
    """Detectors whose simulation and reconstruction are checked and shown in the report."""

    @model_validator(mode="after")
    def _references(self) -> Self:
        for name, images in self.images.items():
            if images.sample not in self.samples:
                raise ValueError(
                    f"images.{name}.sample: no sample '{images.sample}'; "
                    + nearest(images.sample, self.samples)
                )
        for name, task in self.tasks.items():
            if task.images not in self.images:
                raise ValueError(
                    f"tasks.{name}.images: no image set '{task.images}'; "
                    + nearest(task.images, self.images)
                )
            self._check_task(f"tasks.{name}", task)
        return self

    def _check_task(self, place: str, task: Task) -> None:
        """Refuse image sets that are not of the same tracks, and samples that there are not."""
        images = self.images[task.images]
        analytic = [b for b in task.baselines if b in get_args(Analytic)]
        if analytic and images.coordinates != "cherenkov":
            raise ValueError(
                f"{place}.baselines: {', '.join(analytic)} need 'images' in Cherenkov coordinates; "
                f"'{task.images}' is in {images.coordinates} coordinates"
            )
        for name, network in task.networks.items():
            if network.images is None:
                continue
            if network.images not in self.images:
                raise ValueError(
                    f"{place}.networks.{name}.images: no image set '{network.images}'; "
                    + nearest(network.images, self.images)
                )
            other = self.images[network.images]
            for what in ("sample", "must_cross", "momentum_range"):
                if getattr(other, what) != getattr(images, what):
                    raise ValueError(
                        f"{place}.networks.{name}.images: '{network.images}' and '{task.images}' "
                        f"are not of the same tracks: {what} is {getattr(other, what)} in the one "
                        f"and {getattr(images, what)} in the other"
                    )
        for sample in task.robustness:
            if sample not in self.samples:
                raise ValueError(
                    f"{place}.robustness: no sample '{sample}'; {nearest(sample, self.samples)}"
                )


def _field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names valid beside the unknown key at `location`."""
    current: Any = model
    for step in location[:-1]:
        fields = getattr(current, "model_fields", {})
        current = fields[step].annotation if step in fields else current
        # Step into list[X], dict[K, X] and X | None until a model is found.
        while not (isinstance(current, type) and issubclass(current, BaseModel)):
            inner = [a for a in getattr(current, "__args__", ()) if a is not type(None)]
            if not inner:
                return []
            current = next((a for a in inner if hasattr(a, "model_fields")), inner[-1])
    return list(current.model_fields)


def explain(error: ValidationError, what: str, model: type[BaseModel]) -> str:
    """Say what is wrong with data for a model: one line for each wrong key."""
    lines = [f"{what} is not valid"]
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or "the whole"
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            lines.append(
                f"  {place}: unknown key; {nearest(name, _field_names(model, item['loc']))}"
            )
        else:
            message = item["msg"].removeprefix("Value error, ")
            given = (
                "" if item["type"] in ("missing", "value_error") else f" (got {item['input']!r})"
            )
            lines.append(f"  {place}: {message}{given}")
    return "\n".join(lines)


def validate(data: Mapping[str, Any] | None, source: str = "config") -> Config:
    """Check a parsed configuration.

    Parameters
    ----------
    data : mapping or None
        What a YAML file holds; empty means all defaults.
    source : str
        What to call it in an error message.

    Raises
    ------
    InputError
        One line for each wrong key: where it is, what is wrong, the nearest valid names.
    """
    try:
        return Config.model_validate(dict(data or {}))
    except ValidationError as error:
        raise InputError(explain(error, f"{source}: the configuration", Config)) from error


def load(path: str | Path) -> Config:
    """Read and check a YAML (or JSON) configuration file; ``-`` is the standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the configuration '{path}': {error.strerror}") from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    if data is not None and not isinstance(data, dict):
        raise InputError(f"{path}: a configuration is a mapping of keys, not {type(data).__name__}")
    return validate(data, str(path))


def entry(entries: Mapping[str, T], name: str, what: str) -> T:
    """One entry of a list of the configuration by name, or an error with the nearest names."""
    if name not in entries:
        raise InputError(f"no {what} '{name}' in the configuration; {nearest(name, entries)}")
    return entries[name]


def abundances(mixture: Mapping[Species, float] | Literal["flat"]) -> list[float]:
    """Abundances of the six species, in the order of `SPECIES`, normalised to 1."""
    if mixture == "flat":
        return [1 / len(SPECIES)] * len(SPECIES)
    weights = [float(mixture.get(name, 0.0)) for name in SPECIES]  # type: ignore[call-overload]
    return [w / sum(weights) for w in weights]
