"""All checks of a RICH sample: run, written, and told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hepcnn.config import Config, RichSample, entry
from hepcnn.detector.geometry import load_geometry
from hepcnn.errors import InputError
from hepcnn.performance.table import Table
from hepcnn.progress import progress
from hepcnn.provenance import record
from hepcnn.validation.checks import Check, checks_table, write_checks
from hepcnn.validation.rich.angle import angle_against_momentum, bias_and_closure
from hepcnn.validation.rich.bands import bands_of
from hepcnn.validation.rich.identification import identification
from hepcnn.validation.rich.occupancy import occupancy
from hepcnn.validation.rich.photoelectrons import photoelectrons, ring_radii
from hepcnn.validation.rich.resolution import single_photon_resolution
from hepcnn.validation.rich.separation import separation
from hepcnn.validation.rich.setup import Setup

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
}


def default_sample(config: Config) -> str:
    """Name of the first simulated sample of a configuration.

    Raises
    ------
    InputError
        If there is none.
    """
    for name, sample in config.samples.items():
        if sample.detector == "rich" and sample.simulate is not None:
            return name
    raise InputError("no sample of the configuration is simulated: there is nothing to validate")


def run_check(name: str, setup: Setup, seed: int) -> Check:
    """Run one check with random numbers of its own, so that checks do not change one another."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, *name.encode()]))
    return CHECKS[name](setup, rng)


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
    name = default_sample(config) if sample is None else sample
    chosen: RichSample = entry(config.samples, name, "sample")
    if chosen.simulate is None:
        raise InputError(f"sample '{name}' has files and is not simulated")
    geometry = load_geometry(chosen.geometry)
    setup = Setup(chosen.simulate, geometry, bands_of(chosen.geometry))
    checks = []
    with progress("validate rich", len(CHECKS), "checks") as advance:
        for check in CHECKS:
            checks.append(run_check(check, setup, config.seed))
            advance()
    made = record(
        "validate rich",
        {
            "sample": name,
            "simulate": chosen.simulate.model_dump(mode="json"),
            "geometry": {rich: part.model_dump(mode="json") for rich, part in geometry.items()},
        },
        code=__name__,
        seed=config.seed,
    )
    caption = (
        f"Checks of the RICH simulation and reconstruction, sample {name}, geometry "
        f"{chosen.geometry}: each value and the band that it must lie in."
    )
    table = checks_table(checks, caption)
    write_checks(output, table, checks, made)
    return table, all(check.passed for check in checks)
