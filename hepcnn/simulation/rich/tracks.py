"""Charged particles: spectra, species, directions, the magnet, and segments in the RICHes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hepcnn.config import RichSimulation, abundances
from hepcnn.detector.geometry import Acceptance, RichGeometry
from hepcnn.detector.optics import to_sphere
from hepcnn.detector.particles import MASSES, PARTICLES, SPECIES
from hepcnn.simulation.rich.rates import RISE

Floats = NDArray[np.float64]

#: The dipole as a kick of the horizontal momentum at one place: mm, MeV. Its integrated field of
#: 4 Tm gives 1.2 GeV/c. [LHCb detector performance, arXiv:1412.6352]
MAGNET_Z = 5200.0
MAGNET_KICK = 1200.0
#: Pseudorapidities generated. [LHCb's acceptance]
ETA_RANGE = (1.9, 4.9)
#: Median transverse momentum (MeV) and width of ln pT of charged particles; with the
#: momentum they set the pseudorapidity. [minimum-bias spectra at the LHC, rounded]
PT_MEDIAN = 600.0
PT_WIDTH = 0.7
#: Widths of the interaction region in x, y (mm) and z. [LHCb, rounded]
VERTEX_WIDTH = (0.05, 0.05, 50.0)
#: Slopes of the tracking acceptance, horizontal and vertical. [LHCb]
LARGEST_SLOPE = (0.300, 0.250)

#: End of a particle that is not there at all (mm along z): before everything.
ENDED = -1e6
#: Exponents of momentum of the species' abundances over that of pions.
_RISE = np.array([RISE.get(name, 0.0) for name in SPECIES])
_PDG = np.array([particle.pdg for particle in PARTICLES], dtype=np.int32)
#: The sign of the PDG code of a particle with charge +1: leptons are negative.
_PDG_SIGN = np.array([-1 if p.name in ("electron", "muon") else 1 for p in PARTICLES], np.int32)


@dataclass(frozen=True)
class Particles:
    """Charged particles of a chunk of events, in order of their events.

    Attributes
    ----------
    event : int64 array (n,)
        Index of the event in the chunk.
    species : int64 array (n,)
        Index into `PARTICLES`.
    charge : int8 array (n,)
        +1 or -1.
    p : float64 array (n,)
        Momentum (MeV).
    origin, direction : float64 array (n, 3)
        Where the particle starts (mm, LHCb frame) and its unit vector there.
    end : float64 array (n,)
        Where it ends (mm along z); infinite if it goes through.
    """

    event: NDArray[np.int64]
    species: NDArray[np.int64]
    charge: NDArray[np.int8]
    p: Floats
    origin: Floats
    direction: Floats
    end: Floats

    def __len__(self) -> int:
        return len(self.p)

    @classmethod
    def endless(
        cls,
        event: NDArray[np.int64],
        species: NDArray[np.int64],
        charge: NDArray[np.int8],
        p: Floats,
        origin: Floats,
        direction: Floats,
    ) -> Particles:
        """Particles that go through everything."""
        return cls(event, species, charge, p, origin, direction, np.full(len(p), np.inf))

    @classmethod
    def joined(cls, parts: Sequence[Particles]) -> Particles:
        """The particles of several, one after the other."""
        columns = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(part, c) for part in parts]) for c in columns))

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Particles:
        """Some of the particles, by index or flags."""
        return Particles(*(getattr(self, field.name)[which] for field in fields(self)))

    def ending(self, end: Floats) -> Particles:
        """The same particles with other ends."""
        return replace(self, end=end)

    @property
    def mass(self) -> Floats:
        """Masses (MeV)."""
        return MASSES[self.species]

    @property
    def pdg(self) -> NDArray[np.int32]:
        """PDG codes."""
        return _PDG[self.species] * _PDG_SIGN[self.species] * self.charge


@dataclass(frozen=True)
class Segment:
    """Straight pieces of particles in the gas of one RICH; NaN where there is none.

    Attributes
    ----------
    entry, direction, exit : float64 array (n, 3)
        Ends (mm) and unit vector, LHCb frame.
    """

    entry: Floats
    direction: Floats
    exit: Floats

    def take(self, which: NDArray[np.int64]) -> Segment:
        """Some particles' segments, by index."""
        return Segment(self.entry[which], self.direction[which], self.exit[which])

    def until(self, end: Floats) -> Segment:
        """The segments as far as the particles go, which end at z (mm, n)."""
        with np.errstate(invalid="ignore"):
            none = np.where(end > self.entry[:, 2], 0.0, np.nan)[:, None]
            cut = (end < self.exit[:, 2])[:, None]
            exit = np.where(cut, move(self.entry, self.direction, end), self.exit)
        return Segment(self.entry + none, self.direction + none, exit + none)

    @property
    def crosses(self) -> NDArray[np.bool_]:
        """Which particles have a segment."""
        return np.isfinite(self.entry[:, 0])


def sample_momentum(
    settings: RichSimulation, species: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Momenta (n,) in MeV of particles of a species (n,), exactly within the range.

    Log-normal or flat. Two log-normal spectra of a width w whose medians differ by exp(a w²) have a
    ratio that goes as p^a: so the species differ by `rates.RISE`.
    """
    low, high = settings.momentum_range
    quantile = rng.random(len(species))
    if settings.spectrum == "flat":
        return low + (high - low) * quantile
    median, width = settings.momentum_median, settings.momentum_width
    if settings.spectrum == "lognormal":
        return lognormal_within(median, width, (low, high), quantile)
    return lognormal_within(
        median * np.exp(_RISE * width**2)[species], width, (low, high), quantile
    )


def lognormal_within(
    median: float | Floats, width: float, bounds: tuple[float, float], quantile: Floats
) -> Floats:
    """Quantiles of a log-normal distribution that is cut to a range.

    Parameters
    ----------
    median : float or array (n,)
        Median before the cut.
    width : float
        Width of the logarithm.
    bounds : tuple of float
        The range, in the unit of the median.
    quantile : float64 array (n,)
        From 0 to 1.
    """
    low, high = ((np.log(edge) - np.log(median)) / width for edge in bounds)
    # A range above the median is mirrored: near 1, ndtr has no digits left.
    above = low > 0
    low, high = np.where(above, -high, low), np.where(above, -low, high)
    quantile = np.where(above, 1 - quantile, quantile)
    z = ndtri(ndtr(low) + quantile * (ndtr(high) - ndtr(low)))
    x = np.exp(np.log(median) + width * np.where(above, -z, z))
    return np.clip(x, *bounds)  # the ends, but for rounding


def sample_species(settings: RichSimulation, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Species (n,) of the mixture, as indices into `PARTICLES`."""
    return rng.choice(len(PARTICLES), size=n, p=abundances(settings.mixture))


def sample_charge(n: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Charges (n,), +1 or -1 alike."""
    return (2 * rng.integers(0, 2, n) - 1).astype(np.int8)


def sample_origin(n: int, rng: np.random.Generator) -> Floats:
    """Points (n, 3) in the interaction region (mm)."""
    return rng.normal(0.0, VERTEX_WIDTH, (n, 3))


def sample_directions(p: Floats, rng: np.random.Generator) -> Floats:
    """Unit vectors (n, 3) of particles of momenta p (MeV) within the tracking acceptance.

    The pseudorapidity follows from a log-normal transverse momentum, θ ≈ pT/p, so that fast
    particles are forward, as in LHCb; the azimuth is uniform.
    """
    direction = np.empty((len(p), 3))
    todo = np.arange(len(p))
    while len(todo):
        # η = ln(2p/pT) for small angles
        eta = np.log(
            lognormal_within(
                2 * p[todo] / PT_MEDIAN,
                PT_WIDTH,
                (np.exp(ETA_RANGE[0]), np.exp(ETA_RANGE[1])),
                rng.random(len(todo)),
            )
        )
        theta = 2 * np.arctan(np.exp(-eta))
        phi = rng.uniform(0, 2 * np.pi, len(todo))
        new = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], 1)
        direction[todo] = new
        todo = todo[(np.abs(new[:, :2] / new[:, 2:]) > LARGEST_SLOPE).any(axis=1)]
    return direction


def move(position: Floats, direction: Floats, z: float | Floats) -> Floats:
    """Points (n, 3) where straight lines reach a plane of constant z."""
    return position + direction * ((z - position[:, 2]) / direction[:, 2])[:, None]


def behind_magnet(particles: Particles) -> tuple[Floats, Floats]:
    """Position and direction (n, 3) of the particles behind the magnet.

    Particles from before it get the kick in x; NaN directions are those it turns away. Particles
    from behind it go on as they are.
    """
    bent = particles.origin[:, 2] < MAGNET_Z
    momentum = particles.direction * particles.p[:, None]
    momentum[:, 0] += MAGNET_KICK * particles.charge
    with np.errstate(invalid="ignore"):
        momentum[:, 2] = np.sqrt(particles.p**2 - momentum[:, 0] ** 2 - momentum[:, 1] ** 2)
    direction = np.where(bent[:, None], momentum / particles.p[:, None], particles.direction)
    at_magnet = move(particles.origin, particles.direction, MAGNET_Z)
    return np.where(bent[:, None], at_magnet, particles.origin), direction


def line_at(particles: Particles, z: Floats) -> tuple[Floats, Floats]:
    """Position and direction (n, 3) of the particles where they reach z (mm, n)."""
    start, direction = behind_magnet(particles)
    behind = z > MAGNET_Z
    start = np.where(behind[:, None], start, particles.origin)
    direction = np.where(behind[:, None], direction, particles.direction)
    return move(start, direction, z), direction


def _accepted(acceptance: Acceptance, point: Floats) -> NDArray[np.bool_]:
    """Whether points (n, 3) are within the acceptance as seen from the interaction point."""
    slope = point[:, :2] / point[:, 2:]
    return np.asarray(
        (np.abs(slope[:, 0]) < acceptance.horizontal)
        & (np.abs(slope[:, 1]) < acceptance.vertical)
        & (np.hypot(slope[:, 0], slope[:, 1]) > acceptance.inner)
    )


def segment(geometry: RichGeometry, start: Floats, direction: Floats) -> Segment:
    """Segments in a RICH of straight lines from a start (mm) along a direction (n, 3).

    From the front plane of the gas, or from the start if that lies in the gas, to the spherical
    mirror; only where both ends are in the acceptance.
    """
    entry_z = geometry.radiator.entry_z
    entry = move(start, direction, np.maximum(start[:, 2], entry_z))
    exit = to_sphere(geometry, entry, direction)
    acceptance = geometry.acceptance
    with np.errstate(invalid="ignore"):
        crosses = _accepted(acceptance, entry) & _accepted(acceptance, exit)
        crosses &= exit[:, 2] > entry[:, 2]
    none = np.where(crosses, 0.0, np.nan)[:, None]
    return Segment(entry + none, direction + none, exit + none)


def segments(geometry: Mapping[str, RichGeometry], particles: Particles) -> dict[str, Segment]:
    """Segments of particles in both RICHes, with the magnet between them, wherever they end."""
    start, direction = behind_magnet(particles)
    return {
        "rich1": segment(geometry["rich1"], particles.origin, particles.direction),
        "rich2": segment(geometry["rich2"], start, direction),
    }
