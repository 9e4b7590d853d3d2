"""One file says it all: samples, images and tasks, in three lists that name one another.

Every key has a default and a description; an unknown key is an error. `hepcnn config` prints the
resolved whole, `hepcnn config --schema` the JSON schema, and the Snakefile validates through the
same models.
"""

from hepcnn.config.any_task import AnyTask
from hepcnn.config.image_tasks import (
    ImageTask,
    InstanceTask,
    InstanceTrain,
    PointTask,
    PointTrain,
    SegmentTask,
    SegmentTrain,
    VertexTask,
)
from hepcnn.config.images import AnyImages, PlaneImages, PolarImages, VoxelImages
from hepcnn.config.loading import entry, load, validate
from hepcnn.config.problems import explain
from hepcnn.config.samples import (
    AnySample,
    LArTPCSample,
    LArTPCSimulation,
    RichSample,
    RichSimulation,
    Sample,
)
from hepcnn.config.searches import Search
from hepcnn.config.settings import (
    Analytic,
    Channel,
    Control,
    Count,
    Edges,
    Fraction,
    NonNegative,
    Plane,
    Positive,
    Range,
    Rich,
    Rising,
    Settings,
    Species,
    Tree,
    abundances,
)
from hepcnn.config.steps import Step
from hepcnn.config.tasks import (
    NOMINAL,
    ClassTables,
    ClassTask,
    EventTables,
    Network,
    PidTables,
    PidTask,
    Task,
    Train,
)
from hepcnn.config.trainings import network_of, number_of, trainings_of, without_trial
from hepcnn.config.trials import Trial, trained, trials
from hepcnn.config.whole import Config, Split
from hepcnn.config.yaml_files import read_mapping, read_yaml

__all__ = [
    "NOMINAL",
    "Analytic",
    "AnyImages",
    "AnySample",
    "AnyTask",
    "Channel",
    "ClassTables",
    "ClassTask",
    "Config",
    "Control",
    "Count",
    "Edges",
    "EventTables",
    "Fraction",
    "ImageTask",
    "InstanceTask",
    "InstanceTrain",
    "LArTPCSample",
    "LArTPCSimulation",
    "Network",
    "NonNegative",
    "PidTables",
    "PidTask",
    "Plane",
    "PlaneImages",
    "PointTask",
    "PointTrain",
    "PolarImages",
    "Positive",
    "Range",
    "Rich",
    "RichSample",
    "RichSimulation",
    "Rising",
    "Sample",
    "Search",
    "SegmentTask",
    "SegmentTrain",
    "Settings",
    "Species",
    "Split",
    "Step",
    "Task",
    "Train",
    "Tree",
    "Trial",
    "VertexTask",
    "VoxelImages",
    "abundances",
    "entry",
    "explain",
    "load",
    "network_of",
    "number_of",
    "read_mapping",
    "read_yaml",
    "trained",
    "trainings_of",
    "trials",
    "validate",
    "without_trial",
]
