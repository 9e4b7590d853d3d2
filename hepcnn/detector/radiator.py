"""Cherenkov light: refractive index, angle, thresholds and detected photons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.geometry import Efficiency, Gas, RichGeometry
from hepcnn.errors import InputError

#: Wavelength (nm) times energy (eV) of a photon: hc.
HC = 1239.841984
#: Photons per mm and eV at sin²θ = 1: α/(ħc). Review of Particle Physics, passage of particles.
PHOTONS_PER_MM_EV = 37.0
#: Lorentz–Lorenz constant of LHCb's parametrisation. Source: RichRun3PropertySpecParam.xml.
_LORENTZ_LORENZ = 0.3738
#: Energies in the tables of a spectrum, and quantiles of the index.
_POINTS = 4096


def refractive_index(gas: Gas, energy: ArrayLike) -> NDArray[np.float64]:
    """Refractive index of a gas for photons of an energy (eV).

    n² = (1 + 2c)/(1 − c), c = 0.3738 (ρ/M) F1/(E1² − E²): Lorentz–Lorenz with one Sellmeier pole.
    Source: LHCb, RichRun3PropertySpecParam.xml.
    """
    e = np.asarray(energy, dtype=np.float64)
    c = _LORENTZ_LORENZ * gas.density / gas.molar_mass * gas.strength / (gas.energy**2 - e**2)
    return np.sqrt((1 + 2 * c) / (1 - c))


def beta(momentum: ArrayLike, mass: ArrayLike) -> NDArray[np.float64]:
    """Velocity in units of c of a particle of a momentum and mass (MeV)."""
    p, m = np.asarray(momentum, dtype=np.float64), np.asarray(mass, dtype=np.float64)
    return p / np.hypot(p, m)


def cherenkov_angle(index: ArrayLike, velocity: ArrayLike) -> NDArray[np.float64]:
    """Cherenkov angle (rad), cos θ = 1/(nβ); NaN below threshold."""
    cosine = 1 / (np.asarray(index, dtype=np.float64) * np.asarray(velocity, dtype=np.float64))
    return np.arccos(np.where(cosine <= 1, cosine, np.nan))


def threshold_momentum(index: ArrayLike, mass: ArrayLike) -> NDArray[np.float64]:
    """Momentum (MeV) above which a particle of a mass (MeV) radiates: m/√(n² − 1)."""
    n = np.asarray(index, dtype=np.float64)
    return np.asarray(mass, dtype=np.float64) / np.sqrt(n**2 - 1)


def detection_efficiency(efficiency: Efficiency, energy: ArrayLike) -> NDArray[np.float64]:
    """Fraction of the photons of an energy (eV) that are detected on a sensitive area.

    Two mirrors, window, quantum efficiency and the overall scale; 0 outside the quantum
    efficiency's range of wavelengths.
    """
    wavelength = HC / np.asarray(energy, dtype=np.float64)
    quantum = np.interp(
        wavelength, efficiency.quantum_wavelength, efficiency.quantum, left=0.0, right=0.0
    )
    mirror = np.interp(wavelength, efficiency.reflectivity_wavelength, efficiency.reflectivity)
    return quantum * mirror**2 * efficiency.window * efficiency.scale


@dataclass(frozen=True)
class DetectedSpectrum:
    """The photons that would be detected of a particle with β = 1, on a sensitive area.

    Attributes
    ----------
    index : float64 array (k,)
        Refractive index at each energy of an even grid, rising.
    density : float64 array (k,)
        Detected photons a mm of track, for each step of the grid; their sum is the yield a mm.
    quantiles : float64 array (k,)
        Refractive index at k even steps of the cumulative distribution from 0 to 1.
    mean_index : float
        The mean refractive index.
    """

    index: NDArray[np.float64]
    density: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    mean_index: float

    @property
    def per_mm(self) -> float:
        """Detected photons a mm of track at β = 1."""
        return float(self.density.sum())

    def photons_per_mm(self, velocity: ArrayLike) -> NDArray[np.float64]:
        """Expected detected photons a mm of track at a velocity; 0 below threshold."""
        ratio = sin2_ratio(self.index, np.asarray(velocity, dtype=np.float64)[..., None])
        return ratio @ self.density

    def mean_angle(self, velocity: ArrayLike) -> NDArray[np.float64]:
        """Mean Cherenkov angle (rad) of the detected photons at a velocity; NaN: no photons."""
        v = np.asarray(velocity, dtype=np.float64)[..., None]
        weight = sin2_ratio(self.index, v) * self.density
        angle = np.nan_to_num(cherenkov_angle(self.index, v))
        total = weight.sum(-1)
        return np.divide(
            (weight * angle).sum(-1), total, out=np.full(total.shape, np.nan), where=total > 0
        )


def sin2_ratio(index: ArrayLike, velocity: ArrayLike) -> NDArray[np.float64]:
    """sin²θ at a velocity over sin²θ at β = 1; 0 below threshold.

    Photons are made in proportion to sin²θ (Frank and Tamm), so this is the probability to keep
    a photon of the spectrum of β = 1.
    """
    n2 = np.square(np.asarray(index, dtype=np.float64))
    v2 = np.square(np.asarray(velocity, dtype=np.float64))
    return np.maximum(1 - 1 / (n2 * v2), 0.0) / (1 - 1 / n2)


def detected_spectrum(geometry: RichGeometry, index_shift: float = 0.0) -> DetectedSpectrum:
    """Tabulate the detected photons of a RICH: 37 sin²θ a mm and eV, times the efficiency.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    index_shift : float
        Added to the gas's refractive index at all energies: another pressure or temperature.

    Raises
    ------
    InputError
        If the shift makes the index 1 or less: no gas is such, and there is no light.
    """
    wavelength = geometry.efficiency.quantum_wavelength
    edges = np.linspace(HC / wavelength[-1], HC / wavelength[0], _POINTS + 1)
    energy = (edges[1:] + edges[:-1]) / 2
    gas = geometry.radiator.gas
    index = refractive_index(gas, energy) + index_shift
    if not index.min() > 1:
        raise InputError(
            f"index_shift: {index_shift:g} makes the gas's refractive index {index.min():.6f}; "
            f"it must stay above 1, so the shift above {index_shift + 1 - index.min():.2e}"
        )
    rate = PHOTONS_PER_MM_EV * (1 - 1 / index**2)
    density = rate * detection_efficiency(geometry.efficiency, energy) * np.diff(edges)
    cumulative = np.concatenate([[0.0], density.cumsum()]) / density.sum()
    quantiles = np.interp(
        np.linspace(0, 1, _POINTS),
        cumulative,
        refractive_index(gas, edges) + index_shift,
    )
    return DetectedSpectrum(index, density, quantiles, float(np.average(index, weights=density)))
