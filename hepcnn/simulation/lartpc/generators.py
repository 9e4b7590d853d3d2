"""Events before transport: single particles or interactions, and the cosmic rays over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.simulation.lartpc.cosmics import generate_cosmics
from hepcnn.simulation.lartpc.neutrino import generate_interaction
from hepcnn.simulation.lartpc.records import GeneratedEvent, Primaries
from hepcnn.simulation.lartpc.single import generate_single, sample_class

#: The readout, from the trigger (ns): MicroBooNE's readout of 4.8 ms, of which 1.6 ms
#: are before the trigger.
READOUT = (-1.6e6, 3.2e6)


def sample_number(mean: float, at_least_one: bool, rng: np.random.Generator) -> int:
    """Draw a Poisson number, if need be of those above 0."""
    if not at_least_one:
        return int(rng.poisson(mean))
    # What follows the first of a Poisson process in time, given that there is a first.
    after = mean + np.log1p(rng.random() * np.expm1(-mean))
    return int(1 + rng.poisson(max(after, 0.0)))


def generate(
    settings: LArTPCSimulation,
    volume: NDArray[np.float64],
    rng: np.random.Generator,
    window: tuple[float, float] = READOUT,
    drift: float = 0.0,
) -> GeneratedEvent:
    """Make one event.

    Parameters
    ----------
    settings : LArTPCSimulation
        What is made.
    volume : float64 array (3, 2)
        Lowest and highest x, y and z of the active volume (mm).
    rng : Generator
        Source of all random numbers.
    window : tuple of float
        The readout (ns), when the cosmic rays come that are counted; 0 is the trigger.
    drift : float
        Longest drift time (ns). What came so long before the readout is seen too, in part: as
        many cosmic rays in proportion, over and above.
    """
    if settings.generator == "particles":
        event = generate_single(settings, volume, rng)
    else:
        event = generate_interaction(settings, sample_class(settings, rng), volume, rng)
    at_least_one = settings.generator == "interactions" and event.neutrino_pdg == 0
    start, stop = window
    during = sample_number(settings.cosmics, at_least_one, rng)
    before = sample_number(settings.cosmics * drift / (stop - start), False, rng)
    cosmics = (
        generate_cosmics(during, volume, window, rng),
        generate_cosmics(before, volume, (start - drift, start), rng),
    )
    return replace(event, primaries=Primaries.joined(event.primaries, *cosmics))
