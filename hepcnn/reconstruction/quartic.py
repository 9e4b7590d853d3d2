"""Reflection on a spherical mirror: where does light from E to D meet it?

Lengths are in units of the mirror's radius and C is its centre. With e = |CE|, x and y the
components of CD along and across CE, d² = x² + y², and β the angle at C from CE to the point of
reflection M, the law of reflection is the quartic in sin β

    4e²d² sin⁴β − 4e²y sin³β + (y² + (e + x)² − 4e²d²) sin²β + 2ey(e − x) sin β + (e² − 1)y² = 0

[R. Forty and O. Schneider, RICH pattern recognition, LHCb 98-040]. Here it is solved for
σ = sin β / y, which divides it by y² and leaves nothing singular where C, E and D are on one
line. The law fixes the cosine too, without an ambiguity of sign:

    (e + x) sin β − y cos β + e (y cos 2β − x sin 2β) = 0,

so that a solution is a pair (sin, cos), and sin² + cos² − 1 its residual.

E and D are inside the sphere. The solution that counts lies within the angle ECD, where there
always is one: the others are reflected on the far side of C. It is the only one there if E is
nearer to the mirror than its focus, since light from E then spreads after the reflection too; this
is so in every RICH.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# NaN marks what has no solution, so "nnan" and "ninf" of the full fast-math set must stay out.
FAST = {"contract", "reassoc", "arcp", "nsz"}
#: Largest residual |sin²β + cos²β − 1| of a solution.
TOLERANCE = 1e-10
#: Steps of Halley's method, of third order: the paraxial guess is within 10 % in a RICH.
STEPS = 2
#: Bisections of an angle below π that leave nothing but rounding.
BISECTIONS = 54


@njit(inline="always")
def solve(e: float, x: float, y2: float) -> tuple[float, float, bool]:
    """Solve one quartic from the paraxial guess, without a branch.

    Returns σ, cos β, and whether that is a solution within the angle ECD.
    """
    e2, d2 = e * e, x * x + y2
    a4 = 4.0 * e2 * d2
    a2 = y2 + (e + x) * (e + x) - a4
    a4 *= y2
    a3 = -4.0 * e2 * y2
    a1 = 2.0 * e * (e - x)
    a0 = e2 - 1.0
    sigma = (1.0 - e) / (e + x - 2.0 * e * x)
    for _ in range(STEPS):
        value = (((a4 * sigma + a3) * sigma + a2) * sigma + a1) * sigma + a0
        slope = ((4.0 * a4 * sigma + 3.0 * a3) * sigma + 2.0 * a2) * sigma + a1
        bend = (6.0 * a4 * sigma + 3.0 * a3) * sigma + a2
        sigma -= value * slope / (slope * slope - value * bend)
    sin2 = y2 * sigma * sigma
    cosine = ((e + x) * sigma + e * (1.0 - 2.0 * sin2)) / (1.0 + 2.0 * e * x * sigma)
    solved = np.abs(cosine * cosine + sin2 - 1.0) < TOLERANCE
    within = (sigma >= 0.0) & (cosine >= x * sigma)
    return sigma, cosine, solved & within & (e2 < 1.0) & (d2 < 1.0)


@njit(cache=True, error_model="numpy", nogil=True)
def bisect(e: float, x: float, y2: float) -> tuple[float, float]:
    """Solve one quartic for certain: σ and cos β; NaN if E or D is not inside the sphere.

    The law of reflection changes sign between β = 0 and the angle ECD for every such E and D.
    """
    y = math.sqrt(y2)
    if not (e < 1.0 and x * x + y2 < 1.0 and y > 0.0):
        return np.nan, np.nan
    low, high = 0.0, math.atan2(y, x)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        s, c = math.sin(middle), math.cos(middle)
        if (e + x) * s - y * c + e * (y * (c * c - s * s) - 2.0 * x * s * c) < 0.0:
            low = middle
        else:
            high = middle
    return math.sin(high) / y, math.cos(high)


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def solve_all(radius: float, e: Floats, x: Floats, y: Floats, sine: Floats, cosine: Floats) -> None:
    """Solve quartics into `sine` and `cosine`: as `reflection`, without its checks of the input."""
    scale = 1.0 / radius
    for i in range(sine.size):
        across = y[i] * scale
        sigma, c, good = solve(e[i] * scale, x[i] * scale, across * across)
        sine[i] = across * sigma if good else np.nan
        cosine[i] = c
    for i in range(sine.size):
        if np.isnan(sine[i]):
            across = y[i] * scale
            sigma, cosine[i] = bisect(e[i] * scale, x[i] * scale, across * across)
            sine[i] = across * sigma


def reflection(radius: float, e: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Angle β at a spherical mirror's centre C from a point E to the point of reflection.

    Parameters
    ----------
    radius : float
        Of the mirror (mm).
    e : array (n,)
        Distance of E from C (mm).
    x, y : array (n,)
        Components of CD along CE and across it, y >= 0 (mm).

    Returns
    -------
    sine, cosine : float64 array (n,)
        Of β, within the angle ECD; NaN if E or D is not inside the sphere.
    """
    points = np.broadcast_arrays(*np.atleast_1d(e, x, y))
    e, x, y = (np.ascontiguousarray(a, np.float64) for a in points)
    sine, cosine = np.empty(e.shape), np.empty(e.shape)
    solve_all(float(radius), e, x, y, sine, cosine)
    return sine, cosine
