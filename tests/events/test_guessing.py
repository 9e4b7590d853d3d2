import pytest
import yaml

from hepcnn.config import RichSample
from hepcnn.events.guessing import branches_block, guess_branches

ONE, MANY = "int32_t", "std::vector<float>"


def guess(**branches):
    return guess_branches({name: (kind, "") for name, kind in branches.items()})


@pytest.mark.parametrize(
    ("native", "name", "kind"),
    [
        ("run", "runNumber", "uint32_t"),
        ("subrun", "SubRunID", ONE),
        ("event", "eventNumber", "std::uint64_t"),
        ("track_p", "Track_P", MANY),
        ("track_p", "trk_momentum", "double[]"),
        ("track_pdg", "Track_TRUEID", "std::vector<int32_t>"),
        ("track_charge", "TrackCharge", "int8_t[]"),
        ("hit_x", "RichHit_x", "ROOT::VecOps::RVec<double>"),
        ("hit_y", "photonY", MANY),
        ("hit_panel", "hit_side", "std::vector<int>"),
        ("track_rich1_entry_z", "Trk_Rich1Entry_Z", MANY),
        ("track_rich2_projection_x", "track_rich2_proj_x", MANY),
    ],
)
def test_usual_names_are_recognised(native, name, kind):
    assert guess(**{name: kind}) == {native: name}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Track_P", "float"),  # one an event
        ("Track_P", "std::vector<std::vector<float>>"),
        ("Track_P", "std::string"),
        ("runNumber", MANY),
        ("Track_x", MANY),  # which point of the track?
        ("RichHit_time", MANY),
        ("nTracks", ONE),
        ("_", MANY),
    ],
)
def test_other_shapes_and_meanings_are_not_taken(name, kind):
    assert guess(**{name: kind}) == {}


def test_the_likest_branch_is_taken_and_none_twice():
    found = guess(RichHit_x=MANY, hitx=MANY, Hit_X=MANY, Track_P=MANY, P=MANY)
    assert found["hit_x"] == "Hit_X"
    assert found["track_p"] == "Track_P"
    assert len(set(found.values())) == len(found)


def test_units_in_names_and_titles_become_factors():
    assert guess(hit_x_cm=MANY) == {"hit_x": "10 * hit_x_cm"}
    assert guess(Track_P_GeV=MANY) == {"track_p": "1000 * Track_P_GeV"}
    assert guess_branches({"Track_P": (MANY, "momentum [GeV/c]")}) == {"track_p": "1000 * Track_P"}
    assert guess_branches({"hit_y": (MANY, "y (mm)")}) == {"hit_y": "hit_y"}
    # A factor cannot be put before characters that an expression does not have.
    assert guess(**{"trk-hit_x_cm": MANY}) == {}


def test_the_block_is_a_valid_piece_of_a_sample():
    branches = {"run": ONE, "Track_P_GeV": MANY, "evt:event": ONE, "RichHit_x": MANY}
    found = guess(**branches)
    block = branches_block("my/Tree", found, branches)
    entries = yaml.safe_load(block)
    assert entries == {
        "tree": "my/Tree",
        "branches": {
            "event": "evt:event",
            "track_p": "1000 * Track_P_GeV",
            "hit_x": "RichHit_x",
        },
    }
    RichSample(files=["a.root"], **entries)
    assert "# track_rich1_entry_x:" in block
    assert "\n  run" not in block


def test_nothing_guessed_is_still_a_block():
    assert yaml.safe_load(branches_block("t", {}, [])) == {"tree": "t", "branches": None}
