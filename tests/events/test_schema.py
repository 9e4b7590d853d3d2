from dataclasses import replace

import numpy as np
import pytest
from made_up_events import make_events

from hepcnn.events.schema import BRANCHES, NATIVE, SEGMENT


def test_names_are_unique_and_the_segment_is_whole():
    others = 6 + 1  # projections, weight
    assert len(BRANCHES) == len({b.name for b in BRANCHES.values()}) == len(NATIVE) + others
    for rich, branches in SEGMENT.items():
        assert {(b.column, b.axis) for b in branches} == {
            (f"{rich}_{what}", axis) for what in ("entry", "direction", "exit") for axis in range(3)
        }


def test_title_has_the_unit():
    assert BRANCHES["track_p"].title == "momentum [MeV]"
    assert "[" not in BRANCHES["run"].title


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: replace(e, track_offsets=e.track_offsets.astype("i4")), "track_offsets"),
        (lambda e: replace(e, hit_offsets=e.hit_offsets + 1), "start at 0"),
        (lambda e: replace(e, hit_offsets=e.hit_offsets[::-1].copy()), "start at 0 or decrease"),
        (lambda e: replace(e, key=e.key["run"]), "key"),
        (lambda e: replace(e, tracks={**e.tracks, "q": e.tracks["p"]}), "'q' is unknown"),
        (lambda e: replace(e, tracks={"p": e.tracks["p"].astype("f8")}), "'p': float64"),
        (lambda e: replace(e, hits={"rich": e.hits["rich"][1:]}), "'rich': int8"),
        (lambda e: replace(e, hits={"position": e.hits["position"].T}), "'position'"),
    ],
)
def test_validate_refuses_what_does_not_fit(change, message):
    events = make_events()
    events.validate()
    with pytest.raises(ValueError, match=message):
        change(events).validate()


def test_counts():
    events = make_events(30)
    assert len(events) == 30
    assert events.n_tracks == len(events.tracks["p"])
    assert events.n_hits == len(events.hits["position"])
    assert np.diff(events.track_offsets)[0] == 0
