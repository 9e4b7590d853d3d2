"""One file says it all: samples, images and tasks, in three lists that name one another.

Every key has a default and a description; an unknown key is an error. `hepcnn config` prints the
resolved whole, `hepcnn config --schema` the JSON schema, and the Snakefile validates through the
same models.
"""

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
    AnyTask,
    ClassTables,
    ClassTask,
    Network,
    PidTables,
    PidTask,
    Task,
    Train,
)
from hepcnn.config.whole import Config, Split

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
    "Fraction",
    "LArTPCSample",
    "LArTPCSimulation",
    "Network",
    "NonNegative",
    "PidTables",
    "PidTask",
    "Plane",
    "PlaneImages",
    "PolarImages",
    "Positive",
    "Range",
    "Rich",
    "RichSample",
    "RichSimulation",
    "Rising",
    "Sample",
    "Settings",
    "Species",
    "Split",
    "Step",
    "Task",
    "Train",
    "Tree",
    "VoxelImages",
    "abundances",
    "entry",
    "explain",
    "load",
    "validate",
]
