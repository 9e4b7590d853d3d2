"""Response of a liquid-argon TPC: energy deposits in, hits out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.dead_wires import dead_wires
from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.drift import drift
from hepcnn.simulation.lartpc.noise import POOL, noise_pulses, noise_samples, shaping
from hepcnn.simulation.lartpc.pulses import Pulses, add_noise, find_pulses
from hepcnn.simulation.lartpc.records import Deposits
from hepcnn.simulation.lartpc.waveforms import Waveforms, make_waveforms, new_frame

#: Pulses longer than so many widths of the shaper's response become several hits.
LONGEST = 20


@dataclass(frozen=True)
class Hits:
    """Hits of one event, in order of plane, wire and time.

    Attributes
    ----------
    plane : int8 array (n,)
        Index into `PLANES`.
    wire : int32 array (n,)
        Number in the plane.
    time, rms : float32 array (n,)
        Mean and width of the pulse (ticks).
    charge : float32 array (n,)
        Integral of the deconvolved pulse (ADC × tick).
    particle : int32 array (n,)
        The particle with most of the charge; −1: noise.
    """

    plane: NDArray[np.int8]
    wire: NDArray[np.int32]
    time: NDArray[np.float32]
    charge: NDArray[np.float32]
    rms: NDArray[np.float32]
    particle: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.plane)


class Response:
    """What a drift volume makes of energy deposits.

    Waveforms are those of a shaper behind wires that see unipolar pulses of the whole charge in
    every plane, as after a deconvolution of the field's response.

    Parameters
    ----------
    settings : LArTPCSimulation
        Recombination, diffusion, noise, dead wires.
    tpc : TPC
        The geometry, of a single drift volume.
    rng : Generator
        Source of the noise.
    dead : dict of bool array (wires,), optional
        The dead wires of each plane, if not those that `dead_wires` chooses.
    """

    def __init__(
        self,
        settings: LArTPCSimulation,
        tpc: TPC,
        rng: np.random.Generator,
        dead: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.settings, self.tpc = settings, tpc
        dead = dead or dead_wires(tpc, settings.dead_wires)
        self.frame = new_frame([dead[plane] for plane in PLANES], tpc.readout.ticks)
        self._live = np.flatnonzero(~self.frame.dead)
        self._noise = noise_samples(tpc, POOL, rng) if settings.noise else None

    @property
    def electron_area(self) -> float:
        """Area of an electron's pulse behind the shaper (ADC × tick)."""
        return float(
            np.sqrt(2 * np.pi) * shaping(self.tpc) / self.tpc.electronics.electrons_per_adc
        )

    def waveforms(self, deposits: Deposits, rng: np.random.Generator) -> Waveforms:
        """Waveforms of one event, where there is charge."""
        clouds = drift(deposits, self.settings, self.tpc)
        waveforms = make_waveforms(clouds, self.frame, shaping(self.tpc), self.electron_area)
        if self._noise is not None:
            add_noise(waveforms, self.frame.ticks, self._noise, rng)
        return waveforms

    def hits(self, deposits: Deposits, particles: int, rng: np.random.Generator) -> Hits:
        """Hits of one event.

        Parameters
        ----------
        deposits : Deposits
            Inside the active volume.
        particles : int
            How many particles there are.
        rng : Generator
            Source of the random numbers.
        """
        electronics = self.tpc.electronics
        pulses = find_pulses(
            self.waveforms(deposits, rng),
            self.frame.blocks,
            particles,
            electronics.noise,
            electronics.threshold,
            round(LONGEST * shaping(self.tpc)),
        )
        if self._noise is not None:
            pulses = _joined(pulses, self._noise_pulses(rng))
        scale = electronics.area_per_electron / self.electron_area
        plane = np.searchsorted(self.frame.first, pulses.wire, side="right") - 1
        return Hits(
            plane.astype(np.int8),
            (pulses.wire - self.frame.first[plane]).astype(np.int32),
            pulses.time,
            (scale * pulses.area).astype(np.float32),
            pulses.rms,
            pulses.particle,
        )

    def _noise_pulses(self, rng: np.random.Generator) -> Pulses:
        """Pulses of noise alone: of the shape of its autocorrelation, √2 as wide as the shaper."""
        wire, tick, height = noise_pulses(self.tpc, self._live, rng)
        width = np.sqrt(2) * shaping(self.tpc)
        return Pulses(
            wire,
            tick.astype(np.float32),
            np.full(len(wire), width, np.float32),
            (np.sqrt(2 * np.pi) * width * height).astype(np.float32),
            np.full(len(wire), -1, np.int32),
        )


class TwoResponses:
    """What two drift volumes on either side of a common cathode make of energy deposits.

    Parameters
    ----------
    settings : LArTPCSimulation
        As of `Response`.
    tpc : TPC
        The geometry, of two drift volumes.
    rng : Generator
        Source of the noise.
    """

    def __init__(self, settings: LArTPCSimulation, tpc: TPC, rng: np.random.Generator) -> None:
        self._cathode = tpc.volume.x[1]
        dead = dead_wires(tpc, settings.dead_wires)
        halves = {plane: np.split(wires, 2) for plane, wires in dead.items()}
        self._responses = [
            Response(
                settings,
                tpc.drift_volume(number),
                rng,
                {plane: half[number] for plane, half in halves.items()},
            )
            for number in range(2)
        ]

    def hits(self, deposits: Deposits, particles: int, rng: np.random.Generator) -> Hits:
        """Hits of one event: as of `Response`, x of the deposits from the cathode."""
        second = deposits.position[:, 0] > 0
        found = []
        for number, response in enumerate(self._responses):
            own = deposits.select(second == number)
            position = own.position.copy()
            position[:, 0] = self._cathode - np.abs(position[:, 0])
            hits = response.hits(replace(own, position=position), particles, rng)
            wires = np.array([response.tpc.wires(plane) for plane in PLANES], np.int32)
            found.append(replace(hits, wire=hits.wire + number * wires[hits.plane]))
        names = Hits.__dataclass_fields__
        columns = {n: np.concatenate([getattr(part, n) for part in found]) for n in names}
        order = np.lexsort((columns["time"], columns["wire"], columns["plane"]))
        return Hits(**{n: column[order] for n, column in columns.items()})


def respond(
    settings: LArTPCSimulation, tpc: TPC, rng: np.random.Generator
) -> Response | TwoResponses:
    """Prepare the response of a TPC of one drift volume or of two.

    Raises
    ------
    InputError
        If the geometry has more: where they are is not known.
    """
    if tpc.drift_volumes > 2:
        raise InputError(
            f"the geometry has {tpc.drift_volumes} drift volumes; events of one, or of two on "
            "either side of a common cathode, can be simulated"
        )
    return (Response if tpc.drift_volumes == 1 else TwoResponses)(settings, tpc, rng)


def _joined(first: Pulses, second: Pulses) -> Pulses:
    """All pulses of two sets, in order of wire and time."""
    names = Pulses.__dataclass_fields__
    columns = {n: np.concatenate([getattr(first, n), getattr(second, n)]) for n in names}
    order = np.lexsort((columns["time"], columns["wire"]))
    return Pulses(**{n: column[order] for n, column in columns.items()})
