"""What becomes of hadrons on their way: decays in flight and interactions in the material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.particles import MASSES, SPECIES
from hepcnn.simulation.rich.rates import (
    C_TAU,
    DECAYS,
    INTERACTING,
    LARGEST_KINK,
    LAST_Z,
    MATERIAL,
    MATERIAL_Z,
    STATIONS,
)
from hepcnn.simulation.rich.tracks import Floats, Particles, line_at

Flags = NDArray[np.bool_]

#: By species, c τ (mm; infinite: stable) and the probability to interact before the stations' end.
_C_TAU = np.array([C_TAU.get(name, np.inf) for name in SPECIES])
_INTERACTING = np.array([INTERACTING.get(name, 0.0) for name in SPECIES])
#: Daughters beyond this angle to the beam meet no RICH (cosine).
_FORWARD = 0.9


@dataclass(frozen=True)
class Fates:
    """Particles as far as they go, and what their decays leave.

    Attributes
    ----------
    particles : Particles
        The n particles; `end` is where they decay or interact.
    daughters : Particles
        Charged daughters of m of them that go forward.
    mother : int64 array (m,)
        Index of each daughter's mother among the particles, rising.
    long : bool array (n,)
        Which are reconstructed as long tracks.
    """

    particles: Particles
    daughters: Particles
    mother: NDArray[np.int64]
    long: Flags

    def at(self, z: float) -> NDArray[np.int64]:
        """Who goes on at z (mm), of each particle: itself, or its daughter after the decay.

        Rows (n,) among the particles followed by the daughters; itself if no daughter goes on.
        """
        row = np.arange(len(self.particles))
        after = self.particles.end[self.mother] < z
        row[self.mother[after]] = len(row) + after.nonzero()[0]
        return row

    def index_in_event(self) -> NDArray[np.int64]:
        """Index in its event of each particle, and of each daughter's mother, (n + m,)."""
        event = self.particles.event
        index = np.arange(len(event)) - np.searchsorted(event, event)
        return np.concatenate([index, index[self.mother]])

    def take(self, which: Flags) -> Fates:
        """Some of the particles, by flags (n,), with their daughters."""
        mine = which[self.mother]
        place = np.cumsum(which) - 1
        return Fates(
            self.particles.take(which),
            self.daughters.take(mine),
            place[self.mother[mine]],
            self.long[which],
        )

    @classmethod
    def joined(cls, parts: Sequence[Fates]) -> Fates:
        """The particles of several, one after the other."""
        first = np.cumsum([0, *(len(part.particles) for part in parts)])[:-1]
        return cls(
            Particles.joined([part.particles for part in parts]),
            Particles.joined([part.daughters for part in parts]),
            np.concatenate([part.mother + n for part, n in zip(parts, first, strict=True)]),
            np.concatenate([part.long for part in parts]),
        )

    def ordered(self, order: NDArray[np.int64]) -> Fates:
        """The particles in another order, with their daughters."""
        place = np.argsort(order)[self.mother]
        rising = np.argsort(place)
        return Fates(
            self.particles.take(order),
            self.daughters.take(rising),
            place[rising],
            self.long[order],
        )


def sample_fates(settings: RichSimulation, particles: Particles, rng: np.random.Generator) -> Fates:
    """Let particles decay and interact, whichever comes first, and see which remain long tracks.

    A long track needs the stations behind the magnet. A particle that interacts before their end
    is none; one that decays before is one if its charged daughter goes on with hardly a kink.

    Parameters
    ----------
    settings : RichSimulation
        Whether there are decays and interactions.
    particles : Particles
        From the interaction region.
    rng : Generator
        Source of random numbers.
    """
    n = len(particles)
    decay, interaction = np.full((2, n), np.inf)
    if settings.decays:
        decay = decay_z(particles, rng)
    if settings.interactions:
        interaction = interaction_z(particles.species, rng)
    ended = particles.ending(np.minimum(decay, interaction))
    (mother,) = (np.isfinite(decay) & (decay < interaction)).nonzero()
    daughters, kink = decay_products(ended.take(mother), rng)
    long = ended.end > STATIONS[1]
    long[mother] |= kink < LARGEST_KINK
    forward = daughters.direction[:, 2] > _FORWARD  # not NaN: the mother is not turned away
    return Fates(ended, daughters.take(forward), mother[forward], long)


def decay_z(particles: Particles, rng: np.random.Generator) -> Floats:
    """Where particles decay (mm along z, n); infinite for stable ones and behind RICH2.

    The path is exponential with mean c τ p/m.
    """
    mean = _C_TAU[particles.species] * particles.p / particles.mass
    path = mean * rng.standard_exponential(len(particles))
    z = particles.origin[:, 2] + path * particles.direction[:, 2]
    return np.where(z < LAST_Z, z, np.inf)


def interaction_z(species: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Where particles interact (mm along z, n); infinite for those that never do.

    The number of interaction lengths to go is exponential; the material is that of `rates`.
    """
    chance = _INTERACTING[species]
    with np.errstate(divide="ignore"):
        met = rng.standard_exponential(len(species)) / -np.log1p(-chance)
    return np.interp(met, MATERIAL, MATERIAL_Z, right=np.inf)


def decay_products(mothers: Particles, rng: np.random.Generator) -> tuple[Particles, Floats]:
    """Charged daughters of two-body decays where the mothers end.

    In the mother's rest frame the daughter has p* = √((M² − (m + n)²)(M² − (m − n)²))/2M, with
    n the mass of the neutral, in any direction; the boost gives pT = p* sin θ* and
    pL = γ(p* cos θ* + β E*).

    Parameters
    ----------
    mothers : Particles
        Pions and kaons, n of them, with finite ends.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    daughters : Particles
        One of each mother; directions are NaN if the magnet turns the mother away before.
    kink : float64 array (n,)
        Angles (rad) between mother and daughter.
    """
    n = len(mothers)
    species, mass, neutral = _modes(mothers.species, rng.random(n))
    whole = mothers.mass
    star = np.sqrt((whole**2 - (mass + neutral) ** 2) * (whole**2 - (mass - neutral) ** 2)) / (
        2 * whole
    )
    cosine = rng.uniform(-1, 1, n)
    gamma = np.hypot(mothers.p, whole) / whole
    along = gamma * star * cosine + mothers.p / whole * np.hypot(star, mass)
    across = star * np.sqrt(1 - cosine**2)
    start, direction = line_at(mothers, mothers.end)
    direction = _turned(direction, along, across, rng.uniform(0, 2 * np.pi, n))
    daughters = Particles.endless(
        event=mothers.event,
        species=species,
        charge=mothers.charge,
        p=np.hypot(along, across),
        origin=start,
        direction=direction,
    )
    return daughters, np.arctan2(across, along)


def _modes(
    species: NDArray[np.int64], quantile: Floats
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Species and mass of the charged daughter, and mass of the neutral one, of each mother."""
    daughter = np.zeros(len(species), np.int64)
    neutral = np.zeros(len(species))
    for name, decays in DECAYS.items():
        total = sum(decay.branching for decay in decays)
        edge = np.cumsum([decay.branching / total for decay in decays])[:-1]
        which = np.searchsorted(edge, quantile, side="right")
        mine = species == SPECIES.index(name)
        daughter[mine] = np.array([SPECIES.index(decay.daughter) for decay in decays])[which[mine]]
        neutral[mine] = np.array([decay.neutral for decay in decays])[which[mine]]
    return daughter, MASSES[daughter], neutral


def _turned(direction: Floats, along: Floats, across: Floats, azimuth: Floats) -> Floats:
    """Unit vectors of momenta along and across directions (n, 3), at azimuths about them.

    The azimuth counts from y × direction.
    """
    x, y, z = direction.T
    across_y = np.hypot(x, z)
    a = np.stack([z, np.zeros_like(x), -x], axis=1)
    b = np.stack([-x * y, across_y**2, -y * z], axis=1)
    sideways = (np.cos(azimuth) / across_y)[:, None] * a + (np.sin(azimuth) / across_y)[:, None] * b
    turned = along[:, None] * direction + across[:, None] * sideways
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))
