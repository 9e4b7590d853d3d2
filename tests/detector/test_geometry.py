"""Geometries load whole, and wrong ones are refused by name."""

import numpy as np
import pytest
import yaml

from hepcnn.detector.geometry import geometry_names, load_geometry
from hepcnn.errors import InputError


@pytest.fixture
def run3(tmp_path):
    """Run 3 as a dictionary, and a function that writes it to a file."""
    data = {name: part.model_dump(mode="json") for name, part in load_geometry("lhcb-run3").items()}

    def write():
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(data))
        return path

    return data, write


def test_both_runs_come_with_the_package():
    assert geometry_names() == ["lhcb-run1", "lhcb-run3"]
    for name in geometry_names():
        assert list(load_geometry(name)) == ["rich1", "rich2"]


def test_axes_are_orthonormal_and_right_handed():
    for name in geometry_names():
        for rich in load_geometry(name).values():
            u, v, n = axes = rich.photon_plane.axes
            np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
            np.testing.assert_allclose(np.cross(n, u), v, atol=1e-12)


def test_a_file_in_the_same_form_is_the_same_geometry(run3):
    _, write = run3
    assert load_geometry(write()) == load_geometry("lhcb-run3")


def test_a_second_mirror_may_be_curved(run3):
    """Without a radius it is a plane, and what is written of it has none: digests stay."""
    data, write = run3
    assert load_geometry("lhcb-run3")["rich2"].curvature == 0
    assert set(data["rich2"]["flat_mirror"]) == {"point", "normal"}
    data["rich2"]["flat_mirror"]["radius"] = 80e3
    concave = load_geometry(write())
    assert concave["rich1"] == load_geometry("lhcb-run3")["rich1"]
    assert concave["rich2"].model_dump(mode="json") == data["rich2"]
    assert concave["rich2"].curvature * np.sign(concave["rich2"].depth) == 1 / 80e3


def test_unknown_name_lists_the_nearest():
    with pytest.raises(InputError, match="lhcb-run3'"):
        load_geometry("lhcb_run3")


def test_unknown_key_names_place_and_nearest(run3):
    data, write = run3
    data["rich1"]["spherical_mirror"]["radios"] = 1
    with pytest.raises(InputError, match=r"rich1.spherical_mirror.radios.*'radius'"):
        load_geometry(write())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["rich2"].pop("radiator"), "rich2.radiator"),
        (lambda d: d["rich1"]["photon_plane"].update(u_axis=[0, 1, 0]), "right angles"),
        (lambda d: d["rich1"]["photon_plane"].update(normal=[0, 0, 0]), "normal"),
        (lambda d: d["rich1"]["pixels"][0].update(pitch=20), "wider than the pitch"),
        (lambda d: d["rich1"]["pixels"][0].update(half_size=[1, 1]), "no half_size"),
        (lambda d: d["rich2"]["pixels"][0].update(half_size=[1000, 1]), "lie in the next"),
        (lambda d: d["rich1"]["efficiency"]["quantum"].pop(), "differ in length"),
        (lambda d: d["rich1"]["efficiency"]["quantum_wavelength"].reverse(), "does not rise"),
        (lambda d: d["rich1"]["spherical_mirror"].update(radius=float("nan")), "radius"),
        (lambda d: d["rich2"]["flat_mirror"].update(radius=0), "nearly plane"),
        (lambda d: d["rich2"]["flat_mirror"].update(radius=-10e3), "nearly plane.*18689 mm"),
        (lambda d: d["rich2"]["flat_mirror"].update(radius=float("inf")), "flat_mirror.radius"),
        (lambda d: d["rich1"].pop("resolution"), "rich1.resolution"),
        (lambda d: d["rich1"]["resolution"]["photon"].pop(), "angle and photon differ in length"),
        (lambda d: d["rich2"]["resolution"]["angle"].reverse(), "angle does not rise"),
    ],
)
def test_impossible_values_are_refused(run3, change, message):
    data, write = run3
    change(data)
    with pytest.raises(InputError, match=message):
        load_geometry(write())


def test_what_is_not_a_geometry_is_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    for text in ("[1, 2", "just text", ""):
        path.write_text(text)
        with pytest.raises(InputError, match=r"bad\.yaml"):
            load_geometry(path)
