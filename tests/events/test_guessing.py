import pytest
import yaml

from hepcnn.config import LArTPCSample, RichSample
from hepcnn.events.catalogue import LAYOUTS
from hepcnn.events.guessing import branches_block, guess_branches

ONE, MANY = "int32_t", "std::vector<float>"


RICH, WIRES, CHANNELS = LAYOUTS


def guess(layout=RICH, **branches):
    return guess_branches({name: (kind, "") for name, kind in branches.items()}, layout)


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


def test_plain_names_of_events_are_recognised():
    assert guess(runNo="int32_t", evtNo="int32_t") == {"run": "runNo", "event": "evtNo"}


def test_the_likest_branch_is_taken_and_none_twice():
    found = guess(RichHit_x=MANY, hitx=MANY, Hit_X=MANY, Track_P=MANY, P=MANY)
    assert found["hit_x"] == "Hit_X"
    assert found["track_p"] == "Track_P"
    assert len(set(found.values())) == len(found)


def test_units_in_names_and_titles_become_factors():
    assert guess(hit_x_cm=MANY) == {"hit_x": "10 * hit_x_cm"}
    assert guess(Track_P_GeV=MANY) == {"track_p": "1000 * Track_P_GeV"}
    for title, name, guessed in (
        ("momentum [GeV/c]", "Track_P", {"track_p": "1000 * Track_P"}),
        ("y (mm)", "hit_y", {"hit_y": "hit_y"}),
    ):
        assert guess_branches({name: (MANY, title)}, RICH) == guessed
    # A factor cannot be put before characters that an expression does not have.
    assert guess(**{"trk-hit_x_cm": MANY}) == {}


def test_the_block_is_a_valid_piece_of_a_sample():
    branches = {"run": ONE, "Track_P_GeV": MANY, "evt:event": ONE, "RichHit_x": MANY}
    found = guess(**branches)
    block = branches_block("my/Tree", found, branches, RICH)
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
    assert yaml.safe_load(branches_block("t", {}, [], RICH)) == {"tree": "t", "branches": None}


#: A LArSoft tuple of hits on channels.
SBND = {
    "RunID": ONE, "SubRunID": ONE, "EventID": ONE,
    "TruePrimariesPDG": "std::vector<int32_t>", "TruePrimariesE": MANY,
    "TrueVx": "double", "TrueVy": "double", "TrueVz": "double", "TrueVt": "double",
    "TrueVU": ONE, "TrueVV": ONE, "TrueVC": ONE, "TrueVTimeTick": ONE, "TrueVEnergy": "double",
    "EnDepE": MANY, "EnDepX": MANY, "EnDepY": MANY, "EnDepZ": MANY, "EnDepT": MANY,
    "HitsIntegral": MANY, "HitsPeakTime": MANY, "HitsChannel": MANY,
}  # fmt: skip


def test_a_tuple_on_channels_is_understood():
    assert guess(CHANNELS, **SBND) == {
        "run": "RunID", "subrun": "SubRunID", "event": "EventID",
        "vertex_x": "TrueVx", "vertex_y": "TrueVy", "vertex_z": "TrueVz",
        "vertex_channel_u": "TrueVU", "vertex_channel_v": "TrueVV", "vertex_channel_y": "TrueVC",
        "vertex_tick": "TrueVTimeTick",
        "hit_channel": "HitsChannel", "hit_time": "HitsPeakTime", "hit_charge": "HitsIntegral",
        "particle_pdg": "TruePrimariesPDG",
        "deposit_x": "EnDepX", "deposit_y": "EnDepY", "deposit_z": "EnDepZ",
        "deposit_energy": "EnDepE",
    }  # fmt: skip
    assert len(guess(RICH, **SBND)) < 6


def test_usual_names_of_hits_on_wires():
    names = {
        "hit_plane": "hit_view", "hit_wire": "hitwires", "hit_time": "hit_peakTime",
        "hit_charge": "hit_integral", "hit_rms": "hit_rms",
    }  # fmt: skip
    assert guess(WIRES, **dict.fromkeys(names.values(), MANY)) == names


def test_the_block_of_a_tuple_on_channels_makes_a_sample():
    block = branches_block("ana/Tree", guess(CHANNELS, **SBND), SBND, CHANNELS)
    entries = yaml.safe_load(block)
    sample = LArTPCSample(files=["a.root"], **entries)
    assert sample.channel_map
    assert sample.branches["hit_channel"] == "HitsChannel"
    for line in ("# particle_energy:", "# neutrino_energy:", "# hit_rms:"):
        assert line in block
    assert "hit_wire:   " not in block
