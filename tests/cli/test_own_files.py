"""A user's own ROOT file, with other names, units and order, through the command line alone."""

import awkward as ak
import h5py
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.events.schema import BRANCHES

#: Native unit → the user's, and how many native ones it has.
UNITS = {"MeV": ("GeV", 1000), "mm": ("cm", 10)}
SIMULATED = {"samples": {"rich": {"simulate": {"events": 12, "tracks": 25, "shards": 1}}}}


def hepcnn(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A simulated file and its images, and the same events as a user would have them."""
    folder = tmp_path_factory.mktemp("own")
    config = folder / "native.yaml"
    config.write_text(yaml.safe_dump(SIMULATED))
    hepcnn("simulate", "rich", "--config", config, "-o", folder / "native.root")
    hepcnn("convert", folder / "native.root", "--config", config, "-o", folder / "native.h5")

    columns, branches = {}, {}
    with uproot.open({folder / "native.root": "events"}) as tree:
        for name, branch in BRANCHES.items():
            if name not in tree:
                continue
            unit, factor = UNITS.get(branch.unit, ("", 1))
            own = f"My_{name.title()}{unit}"
            values = tree[name].array()
            # In 64 bits, so that the way there and back is exact in the 32 bits of images.
            columns[own] = ak.values_astype(values, np.float64) / factor if unit else values
            branches[name] = f"{factor} * {own}" if unit else own
    with uproot.recreate(folder / "own.root") as file:
        order = sorted(columns, reverse=True)
        file.mktree("DecayTree", {name: columns[name].type for name in order})
        file["DecayTree"].extend({name: columns[name] for name in order})
    sample = {"files": [str(folder / "own.root")], "tree": "DecayTree", "branches": branches}
    (folder / "own.yaml").write_text(yaml.safe_dump({"samples": {"rich": sample}}))
    return folder


def test_other_names_and_units_give_the_same_images(folder):
    own = folder / "own.h5"
    hepcnn("convert", folder / "own.root", "--config", folder / "own.yaml", "-o", own)
    with h5py.File(folder / "native.h5") as native, h5py.File(own) as mine:
        names = []
        native.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert native["key"].size > 100
        for name in names:
            assert np.array_equal(native[name][()], mine[name][()], equal_nan="feat" in name), name


def test_inspect_proposes_branches_for_it(folder):
    printed = hepcnn("inspect", folder / "own.root").output
    assert "DecayTree" in printed
    assert "branches:" in printed
    assert "My_Track_PGeV" in printed


def test_a_misspelt_branch_is_named_with_the_nearest(folder, tmp_path):
    settings = yaml.safe_load((folder / "own.yaml").read_text())
    settings["samples"]["rich"]["branches"]["track_p"] = "1000 * My_Trak_PGeV"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["convert", folder / "own.root", "--config", tmp_path / "c.yaml", "-o"]
    result = CliRunner().invoke(main, [str(a) for a in [*arguments, tmp_path / "x.h5"]])
    assert result.exit_code == 1
    for word in ("own.root", "My_Trak_PGeV", "My_Track_PGeV"):
        assert word in result.stderr
    assert not (tmp_path / "x.h5").exists()


def test_centimetres_taken_for_millimetres_are_refused(folder, tmp_path):
    settings = yaml.safe_load((folder / "own.yaml").read_text())
    branches = settings["samples"]["rich"]["branches"]
    branches |= {name: text.removeprefix("10 * ") for name, text in branches.items()}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["convert", folder / "own.root", "--config", tmp_path / "c.yaml", "-o"]
    result = CliRunner().invoke(main, [str(a) for a in [*arguments, tmp_path / "x.h5"]])
    assert result.exit_code == 1
    assert "own.root" in result.stderr
    assert "away from the photon plane" in result.stderr
