"""Photon reconstruction: solutions a second and their error, beside other root finders, in one run.

    python -m benchmarks quartic

The quartics are those of a saturated ring in each RICH. Medians of several repeats, in CPU seconds
of one core, without compilation. An error is that of the light's direction at emission, against
`numpy.roots` in double precision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from benchmarks.harness import row, seconds, sized
from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry, load_geometry, unit
from hepcnn.detector.optics import from_plane, to_sphere, trace_photons
from hepcnn.events.schema import RichEvents
from hepcnn.reconstruction.photon_kernels import block_angles, mirrors_of, prepare_track, unfold
from hepcnn.reconstruction.photons import photon_candidates
from hepcnn.reconstruction.quartic import reflection, solve_all
from hepcnn.simulation.rich.generate import simulate_chunk

#: Pairs solved at a time: some events' worth of one track, within a core's cache.
PAIRS = 4096
ROOTS, EVENTS = sized((500, 20), (20, 1))
WINDOW = {"rich1": 130.0, "rich2": 170.0}


def rate(work: Callable[[], object], items: int, repeats: int = 7, inner: int = 1) -> float:
    """Items a CPU second."""

    def loop() -> None:
        for _ in range(inner):
            work()

    return inner * items / seconds({"work": loop}, repeats)["work"]


def ring_quartics(rich: RichGeometry, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """e, x, y in radii, of photons at 50 mrad about tracks all over the acceptance."""
    rng = np.random.default_rng(0)
    limit = [rich.acceptance.horizontal, rich.acceptance.vertical]
    direction = np.concatenate([rng.uniform(-1, 1, (n, 2)) * limit, np.ones((n, 1))], axis=1)
    entry = direction * rich.radiator.entry_z
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    exit = to_sphere(rich, entry, direction)
    cosine, along, turns = np.full(n, np.cos(0.05)), rng.random(n), rng.random(n)
    u, v, panel = trace_photons(rich, entry, exit, np.arange(n + 1), cosine, along, turns)
    emission, hit = (entry + exit) / 2, from_plane(rich, np.stack([u, v], axis=1), panel)
    for points in (emission, hit):
        points[panel == 1, rich.split] *= -1
    flat = unit(rich.flat_mirror.normal)
    hit -= 2 * ((hit - np.array(rich.flat_mirror.point)) @ flat)[:, None] * flat
    centre, radius = np.array(rich.spherical_mirror.centre), rich.spherical_mirror.radius
    to_e, to_d = (emission - centre) / radius, (hit - centre) / radius
    e = np.linalg.norm(to_e, axis=1)
    x = (to_e * to_d).sum(1) / e
    return e, x, np.sqrt((to_d**2).sum(1) - x**2)


def coefficients(e: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Of the quartic in sin β, highest first."""
    ed = 4 * e**2 * (x**2 + y**2)
    a2 = y**2 + (e + x) ** 2 - ed
    return [ed, -4 * e**2 * y, a2, 2 * e * y * (e - x), (e**2 - 1) * y**2]


def physical(roots: np.ndarray, e: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the roots (n, 4) the real one within the angle ECD that obeys the law of reflection."""
    e, x, y = e[:, None], x[:, None], y[:, None]
    s = np.clip(roots.real, 0, 1)
    c = np.sqrt(1 - s**2)
    law = np.abs((e + x) * s - y * c + e * (y * (c**2 - s**2) - 2 * x * s * c))
    bad = (np.abs(roots.imag) > 1e-6) | (roots.real <= 0) | (roots.real >= 1)
    return s[np.arange(len(s)), np.where(bad, np.inf, law).argmin(axis=1)]


def numpy_roots(e: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sine of β by `numpy.roots`, one pair after the other."""
    roots = np.array([np.roots(a) for a in np.stack(coefficients(e, x, y), axis=1)])
    return physical(roots, e, x, y)


def numpy_ferrari(e: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sine of β by Ferrari's formula in vectorised numpy."""
    a4, *rest = (a.astype(complex) for a in coefficients(e, x, y))
    b, c, d, f = (a / a4 for a in rest)
    p = c - 3 * b**2 / 8
    q = b**3 / 8 - b * c / 2 + d
    r = -3 * b**4 / 256 + b**2 * c / 16 - b * d / 4 + f
    third, half = -(p**2) / 12 - r, -(p**3) / 108 + p * r / 3 - q**2 / 8
    root = (-half / 2 + np.sqrt(half**2 / 4 + third**3 / 27)) ** (1 / 3)
    w = np.sqrt(p + 2 * (-5 * p / 6 + root - third / (3 * root)))
    inner = [np.sqrt(-(2 * p + w**2 + sign * 2 * q / w)) for sign in (1, -1)]
    roots = [-b / 4 + (s1 * w + s2 * inner[s1 < 0]) / 2 for s1 in (1, -1) for s2 in (1, -1)]
    return physical(np.stack(roots, axis=1), e, x, y)


def error(sine: np.ndarray, exact: np.ndarray, e: np.ndarray) -> float:
    """Largest error (µrad) of the direction from E to the point of reflection."""

    def angle(s: np.ndarray) -> np.ndarray:
        return np.arctan2(s, np.sqrt(1 - s**2) - e[: len(s)])

    return float(1e6 * np.abs(angle(sine) - angle(exact)).max())


def solutions(name: str, rich: RichGeometry) -> None:
    """Solving, with the residual checked, against a stated rate and other root finders."""
    quartics = ring_quartics(rich, PAIRS)
    few = tuple(a[:ROOTS] for a in quartics)
    exact = numpy_roots(*few)
    sine, cosine = np.empty(PAIRS), np.empty(PAIRS)
    kernel = rate(lambda: solve_all(1.0, *quartics, sine, cosine), PAIRS, 15, 100)
    ours = f"{kernel / 1e6:.0f} M solutions/s"
    row(f"quartic, {name} / a stated rate", ours, "100 M/s", kernel / 1e8, 1)
    ferrari = rate(lambda: numpy_ferrari(*quartics), PAIRS)
    row(f"quartic, {name} / numpy Ferrari", ours, f"{ferrari / 1e6:.1f} M/s", kernel / ferrari)
    loop = rate(lambda: numpy_roots(*few), ROOTS, 3)
    row(f"quartic, {name} / numpy.roots", ours, f"{loop / 1e6:.3f} M/s", kernel / loop)
    off = error(reflection(1.0, *few)[0], exact, few[0])
    row(f"quartic, {name}: error", f"{off:.0e} µrad", "1 µrad", off, 1, most=True)


def candidates(number: int, name: str, rich: RichGeometry, events: RichEvents) -> None:
    """Print the rates from tracks and hits to angles."""
    arguments = []
    pairs = 0
    for event in range(len(events)):
        tracks = slice(*events.track_offsets[event : event + 2])
        hits = np.arange(*events.hit_offsets[event : event + 2])
        hits = hits[events.hits["rich"][hits] == number]
        entry, direction, exit = (
            events.tracks[f"{name}_{part}"][tracks] for part in ("entry", "direction", "exit")
        )
        position, panel = (events.hits[part][hits] for part in ("position", "panel"))
        arguments.append((entry, direction, exit, position, panel))
        pairs += int(np.isfinite(entry[:, 0]).sum()) * len(hits)

    def found() -> int:
        kept = (photon_candidates(rich, *event, window=WINDOW[name]) for event in arguments)
        return sum(len(candidates.hit) for candidates in kept)

    n = found()
    speed = rate(found, n)
    tried = pairs / n * speed
    print(
        f"candidates {name}: {speed / 1e6:.0f} M/s kept of {tried / 1e6:.0f} M/s tried, "
        f"{1e3 * n / speed / len(events):.2f} ms an event of {n / len(events):.0f} "
        f"within {WINDOW[name]:.0f} mm"
    )


@njit(error_model="numpy", nogil=True)
def one_track(o, point, direction, hits, theta, phi, repeats):  # type: ignore[no-untyped-def]  # numba
    """The kernel of `photon_candidates` for one track, many times."""
    track = prepare_track(o, 1.0, point, direction)
    for _ in range(repeats):
        block_angles(o, track, hits[0], hits[1], hits[2], theta, phi)


def angles(name: str, rich: RichGeometry) -> None:
    """Print the rate from pairs to θ and φ, with all checks."""
    rng = np.random.default_rng(0)
    slope = 0.5 * np.array([rich.acceptance.horizontal, rich.acceptance.vertical])
    direction = np.array([*slope, 1.0])
    point = direction * (rich.radiator.entry_z + 500)
    plane = rng.uniform(-1, 1, (PAIRS, 2)) * rich.photon_plane.half_size
    panel = np.zeros(PAIRS, np.int8)
    o = mirrors_of(rich)
    hits = unfold(o, from_plane(rich, plane, panel), panel)
    theta, phi = np.empty(PAIRS), np.empty(PAIRS)
    repeats = 100
    speed = rate(
        lambda: one_track(o, point, direction, hits, theta, phi, repeats), repeats * PAIRS, 15
    )
    print(f"angles {name}: {speed / 1e6:.0f} M pairs/s to θ and φ with all checks")


def main() -> None:
    """Print all rows."""
    geometry = load_geometry("lhcb-run3")
    events = simulate_chunk(RichSimulation(), geometry, np.random.default_rng(1), EVENTS)
    for number, (name, rich) in enumerate(geometry.items(), start=1):
        solutions(name, rich)
        angles(name, rich)
        candidates(number, name, rich, events)
