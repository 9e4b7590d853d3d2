"""The reflection on a spherical mirror against the law itself and a root finder."""

import numpy as np
import pytest

from hepcnn.reconstruction.quartic import bisect, reflection, solve

RADIUS = 3650.0


def points(n, e=(0.7, 0.99), d=(0.4, 0.6), angle=0.6):
    """Random E and D: e, x, y (mm), as wide as a RICH or wider."""
    rng = np.random.default_rng(5)
    e, d, angle = rng.uniform(*e, n), rng.uniform(*d, n), rng.uniform(0, angle, n)
    return RADIUS * e, RADIUS * d * np.cos(angle), RADIUS * d * np.sin(angle)


ANYWHERE = {"e": (0.01, 1.0), "d": (0.0, 1.0), "angle": np.pi}


def mismatch(e, x, y, sine, cosine):
    """Angle of incidence less angle of reflection at the mirror."""
    m = RADIUS * np.stack([cosine, sine])
    to_e, to_d = np.stack([e, np.zeros_like(e)]) - m, np.stack([x, y]) - m
    normal = -np.stack([cosine, sine])

    def angle(v):
        return np.arctan2(normal[0] * v[1] - normal[1] * v[0], (normal * v).sum(0))

    return angle(to_e) + angle(to_d)


def root_finder(e, x, y):
    """sin β by `numpy.roots`: of the real roots the one that obeys the law within ECD."""
    e, x, y = e / RADIUS, x / RADIUS, y / RADIUS
    ed = 4 * e**2 * (x**2 + y**2)
    roots = np.roots(
        [
            ed,
            -4 * e**2 * y,
            y**2 + (e + x) ** 2 - ed,
            2 * e * y * (e - x),
            (e**2 - 1) * y**2,
        ]
    )
    s = roots[np.abs(roots.imag) < 1e-9].real
    s = s[(s > 0) & (s <= 1)]
    c = np.sqrt(1 - s**2)
    within = np.arctan2(s, c) < np.arctan2(y, x)
    law = (e + x) * s - y * c + e * (y * (c**2 - s**2) - 2 * x * s * c)
    return s[within][np.abs(law[within]).argmin()]


@pytest.mark.parametrize("where", [{}, ANYWHERE], ids=["rich", "anywhere"])
def test_the_law_of_reflection_holds(where):
    e, x, y = points(50_000, **where)
    sine, cosine = reflection(RADIUS, e, x, y)
    np.testing.assert_allclose(sine**2 + cosine**2, 1, atol=2e-10)
    # Where light all but grazes the mirror a point's error is seen under a large angle.
    grazing = np.hypot(RADIUS * cosine - e, RADIUS * sine) < 0.02 * RADIUS
    grazing |= np.hypot(RADIUS * cosine - x, RADIUS * sine - y) < 0.02 * RADIUS
    assert np.abs(mismatch(e, x, y, sine, cosine))[~grazing].max() < 1e-8


@pytest.mark.parametrize("where", [{}, ANYWHERE], ids=["rich", "anywhere"])
def test_the_reflection_lies_between_the_points(where):
    e, x, y = points(50_000, **where)
    sine, cosine = reflection(RADIUS, e, x, y)
    beta = np.arctan2(sine, cosine)
    assert (beta >= 0).all()
    assert (beta <= np.arctan2(y, x) + 1e-9).all()


def test_agrees_with_numpy_roots():
    e, x, y = points(2000)
    sine, _ = reflection(RADIUS, e, x, y)
    expected = [root_finder(*point) for point in zip(e, x, y, strict=True)]
    np.testing.assert_allclose(sine, expected, rtol=0, atol=1e-10)


def test_fallback_agrees_with_the_fast_way_and_is_never_needed_in_a_rich():
    e, x, y = (a / RADIUS for a in points(2000))
    for point in zip(e, x, y**2, strict=True):
        sigma, cosine, good = solve.py_func(*point)
        assert good
        np.testing.assert_allclose((sigma, cosine), bisect(*point), rtol=1e-9)


def test_fallback_is_taken_where_the_fast_way_fails():
    e, x, y = points(2000, **ANYWHERE)
    scaled = zip(e / RADIUS, x / RADIUS, (y / RADIUS) ** 2, strict=True)
    failed = ~np.array([solve.py_func(*point)[2] for point in scaled])
    assert failed.sum() > 100
    sine, cosine = reflection(RADIUS, e[failed], x[failed], y[failed])
    assert np.isfinite(sine).all()
    assert np.isfinite(cosine).all()


def test_a_line_through_the_centre_is_not_singular():
    sine, cosine = reflection(RADIUS, 3000.0, 1800.0, [0.0, 1e-12, 1e-6])
    np.testing.assert_allclose(cosine, 1)
    assert sine[0] == 0
    np.testing.assert_allclose(sine[2] / sine[1], 1e6)


@pytest.mark.parametrize(
    ("e", "x", "y"),
    [
        (1.1, 0.5, 0.1),  # E behind the mirror
        (0.8, 0.9, 0.5),  # D behind it
        (np.nan, 0.5, 0.1),
        (0.8, np.nan, 0.1),
        (0.8, 0.5, np.inf),
    ],
)
def test_no_solution_is_nan(e, x, y):
    sine, cosine = reflection(1.0, e, x, y)
    assert np.isnan(sine).all()
    assert np.isnan(cosine).all()


def test_no_points_is_no_solutions():
    sine, cosine = reflection(RADIUS, [], [], [])
    assert sine.shape == cosine.shape == (0,)
