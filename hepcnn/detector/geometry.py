"""RICH geometries, read from YAML: radiator, mirrors, photon plane, pixels, efficiencies.

A geometry names the parts of one half of a RICH (panel 0); the other half (panel 1) is its mirror
image in the coordinate `split_axis`. Numbers are in the LHCb frame, mm, with their sources in the
YAML files beside this module.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from hepcnn.config import Count, Fraction, NonNegative, Positive, Settings
from hepcnn.detector.named_files import read_geometry

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


def _not_zero(vector: Vector) -> Vector:
    if not any(vector):
        raise ValueError("a direction cannot be of length 0")
    return vector


Direction = Annotated[Vector, AfterValidator(_not_zero)]
Rising = Annotated[list[Positive], Field(min_length=2)]

#: Geometries that come with the package.
_NAMES = ("lhcb-run1", "lhcb-run3")
#: Smallest radius of a curved second mirror in units of the photon plane's distance from it: down
#: to here the reconstruction's fixed number of steps leaves about 1 µrad in RICH2.
NEARLY_PLANE = 14.0


class Gas(Settings):
    """A gas radiator; the formula of its refractive index is in `radiator.refractive_index`."""

    name: str
    """What it is."""
    density: Positive
    """ρ (g/cm³)."""
    molar_mass: Positive
    """M (g/mol), an effective value in LHCb's parametrisation."""
    strength: Positive
    """Oscillator strength F1 of the single Sellmeier pole."""
    energy: Positive
    """Energy E1 of the pole (eV)."""


class Radiator(Settings):
    """The gas and where it begins; it ends at the spherical mirror."""

    gas: Gas
    """What the photons are made in."""
    entry_z: FiniteFloat
    """Front plane of the gas (mm)."""


class SphericalMirror(Settings):
    """Focusing mirror."""

    centre: Vector
    """Centre of curvature (mm)."""
    radius: Positive
    """Radius of curvature (mm)."""


class FlatMirror(Settings):
    """Second mirror: plane, or nearly plane and part of a sphere."""

    point: Vector
    """Any point of the plane (mm), or the point at which the sphere touches it."""
    normal: Direction
    """The plane's normal, of any length and sign; the sphere's centre is on it, through `point`."""
    radius: FiniteFloat | None = None
    """Radius of curvature (mm): above 0 if the side of the photon detectors is concave, below 0 if
    it is convex; a plane if it is not given."""

    @model_serializer(mode="wrap")
    def _plane_has_no_radius(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave no radius out, so that a plane's digest is what it was before there were others."""
        data: dict[str, Any] = handler(self)
        return data if self.radius is not None else {k: data[k] for k in data if k != "radius"}


class PhotonPlane(Settings):
    """The plane of the photon detectors, with axes u and v = normal × u about its centre."""

    centre: Vector
    """Centre of the panel (mm)."""
    normal: Direction
    """Normal, of any length."""
    u_axis: Direction
    """Direction of u, at right angles to the normal."""
    half_size: tuple[Positive, Positive]
    """Half the sensitive panel's size along u and v (mm)."""

    @model_validator(mode="after")
    def _orthogonal(self) -> Self:
        n, u = np.array(self.normal), np.array(self.u_axis)
        if abs(n @ u) > 1e-4 * np.linalg.norm(n) * np.linalg.norm(u):
            raise ValueError("u_axis is not at right angles to the normal")
        return self

    @property
    def axes(self) -> NDArray[np.float64]:
        """Unit vectors u, v and the normal as rows of a (3, 3) array."""
        n, u = unit(self.normal), np.array(self.u_axis)
        u = unit(u - (u @ n) * n)
        return np.stack([u, np.cross(n, u), n])


class Pixels(Settings):
    """Square tubes of `count` × `count` square pixels, on a grid that fills the panel."""

    size: Positive
    """Side of a pixel (mm)."""
    count: Count
    """Pixels along a side of a tube."""
    pitch: Positive
    """Distance between tubes (mm); what the pixels leave free is not sensitive."""
    half_size: tuple[Positive, Positive] | None = None
    """Half the size of the middle part of the panel that has this type (mm); the whole panel if
    it is not given. The first type in the list whose part holds a point counts there."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.count * self.size > self.pitch:
            raise ValueError("the pixels are wider than the pitch of the tubes")
        return self


class Efficiency(Settings):
    """What fraction of the photons is detected, against wavelength (linear between points).

    Photons outside the range of wavelengths of the quantum efficiency are lost; the reflectivity
    outside its range is that of the nearer end.
    """

    quantum_wavelength: Rising
    """Wavelengths of `quantum` (nm), rising."""
    quantum: list[Fraction]
    """Quantum efficiency."""
    reflectivity_wavelength: Rising
    """Wavelengths of `reflectivity` (nm), rising."""
    reflectivity: list[Fraction]
    """Reflectivity of each of the two mirrors."""
    window: Fraction
    """Transmission of the gas enclosure's window."""
    scale: Fraction
    """Everything else but the insensitive gaps: collection efficiency, gas transparency, ageing."""

    @model_validator(mode="after")
    def _curves(self) -> Self:
        for name in ("quantum", "reflectivity"):
            wavelength = getattr(self, f"{name}_wavelength")
            if len(wavelength) != len(getattr(self, name)):
                raise ValueError(f"{name} and {name}_wavelength differ in length")
            if not (np.diff(wavelength) > 0).all():
                raise ValueError(f"{name}_wavelength does not rise")
        return self


class Acceptance(Settings):
    """Directions from the interaction point that cross the RICH, as slopes."""

    inner: Positive
    """Edge of the beam pipe, all round."""
    horizontal: Positive
    """Largest |x/z|."""
    vertical: Positive
    """Largest |y/z|."""


class Resolution(Settings):
    """RMS of a detected photon's Cherenkov angle about the track's expected one.

    The photon's own part (emission point, energy, pixel) depends on the angle θ, linearly between
    points; the tracking adds a ⊕ b/p in quadrature. `reconstruction.resolution.calibrate` finds
    these numbers from events with truth.
    """

    angle: Annotated[list[NonNegative], Field(min_length=2)]
    """Angles θ of `photon` (mrad), rising; beyond them the nearer end counts."""
    photon: list[Positive]
    """RMS from emission point, photon energy and pixel (mrad)."""
    tracking_angle: NonNegative
    """a: RMS from the track's direction at high momentum (mrad)."""
    tracking_scattering: NonNegative
    """b: RMS from multiple scattering, times the momentum (mrad GeV)."""
    tracking_momentum: Annotated[float, Field(ge=0, lt=0.1)] = 0.0
    """Relative RMS of the measured momentum, by which rings are too wide or too narrow."""

    @model_validator(mode="after")
    def _curve(self) -> Self:
        if len(self.angle) != len(self.photon):
            raise ValueError("angle and photon differ in length")
        if not (np.diff(self.angle) > 0).all():
            raise ValueError("angle does not rise")
        return self


class RichGeometry(Settings):
    """One RICH."""

    split_axis: Literal["x", "y"]
    """The coordinate whose sign tells the halves apart."""
    radiator: Radiator
    """The gas."""
    spherical_mirror: SphericalMirror
    """First mirror."""
    flat_mirror: FlatMirror
    """Second mirror."""
    photon_plane: PhotonPlane
    """Where the photons are detected."""
    pixels: Annotated[list[Pixels], Field(min_length=1)]
    """Types of pixel; the last fills the panel."""
    efficiency: Efficiency
    """Detection efficiency."""
    acceptance: Acceptance
    """Directions of tracks that cross it."""
    resolution: Resolution
    """How well a photon's Cherenkov angle is reconstructed."""

    @model_validator(mode="after")
    def _filled(self) -> Self:
        if self.pixels[-1].half_size is not None:
            raise ValueError("pixels: the last type fills the panel and has no half_size")
        parts = [p.half_size or self.photon_plane.half_size for p in self.pixels]
        for (u, v), (wider_u, wider_v) in itertools.pairwise(parts):
            if u > wider_u or v > wider_v:
                raise ValueError("pixels: each type's part of the panel must lie in the next one's")
        return self

    @model_validator(mode="after")
    def _nearly_plane(self) -> Self:
        radius, least = self.flat_mirror.radius, NEARLY_PLANE * abs(self.depth)
        if radius is not None and abs(radius) < least:
            raise ValueError(
                f"flat_mirror: the second mirror must be nearly plane: a radius of {radius:g} mm "
                f"is not at least {least:.0f} mm either way, {NEARLY_PLANE:g} times the distance "
                "of the photon plane's centre from it"
            )
        return self

    @property
    def depth(self) -> float:
        """Where the photon plane's centre is along the second mirror's `normal` (mm)."""
        path = np.array(self.photon_plane.centre) - np.array(self.flat_mirror.point)
        return float(path @ unit(self.flat_mirror.normal))

    @property
    def curvature(self) -> float:
        """Curvature of the second mirror (1/mm), above 0 towards its `normal`; 0: a plane."""
        radius = self.flat_mirror.radius
        return 0.0 if radius is None else float(np.copysign(1.0, self.depth)) / radius

    @property
    def split(self) -> int:
        """Index of the coordinate that tells the halves apart: 0 for x, 1 for y."""
        return "xy".index(self.split_axis)


class Detector(Settings):
    """A geometry file."""

    rich1: RichGeometry
    """The upstream RICH."""
    rich2: RichGeometry
    """The downstream RICH."""


def unit(vector: Vector | NDArray[np.float64]) -> NDArray[np.float64]:
    """A vector divided by its length."""
    v = np.asarray(vector, dtype=np.float64)
    return v / np.linalg.norm(v)


def geometry_names() -> list[str]:
    """Names of the geometries that come with the package."""
    return list(_NAMES)


def load_geometry(name: str | Path) -> dict[str, RichGeometry]:
    """Read a geometry.

    Parameters
    ----------
    name : str or Path
        One of `geometry_names`, or the path of a YAML file in the same form.

    Returns
    -------
    dict
        By RICH: ``"rich1"``, ``"rich2"``.

    Raises
    ------
    InputError
        If there is no such geometry (with the nearest names) or a value is not valid.
    """
    detector = read_geometry(name, _NAMES, Detector)
    return {"rich1": detector.rich1, "rich2": detector.rich2}
