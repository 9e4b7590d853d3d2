"""Resolution of a photon's Cherenkov angle: σ(θ, p), and its calibration from events with truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.geometry import Resolution, RichGeometry
from hepcnn.detector.particles import MASSES, species_of
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.errors import InputError
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.reconstruction.photons import photon_angles

Floats = NDArray[np.float64]

#: Residuals beyond so many RMS are not the resolution's (hits of two photons, wrong solutions).
OUTLIER = 4.0
#: Fewest photons from which an RMS is taken.
MIN_PHOTONS = 100
#: Bins in momentum of the fit of the tracking part, of equally many photons.
_MOMENTUM_BINS = 8


def photon_sigma(resolution: Resolution, angle: ArrayLike) -> Floats:
    """RMS (rad) of a photon's angle without the tracking's part, at expected angles (rad)."""
    theta = 1e3 * np.asarray(angle, dtype=np.float64)
    return 1e-3 * np.interp(theta, resolution.angle, resolution.photon)


def tracking_sigma(resolution: Resolution, momentum: ArrayLike) -> Floats:
    """RMS (rad) of a photon's angle from the track's direction, at momenta (MeV): a ⊕ b/p."""
    scattering = 1e3 * resolution.tracking_scattering / np.asarray(momentum, dtype=np.float64)
    return 1e-3 * np.hypot(resolution.tracking_angle, scattering)


def angle_sigma(resolution: Resolution, angle: ArrayLike, momentum: ArrayLike) -> Floats:
    """RMS σ(θ, p) (rad) of a photon's angle; expected angles (rad) and momenta (MeV) broadcast."""
    return np.hypot(photon_sigma(resolution, angle), tracking_sigma(resolution, momentum))


class Residuals(NamedTuple):
    """Photons with truth: expected angle (rad), the track's momentum (MeV), and the residual.

    The residual is the reconstructed minus the expected angle (rad). All are arrays (n,).
    """

    angle: Floats
    momentum: Floats
    residual: Floats


def residuals(events: RichEvents, geometry: RichGeometry, rich: str) -> Residuals:
    """Compare the angle of each hit about its own track with that of the track's true species.

    Parameters
    ----------
    events : RichEvents
        With truth: ``track_pdg`` and ``hit_track``.
    geometry : RichGeometry
        The RICH.
    rich : str
        Its name.

    Raises
    ------
    InputError
        If the truth of the hits is not there.
    """
    if "track" not in events.hits or "pdg" not in events.tracks:
        raise InputError("a calibration of the resolution needs branches hit_track and track_pdg")
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    own = (events.hits["rich"] == RICHES.index(rich) + 1) & (events.hits["track"] >= 0)
    track = (events.track_offsets[event] + events.hits["track"])[own]
    species = species_of(events.tracks["pdg"])[track]
    entry, direction, exit = (
        events.tracks[f"{rich}_{part}"][track].astype(np.float64)
        for part in ("entry", "direction", "exit")
    )
    theta, _ = photon_angles(
        geometry,
        (entry + exit) / 2,
        direction,
        events.hits["position"][own],
        events.hits["panel"][own],
    )
    momentum = events.tracks["p"].astype(np.float64)[track]
    velocity, inverse = np.unique(beta(momentum, MASSES[species]), return_inverse=True)
    expected = detected_spectrum(geometry).mean_angle(velocity)[inverse]
    good = np.isfinite(theta) & np.isfinite(expected) & (species >= 0)
    return Residuals(expected[good], momentum[good], (theta - expected)[good])


def rms(residual: Floats) -> float:
    """RMS about 0 without outliers, which are beyond `OUTLIER` times itself; NaN for too few."""
    size = np.abs(residual)
    if len(size) < MIN_PHOTONS:
        return float("nan")
    sigma = 1.4826 * float(np.median(size))
    for _ in range(10):
        sigma = float(np.sqrt(np.mean(size[size <= OUTLIER * sigma] ** 2)))
    return sigma


def joined(parts: Iterable[Residuals]) -> Residuals:
    """The photons of several chunks."""
    return Residuals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def calibrate(ideal: Residuals, real: Residuals, knots: Sequence[float]) -> Resolution:
    """Find a RICH's resolution from simulated photons.

    `test_the_constants_are_what_the_calibration_finds` does it for the geometries of the package:
    it shows which events make `ideal` and `real`.

    Parameters
    ----------
    ideal : Residuals
        Of events whose tracks have no errors: they give the photon part.
    real : Residuals
        Of events with the errors: what they add in quadrature is the tracking part, fitted
        against 1/p² in bins of momentum.
    knots : sequence of float
        Angles of the photon part (mrad), rising. Its RMS at one is that of the photons nearer to
        it than to the next.

    Raises
    ------
    InputError
        If there are too few photons about an angle, or in all.
    """
    angle = np.asarray(knots, dtype=np.float64)
    nearest = np.digitize(1e3 * ideal.angle, (angle[1:] + angle[:-1]) / 2)
    photon = [1e3 * rms(ideal.residual[nearest == k]) for k in range(len(angle))]
    if missing := [f"{a:g}" for a, s in zip(angle, photon, strict=True) if np.isnan(s)]:
        raise InputError(f"fewer than {MIN_PHOTONS} photons about {', '.join(missing)} mrad")
    own = np.interp(1e3 * real.angle, angle, photon)
    a, b = _tracking(real.momentum / 1e3, 1e3 * real.residual, own)
    return Resolution(
        angle=list(map(float, angle)), photon=photon, tracking_angle=a, tracking_scattering=b
    )


def _tracking(momentum: Floats, residual: Floats, own: Floats) -> tuple[float, float]:
    """Fit a² + b²/p² to what is left of the residuals' variance (mrad², p in GeV)."""
    bins = np.array_split(np.argsort(momentum, kind="stable"), _MOMENTUM_BINS)
    if len(bins[-1]) < MIN_PHOTONS:
        raise InputError(f"fewer than {MIN_PHOTONS * _MOMENTUM_BINS} photons in all")
    variances = [rms(residual[b]) ** 2 - np.mean(own[b] ** 2) for b in bins]
    rows = [[1.0, np.mean(momentum[b] ** -2.0)] for b in bins]
    a2, b2 = np.linalg.lstsq(np.array(rows), np.array(variances), rcond=None)[0]
    return float(np.sqrt(max(a2, 0.0))), float(np.sqrt(max(b2, 0.0)))
