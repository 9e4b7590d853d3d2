"""What the analysis is not told: another refractive index, turned mirrors, dead tubes."""

import numpy as np
import pytest
from cherenkov_reference import reconstruct
from pydantic import ValidationError

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.optics import plane_coordinates
from hepcnn.detector.radiator import cherenkov_angle, detected_spectrum
from hepcnn.errors import InputError
from hepcnn.simulation.rich.dead_tubes import dead_tubes
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

GEOMETRY = load_geometry("lhcb-run3")
QUIET = {"tracks": 20, "tracks_spread": 0, "unreconstructed": 0, "dark_hits": 0} | IDEAL
FAST = {"spectrum": "flat", "momentum_range": (20e3, 60e3), "mixture": {"electron": 1}}


def make(events=40, seed=7, **changes):
    settings = RichSimulation(**{**QUIET, **FAST, **changes})
    return simulate_chunk(settings, GEOMETRY, np.random.default_rng(seed), events)


@pytest.mark.parametrize("shift", [1e-5, -5e-5])
def test_a_shifted_index_moves_the_rings_as_computed(shift):
    """Δθ = Δn / (n tan θ) at β = 1; the tracks stay, and so does what the reconstruction knows."""
    exact = {"chromatic": False, "pixel": False, "tracking": False}
    plain, shifted = (make(index_shift=s, **exact) for s in (0.0, shift))
    for name, array in plain.tracks.items():
        np.testing.assert_array_equal(array, shifted.tracks[name])
    for rich, geometry in GEOMETRY.items():
        index = detected_spectrum(geometry).mean_index
        expected = cherenkov_angle(index + shift, 1.0) - cherenkov_angle(index, 1.0)
        before, after = (
            np.median(reconstruct(events, rich, geometry)[1]) for events in (plain, shifted)
        )
        assert after - before == pytest.approx(expected, rel=0.1), rich


@pytest.mark.parametrize("rich", GEOMETRY)
def test_turned_mirrors_move_the_angles_by_twice_their_rotation(rich):
    """Each photon by 2 α along its azimuth: RMS 2 α over the few segments that see light."""
    exact = {"chromatic": False, "pixel": False, "tracking": False, "emission": False}
    plain, turned = (make(misalignment=m, **exact) for m in (0.0, 0.2))
    for name, array in plain.tracks.items():
        np.testing.assert_array_equal(array, turned.tracks[name])
    _, before, _ = reconstruct(plain, rich, GEOMETRY[rich])
    _, after, azimuth = reconstruct(turned, rich, GEOMETRY[rich])
    angle = np.median(before)
    moved = 1e3 * (after - angle)
    near = np.abs(moved) < 4  # a hit may have the truth of another ring
    assert np.sqrt(np.mean(moved[near] ** 2)) == pytest.approx(2 * 0.2, rel=0.4)
    assert abs(moved[near].mean()) < 0.1
    # Light of all tracks, over all azimuths: hardly the same sign anywhere.
    assert np.ptp(azimuth) > 6


def test_a_shifted_index_changes_the_yield():
    """Photons go as sin²θ ≈ 2(n − 1)."""
    plain, shifted = (make(events=100, index_shift=s) for s in (0.0, 2e-4))
    for number, geometry in enumerate(GEOMETRY.values(), 1):
        index = detected_spectrum(geometry).mean_index
        wanted = (1 - (index + 2e-4) ** -2) / (1 - index**-2)
        seen = [(events.hits["rich"] == number).sum() for events in (plain, shifted)]
        assert seen[1] / seen[0] == pytest.approx(wanted, rel=0.04)


def test_an_index_below_1_is_refused():
    """CF4's would be the first: 4.4e-4 above 1."""
    with pytest.raises(InputError, match=r"index_shift: -0\.0005 makes .* above -4\.\d+e-04"):
        make(index_shift=-5e-4)
    for nonsense in (np.nan, np.inf):
        with pytest.raises(ValidationError, match="index_shift"):
            make(index_shift=nonsense)


def tubes_of(events, rich):
    """Panel, column and line of the tube of each hit of a RICH on the first type's grid."""
    geometry = GEOMETRY[rich]
    mine = events.hits["rich"] == int(rich[-1])
    panel = events.hits["panel"][mine]
    plane = plane_coordinates(geometry, events.hits["position"][mine], panel)
    first = geometry.pixels[0]
    inside = (np.abs(plane) < (first.half_size or geometry.photon_plane.half_size)).all(1)
    place = (plane + geometry.photon_plane.half_size) / first.pitch
    return np.column_stack([panel, place.astype(int)])[inside]


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_dead_tubes_give_no_hit_in_any_event(rich):
    """Light and noise alike; the others are as before; exactly the fraction of each type."""
    fraction = 0.25
    plain, broken = (make(20, dead_tubes=f, dark_hits=20_000) for f in (0.0, fraction))
    dead = dead_tubes(GEOMETRY[rich], fraction)[0]
    before = tubes_of(plain, rich)
    np.testing.assert_array_equal(tubes_of(broken, rich), before[~dead[tuple(before.T)]])
    seen = {tuple(tube) for tube in before}
    assert dead.sum() == round(fraction * len(seen))


@pytest.mark.parametrize("fraction", [0.05, 0.3, 1.0])
def test_hits_fall_by_the_fraction(fraction):
    """Uniform light: of the noise alone so many hits are left."""
    noise = {"tracks": 1e-9, "dark_hits": 5000}
    for number in (1, 2):
        before, after = (
            (make(20, dead_tubes=f, **noise).hits["rich"] == number).sum() for f in (0, fraction)
        )
        assert after / before == pytest.approx(1 - fraction, abs=0.01)


def test_dead_tubes_of_a_smaller_fraction_are_among_those_of_a_larger():
    for geometry in GEOMETRY.values():
        few, many = dead_tubes(geometry, 0.1), dead_tubes(geometry, 0.4)
        assert all((a <= b).all() and a.any() for a, b in zip(few, many, strict=True))
