"""Run a detector's checks, whatever the detector: which sample, random numbers, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hepcnn.config import Config, entry
from hepcnn.errors import InputError
from hepcnn.performance.table import Table
from hepcnn.progress import progress
from hepcnn.provenance import record
from hepcnn.validation.checks import Check, checks_table, write_checks

Setup = TypeVar("Setup")
#: Checks by name, in the order of the table; each has its setup and random numbers.
Checks = Mapping[str, Callable[[Setup, np.random.Generator], Check]]


def simulated_sample(config: Config, name: str | None, detector: str) -> tuple[str, Any]:
    """Name and settings of a simulated sample of a detector; by default of the first one.

    Raises
    ------
    InputError
        If there is none, or the sample named is not there, of files, or of another detector.
    """
    if name is None:
        for first, sample in config.samples.items():
            if sample.detector == detector and sample.simulate is not None:
                return first, sample
        raise InputError(
            f"no sample of the configuration is simulated with the detector '{detector}': there "
            "is nothing to validate"
        )
    chosen = entry(config.samples, name, "sample")
    if chosen.detector != detector:
        raise InputError(f"sample '{name}' is of the detector '{chosen.detector}'")
    if chosen.simulate is None:
        raise InputError(f"sample '{name}' has files and is not simulated")
    return name, chosen


def run_check(checks: Checks[Setup], name: str, setup: Setup, seed: int) -> Check:
    """Run one check with random numbers of its own, so that checks do not change one another."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, *name.encode()]))
    return checks[name](setup, rng)


def validate(
    detector: str,
    checks: Checks[Setup],
    setup: Setup,
    seed: int,
    output: Path,
    made_of: Mapping[str, Any],
    code: str,
    title: str,
) -> tuple[Table, bool]:
    """Run all checks of a detector; write table and figures.

    Parameters
    ----------
    detector : str
        Which.
    checks : mapping
        By name.
    setup : object
        What is checked, as the checks take it.
    seed : int
        Of all random numbers.
    output : Path
        Folder of ``checks.{json,csv,md,tex}`` and ``figures``.
    made_of : mapping
        What the results depend on, for the provenance: the sample's name, settings, geometry.
    code : str
        The module whose source decides them.
    title : str
        What is checked, for the table's caption.

    Returns
    -------
    table : Table
        All quantities with their bands.
    passed : bool
        Whether all lie in them.
    """
    found = []
    with progress(f"validate {detector}", len(checks), "checks") as advance:
        for name in checks:
            found.append(run_check(checks, name, setup, seed))
            advance()
    caption = f"Checks of {title}: each value and the band that it must lie in."
    table = checks_table(found, caption)
    made = record(f"validate {detector}", made_of, code=code, seed=seed)
    write_checks(output, table, found, made)
    return table, all(check.passed for check in found)
