"""All checks of a RICH sample: run, written, and told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hepcnn.config import Config
from hepcnn.detector.geometry import load_geometry
from hepcnn.performance.table import Table
from hepcnn.validation.checks import Check
from hepcnn.validation.rich.angle import angle_against_momentum, bias_and_closure
from hepcnn.validation.rich.bands import bands_of
from hepcnn.validation.rich.identification import identification
from hepcnn.validation.rich.occupancy import occupancy
from hepcnn.validation.rich.photoelectrons import photoelectrons, ring_radii
from hepcnn.validation.rich.resolution import single_photon_resolution
from hepcnn.validation.rich.separation import separation
from hepcnn.validation.rich.setup import Setup
from hepcnn.validation.rich.tag_and_probe import tag_and_probe
from hepcnn.validation.running import simulated_sample, validate

#: The checks, in the order of the table.
CHECKS: Mapping[str, Callable[[Setup, np.random.Generator], Check]] = {
    "angle": angle_against_momentum,
    "photoelectrons": photoelectrons,
    "resolution": single_photon_resolution,
    "bias": bias_and_closure,
    "radius": ring_radii,
    "occupancy": occupancy,
    "identification": identification,
    "separation": separation,
    "tag_and_probe": tag_and_probe,
}


def validate_rich(config: Config, sample: str | None, output: Path) -> tuple[Table, bool]:
    """Check the simulation and reconstruction of a RICH sample; write table and figures.

    Parameters
    ----------
    config : Config
        Its seed makes all random numbers.
    sample : str, optional
        The sample whose geometry and settings are checked; the first simulated one by default.
    output : Path
        Folder of ``checks.{json,csv,md,tex}`` and ``figures``.

    Returns
    -------
    table : Table
        All quantities with their bands.
    passed : bool
        Whether all lie in them.

    Raises
    ------
    InputError
        If the sample is not there or not simulated, or its geometry has no published figures.
    """
    name, chosen = simulated_sample(config, sample, "rich")
    geometry = load_geometry(chosen.geometry)
    setup = Setup(chosen.simulate, geometry, bands_of(chosen.geometry))
    made_of = {
        "sample": name,
        "simulate": chosen.simulate.model_dump(mode="json"),
        "geometry": {rich: part.model_dump(mode="json") for rich, part in geometry.items()},
    }
    title = f"the RICH simulation and reconstruction, sample {name}, geometry {chosen.geometry}"
    return validate("rich", CHECKS, setup, config.seed, output, made_of, __name__, title)
