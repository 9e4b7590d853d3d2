"""Liquid-argon TPCs, read from YAML: active volume, wire planes, drift, readout, electronics.

Lengths are in mm; x is the drift coordinate, 0 at the wires, y points up, z along the beam. Of two
drift volumes on either side of a common cathode x is 0 there, negative in the first. Wire
coordinates are continuous: an integer is the centre of the wire of that number; the second
volume's wires follow on the first one's. The numbers and their sources are in the YAML files beside
this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat, model_validator

from hepcnn.config import Count, NonNegative, Positive, Rising, Settings
from hepcnn.detector.named_files import read_geometry

#: Wire planes in the order of their numbers in files; `y` collects the charge.
PLANES = ("u", "v", "y")
#: Planes that change places if the beam's axis is reversed: their wires stand at opposite angles.
OPPOSITE = {"u": "v", "v": "u"}
#: Millimetres in a centimetre, the unit of positions in files.
CM = 10.0
#: Geometries that come with the package.
_NAMES = ("microboone", "sbnd")
Bounds = Annotated[tuple[FiniteFloat, FiniteFloat], Rising]


class Volume(Settings):
    """Active volume of one drift volume (mm)."""

    x: Bounds
    """Along the drift: the wires are at 0, the cathode is at the upper end."""
    y: Bounds
    """Upwards."""
    z: Bounds
    """Along the beam."""

    @model_validator(mode="after")
    def _from_the_wires(self) -> Self:
        if self.x[0] != 0:
            raise ValueError(f"x: must begin at the wires, at 0, not at {self.x[0]:g}")
        return self

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest x, y and z, (3, 2) (mm)."""
        return np.array([self.x, self.y, self.z])


class WirePlane(Settings):
    """Parallel wires."""

    angle: FiniteFloat
    """α of the coordinate y sin α + z cos α across the wires (degrees): 0 for vertical wires."""
    wires: Count
    """How many, in one drift volume."""
    offset: FiniteFloat
    """Wire coordinate of y = z = 0."""


class WirePlanes(Settings):
    """The three planes."""

    u: WirePlane
    """First induction plane."""
    v: WirePlane
    """Second induction plane."""
    y: WirePlane
    """Collection plane."""


class Diffusion(Settings):
    """Diffusion of drifting electrons (cm²/s)."""

    longitudinal: NonNegative
    """D_L, along the drift."""
    transverse: NonNegative
    """D_T, across it."""


class Drift(Settings):
    """How electrons drift."""

    field: Positive
    """Electric field (kV/cm)."""
    velocity: Positive
    """Drift velocity (mm/µs)."""
    lifetime: Positive
    """Time after which 1/e of the electrons is left (ms)."""
    diffusion: Diffusion
    """How they spread."""


class Readout(Settings):
    """What is read out of an event."""

    tick: Positive
    """Length of a tick (µs)."""
    ticks: Count
    """Ticks of an event."""
    trigger: FiniteFloat
    """Tick at which charge from x = 0 at time 0 arrives."""


class Electronics(Settings):
    """From electrons to pulses."""

    electrons_per_adc: Positive
    """Electrons for each ADC count at the peak of a pulse that the shaper alone widens."""
    area_per_electron: Positive
    """Charge of a deconvolved pulse (ADC x tick) for each electron: the scale of hits' charges."""
    shaping: Positive
    """Width σ of the shaper's response, taken as a Gaussian (µs)."""
    noise: NonNegative
    """RMS of the noise (ADC)."""
    threshold: Positive
    """A pulse's peak is at least so high (ADC)."""


class TPC(Settings):
    """A liquid-argon TPC."""

    drift_volumes: Count = 1
    """Drift volumes, each with its wires; the geometry is that of the first. Two have a common
    cathode, at x = 0, and the second is the first one's mirror image; of more than two it is not
    known where they are: they can be read, but not simulated."""
    volume: Volume
    """Where charge is seen."""
    pitch: Positive
    """Distance of the wires (mm)."""
    planes: WirePlanes
    """The wires."""
    drift: Drift
    """From a deposit to the wires."""
    readout: Readout
    """Times."""
    electronics: Electronics
    """From electrons to pulses."""

    def plane(self, name: str) -> WirePlane:
        """One plane, of `PLANES`."""
        plane: WirePlane = getattr(self.planes, name)
        return plane

    def wires(self, plane: str) -> int:
        """Number of wires in a plane, of all drift volumes."""
        return self.plane(plane).wires * self.drift_volumes

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest x, y and z of all drift volumes together, (3, 2) (mm)."""
        bounds = self.volume.bounds
        if self.drift_volumes == 2:
            bounds[0] = -self.volume.x[1], self.volume.x[1]
        return bounds

    def drift_volume(self, number: int) -> TPC:
        """One of two drift volumes, 0 or 1, as a TPC of its own: x from its wires."""
        planes = self.planes.model_copy(
            update={
                name: plane.model_copy(update={"angle": -plane.angle if number else plane.angle})
                for name, plane in ((name, self.plane(name)) for name in PLANES)
            }
        )
        return self.model_copy(update={"drift_volumes": 1, "planes": planes})

    def seen(self, position: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where points at time 0 are seen.

        Parameters
        ----------
        position : array_like (n, 3)
            mm; of two drift volumes x is 0 at the common cathode.

        Returns
        -------
        tick : float64 array (n,)
            When their charge arrives.
        wire : float64 array (n, 3)
            Wire coordinates in `PLANES`. Of a single drift volume they are not confined to the
            wires that there are. Of two they are NaN beyond a plane's wires, where the other
            volume's begin; of more than two both are NaN.
        """
        x, y, z = np.asarray(position, np.float64).T
        if self.drift_volumes == 1:
            return self.tick(x), np.stack([self.wire(plane, y, z) for plane in PLANES], axis=1)
        wire = np.full((len(x), len(PLANES)), np.nan)
        if self.drift_volumes > 2:
            return wire[:, 0].copy(), wire
        for number in range(2):
            own = self.drift_volume(number)
            for p, plane in enumerate(PLANES):
                local, wires = own.wire(plane, y, z), own.wires(plane)
                there = ((x > 0) == number) & (local >= -0.5) & (local < wires - 0.5)
                wire[there, p] = local[there] + number * wires
        return self.tick(self.volume.x[1] - np.abs(x)), wire

    @property
    def full_drift(self) -> float:
        """Drift time from the cathode (ticks)."""
        return self.volume.x[1] / self.mm_per_tick

    @property
    def longest_drift(self) -> float:
        """Drift time from the cathode (ns)."""
        return 1000 * self.volume.x[1] / self.drift.velocity

    @property
    def readout_window(self) -> tuple[float, float]:
        """When the readout begins and ends (ns); 0 is the trigger."""
        tick, trigger = 1000 * self.readout.tick, self.readout.trigger
        return -trigger * tick, (self.readout.ticks - trigger) * tick

    @property
    def mm_per_tick(self) -> float:
        """Drift length of a tick (mm)."""
        return self.drift.velocity * self.readout.tick

    def wire(self, plane: str, y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Wire coordinate of points in the first drift volume.

        Parameters
        ----------
        plane : str
            One of `PLANES`.
        y, z : array_like
            Positions (mm), of one shape.

        Returns
        -------
        ndarray
            (y sin α + z cos α) / pitch + offset; not confined to the wires that there are.
        """
        chosen = self.plane(plane)
        angle = np.radians(chosen.angle)
        across = np.asarray(y) * np.sin(angle) + np.asarray(z) * np.cos(angle)
        wire: NDArray[np.float64] = across / self.pitch + chosen.offset
        return wire

    def tick(self, x: ArrayLike, time: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Ticks at which charge set free at x (mm) at a time (ns) arrives at the wires."""
        late = np.asarray(time) / (1000 * self.readout.tick)
        tick: NDArray[np.float64] = self.readout.trigger + np.asarray(x) / self.mm_per_tick + late
        return tick

    def x_of(self, tick: ArrayLike) -> NDArray[np.float64]:
        """Distance from the wires (mm) of charge of time 0 that arrives at a tick."""
        x: NDArray[np.float64] = (np.asarray(tick) - self.readout.trigger) * self.mm_per_tick
        return x


def tpc_names() -> list[str]:
    """Names of the TPCs that come with the package."""
    return list(_NAMES)


def load_tpc(name: str | Path) -> TPC:
    """Read a TPC's geometry.

    Parameters
    ----------
    name : str or Path
        One of `tpc_names`, or the path of a YAML file in the same form.

    Raises
    ------
    InputError
        If there is no such geometry (with the nearest names) or a value is not valid.
    """
    return read_geometry(name, _NAMES, TPC)
