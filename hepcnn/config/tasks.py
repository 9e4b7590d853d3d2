"""Tasks: networks and baselines, their training and their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from hepcnn.config.cuts import parse_cut
from hepcnn.config.problems import explain
from hepcnn.config.searches import Search
from hepcnn.config.settings import (
    Analytic,
    Control,
    Count,
    Edges,
    Fraction,
    Name,
    NonNegative,
    Positive,
    Range,
    Settings,
    Species,
    Tree,
    check_distinct,
    check_mixture,
)
from hepcnn.config.steps import Step
from hepcnn.config.trainings import network_of, trainings_of
from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES, POINTS, SINGLE_PARTICLES
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import nearest

#: What the tables call a task's own sample.
NOMINAL = "nominal"
#: What stands in a task's folder beside those of its methods.
_FOLDERS = ("tables", "figures")
#: Names of the classes of each target, in the order of labels: of examples, of pixels (all but
#: `other`), of key points.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "species": SPECIES,
    "particle": tuple(SINGLE_PARTICLES),
    "interaction": INTERACTIONS,
    "semantic": PIXEL_CLASSES[:-1],
    "points": POINTS,
}


class Network(Settings):
    """One network of a task."""

    architecture: str | None = None
    """Name in `hepcnn networks`; by default the entry's own name."""
    options: dict[str, Any] = {}
    """Options of the architecture."""
    images: str | None = None
    """The image set it sees, of the same sample and examples; by default the task's."""
    views: list[str] | None = None
    """The views it sees; by default all."""
    channels: list[str] | None = None
    """The channels it sees; by default all."""
    features: list[str] = []
    """What it is given beside the images: columns of the image set's features, such as `p`,
    `eta` and `n_tracks`."""
    steps: list[Step] = []
    """Processing steps of its images, in order, beside those of the image set; wire planes only."""
    train: dict[str, Any] = {}
    """Settings of its training that are other than the task's."""
    seeds: Count = 1
    """It is trained so many times, each with a seed of its own: NETWORK, NETWORK@2, … The tables
    have the mean, and in the errors the spread; of 5 or more the report can claim something."""


class Train(Settings):
    """How the networks of a task are trained."""

    epochs: Count = 8
    """At most so many epochs."""
    examples: Count | None = None
    """Learn from so many examples at most, spread evenly over the training split: how much do more
    of them help, and what can a slow network do in the same time?"""
    batch_size: Count = 256
    """Examples a step."""
    learning_rate: Positive = 1e-3
    """Step size of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate over the epochs."""
    balance: Literal["none", "class", "sampler"] = "none"
    """`class`: loss weights inverse to each class's abundance; `sampler`: classes drawn equally
    often. The tables undo either by the prior that it stands for."""
    augment: list[Literal["drift", "beam"]] = []
    """Mirror each training example at random along these axes, with its labels; wire planes
    only."""
    patience: Count = 3
    """Stop after so many epochs without a lower validation loss."""
    precision: Literal["auto", "fastest", "32", "bf16", "16"] = "auto"
    """Numbers used in training. `auto`: 32 bits on CPUs, whatever they can; on GPUs bf16, if they
    compute in it. `fastest`: of 32 bits and bf16 the faster one, as a few steps at the start of
    the training tell on this machine."""
    tf32: bool = False
    """On GPUs: round 32-bit numbers to 11 significant bits where they are multiplied (TF32), which
    is faster; 32 bits are then not what they are on a CPU."""
    devices: Literal["auto"] | Count = "auto"
    """How many GPUs (or, without GPUs, CPU processes)."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Loader processes; 0 loads in the training process, which is the fastest for images that
    fit its cache."""


#: Bins of PIDCalib2 in momentum (MeV) and tracks, and of the acceptance in pseudorapidity.
CURVE_BINS: dict[Literal["p", "eta", "n_tracks"], list[float]] = {
    "p": [3000.0, 9300.0, 15600.0, 19000.0, *(24400.0 + 5400.0 * k for k in range(15))],
    "eta": [1.5, 2.5, 3.0, 3.5, 4.0, 5.0],
    "n_tracks": [0.0, 50.0, 200.0, 300.0, 500.0],
}


class PidTables(Settings):
    """The performance tables of the identification of tracks."""

    momentum_range: Range = (3000.0, 100000.0)
    """Tracks in the tables: low <= p < high (MeV)."""
    momentum_bins: Annotated[list[Positive], Field(min_length=2)] = [
        3000.0, 9300.0, 15600.0, 30000.0, 50000.0, 100000.0,
    ]  # fmt: skip
    """Edges of the momentum bins (MeV), half-open; PIDCalib2's thresholds are among them."""
    misid: Annotated[list[Fraction], Field(min_length=1)] = [0.01, 0.03, 0.05, 0.10]
    """Working points: fractions of true pions that pass the kaon cut."""
    mixture: dict[Species, NonNegative] | Literal["natural", "flat"] = "natural"
    """The population that decisions and purities are for: `natural` is the test sample's own."""
    curve_bins: dict[Literal["p", "eta", "n_tracks"], Edges] = CURVE_BINS
    """Edges of the bins of the curves against momentum (MeV), pseudorapidity and tracks in the
    event; those of PIDCalib2 in p and n_tracks."""
    cuts: list[str] = []
    """Cuts whose maps are written, ``maps.csv`` and ``maps.h5``: in bins of momentum,
    pseudorapidity and tracks the tracks that pass and all, of each true species and of ghosts.
    For example ``DLLK > 5``, ``DLLpK > 0`` (ln L of the proton less that of the kaon),
    ``DLLp > 5 & DLLpK > 0``; of a network its log ratio at equal abundances."""
    map_bins: Annotated[dict[Literal["p", "eta", "n_tracks"], Edges], Field(min_length=1)] = (
        CURVE_BINS
    )
    """Edges of the bins of the maps."""
    charges: bool = False
    """Part species by charge in the maps and in the scan: K+ and K- for themselves."""
    scan: Annotated[list[FiniteFloat], Field(min_length=1)] = [
        -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0,
    ]  # fmt: skip
    """Cuts on DLLK of the table that scans them."""
    ablation: list[str] = []
    """Methods, each a step from the one before: the steps of the ablation table."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        edges = {"momentum_bins": self.momentum_bins}
        edges |= {f"curve_bins.{name}": bins for name, bins in self.curve_bins.items()}
        edges |= {f"map_bins.{name}": bins for name, bins in self.map_bins.items()}
        for name, bins in edges.items():
            if any(a >= b for a, b in pairwise(bins)):
                raise ValueError(f"{name}: the edges must increase")
        for name in ("misid", "ablation", "cuts", "scan"):
            check_distinct(name, getattr(self, name))
        for cut in self.cuts:
            parse_cut(cut)
        if isinstance(self.mixture, dict):
            check_mixture(self.mixture)
        return self


class EventTables(Settings):
    """The performance tables of events of a liquid-argon TPC."""

    energy_bins: Edges = [0.0, 250.0, 500.0, 750.0, 1000.0, 1500.0, 2000.0, 3000.0, 5000.0]
    """Edges of the bins of true energy (MeV), half-open: the neutrino's, or the kinetic energy of a
    single particle."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(a >= b for a, b in pairwise(self.energy_bins)):
            raise ValueError("energy_bins: the edges must increase")
        return self


class ClassTables(EventTables):
    """The performance tables of the classification of events."""

    mixture: dict[str, NonNegative] | Literal["natural", "flat"] = "natural"
    """The population that decisions and purities are for: `natural` is the test sample's own."""
    misid: Annotated[list[Fraction], Field(min_length=1)] = [0.05, 0.10, 0.20]
    """Working points of pairs of classes: fractions of one that pass the cut for the other."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_distinct("misid", self.misid)
        return self


class Task(Settings):
    """A question asked of an image set, and the methods that answer it side by side."""

    images: str
    """The image set."""
    kind: str
    """The kind of question."""
    target: str
    """The truth that is asked for."""
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = {"lecture_cnn": Network()}
    """The networks, by a name of your choice or an architecture's."""
    baselines: Sequence[str] = ["majority"]
    """Methods without an image that stand beside the networks."""
    robustness: list[str] = []
    """Samples on which the same methods are tried as they are, without training on them."""
    systematics: list[str] = []
    """Those of `robustness` that are as likely as the task's own sample, for all that is known of
    the detector: what the difference of two methods varies among them is an error of claims."""
    train: Train = Train()
    """Training."""
    search: dict[str, Search] = {}
    """By network, which values of its settings are tried: NETWORK is then the best of the trials by
    the validation split, and no trial sees the test split."""
    tables: PidTables | EventTables
    """Tables."""
    remark: str = ""
    """What the report says first where no network is better than the baselines: why not, and where
    the run is that does."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("baselines", "robustness", "systematics"):
            check_distinct(name, getattr(self, name))
        for name in self.systematics:
            if name not in self.robustness:
                known = nearest(name, self.robustness)
                raise ValueError(f"systematics: '{name}' is not in 'robustness'; {known}")
        if NOMINAL in self.robustness:
            raise ValueError(f"robustness: '{NOMINAL}' is what the tables call the task's own")
        for sample in self.robustness:
            if any(f"{name}@{sample}" in self.trainings for name in self.networks):
                raise ValueError(f"robustness: '{sample}' is the number of a training; rename it")
        for name in self.search:
            if name not in self.networks:
                raise ValueError(f"search: no network '{name}'; {nearest(name, self.networks)}")
        if both := set(self.networks) & set(self.baselines):
            raise ValueError(f"networks: {', '.join(sorted(both))} is the name of a baseline")
        for name in self.networks:
            if name in _FOLDERS:
                raise ValueError(f"networks: '{name}' is kept for the folder of the task's {name}")
        methods = [*self.networks, *self.baselines]
        for name in getattr(self.tables, "ablation", []):
            if name not in methods:
                raise ValueError(f"tables.ablation: no method '{name}'; {nearest(name, methods)}")
        for name in self.networks:
            try:
                self.train_of(name)
            except ValidationError as error:
                problem = explain(error, f"networks.{name}.train", type(self.train))
                raise ValueError(problem) from error
        return self

    def train_of(self, network: str) -> Train:
        """Settings of the trainings of a network: the task's, and its own laid over them."""
        settings = self.train.model_dump() | self.networks[network_of(network)].train
        return type(self.train).model_validate(settings)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of labels, where the target has any."""
        return CLASSES.get(self.target, ())

    @property
    def methods(self) -> list[str]:
        """Networks and baselines, in the order of the tables."""
        return [*self.networks, *self.baselines]

    @property
    def trainings(self) -> dict[str, Network]:
        """All trainings by name, with the network of each; see `hepcnn.config.trainings`."""
        return {
            name: network
            for own, network in self.networks.items()
            for name in trainings_of(own, network.seeds)
        }

    @property
    def predictors(self) -> list[str]:
        """All that has predictions: the trainings of the networks, then the baselines."""
        return [*self.trainings, *self.baselines]

    def images_of(self, method: str) -> str:
        """Name of the image set of a network, of one of its trainings or of a baseline."""
        network = self.networks.get(network_of(method))
        return (network and network.images) or self.images


class PidTask(Task):
    """Which of six species a track is."""

    kind: Literal["classification"] = "classification"
    """The kind of question."""
    target: Literal["species"] = "species"
    """The truth that is asked for."""
    baselines: Sequence[Control | Analytic] = ["majority", "momentum_prior"]
    """Methods without an image that stand beside the networks. The analytic ones need an image set
    in Cherenkov coordinates."""
    tables: PidTables = PidTables()
    """Tables."""


class ClassTask(Task):
    """Which class an event of a liquid-argon TPC is of."""

    kind: Literal["classification"] = "classification"
    """The kind of question."""
    target: Literal["particle", "interaction"]
    """`particle`: electron, photon, muon, pion or proton. `interaction`: νμ CC, νe CC, NC or cosmic
    rays only."""
    baselines: Sequence[Literal["majority"] | Tree] = ["majority", "charge_tree"]
    """Methods that stand beside the networks: the most frequent class; boosted trees on the planes'
    total charges, and on the lengths and forms of what is in the images too."""
    tables: ClassTables = ClassTables()
    """Tables."""

    @model_validator(mode="after")
    def _mixture_of_its_classes(self) -> Self:
        if isinstance(self.tables.mixture, dict):
            check_mixture(self.tables.mixture, self.classes)
        return self
