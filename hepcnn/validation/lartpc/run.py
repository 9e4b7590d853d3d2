"""All checks of a liquid-argon TPC's sample: run, written, and told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hepcnn.config import Config
from hepcnn.detector.tpc import load_tpc
from hepcnn.performance.table import Table
from hepcnn.validation.checks import Check
from hepcnn.validation.lartpc.decay_checks import michel_edge, pion_mass
from hepcnn.validation.lartpc.response_checks import noise, planes, pulse_width
from hepcnn.validation.lartpc.setup import Setup
from hepcnn.validation.lartpc.shower_checks import conversion, shower_shape, shower_start
from hepcnn.validation.lartpc.track_checks import (
    multiple_scattering,
    muon_loss,
    residual_range,
)
from hepcnn.validation.running import simulated_sample, validate

#: The checks, in the order of the table.
CHECKS: Mapping[str, Callable[[Setup, np.random.Generator], Check]] = {
    "muon_loss": muon_loss,
    "residual_range": residual_range,
    "shower_start": shower_start,
    "conversion": conversion,
    "shower_shape": shower_shape,
    "michel_edge": michel_edge,
    "multiple_scattering": multiple_scattering,
    "pulse_width": pulse_width,
    "noise": noise,
    "planes": planes,
    "pion_mass": pion_mass,
}


def validate_lartpc(config: Config, sample: str | None, output: Path) -> tuple[Table, bool]:
    """Check the simulation of a liquid-argon TPC's sample; write table and figures.

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
        If the sample is not there, not simulated, or its geometry cannot be.
    """
    name, chosen = simulated_sample(config, sample, "lartpc")
    tpc = load_tpc(chosen.geometry)
    made_of = {
        "sample": name,
        "simulate": chosen.simulate.model_dump(mode="json"),
        "geometry": tpc.model_dump(mode="json"),
    }
    title = f"the simulation of a liquid-argon TPC, sample {name}, geometry {chosen.geometry}"
    setup = Setup(chosen.simulate, tpc)
    return validate("lartpc", CHECKS, setup, config.seed, output, made_of, __name__, title)
