"""One file says it all: samples, images and tasks, in three lists that name one another.

Every key has a default and a description; an unknown key is an error. `hepcnn config` prints the
resolved whole, `hepcnn config --schema` the JSON schema, and the Snakefile validates through the
same models.
"""

from hepcnn.config.images import PolarImages
from hepcnn.config.loading import entry, load, validate
from hepcnn.config.problems import explain
from hepcnn.config.samples import RichSimulation, Sample
from hepcnn.config.settings import (
    Analytic,
    Channel,
    Control,
    Count,
    Edges,
    Fraction,
    NonNegative,
    Positive,
    Range,
    Rich,
    Settings,
    Species,
    abundances,
)
from hepcnn.config.tasks import NOMINAL, Network, Tables, Task, Train
from hepcnn.config.whole import Config, Split

__all__ = [
    "NOMINAL",
    "Analytic",
    "Channel",
    "Config",
    "Control",
    "Count",
    "Edges",
    "Fraction",
    "Network",
    "NonNegative",
    "PolarImages",
    "Positive",
    "Range",
    "Rich",
    "RichSimulation",
    "Sample",
    "Settings",
    "Species",
    "Split",
    "Tables",
    "Task",
    "Train",
    "abundances",
    "entry",
    "explain",
    "load",
    "validate",
]
