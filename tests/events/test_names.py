"""Events of one name are found, and a user can name them apart."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_events import make_events, write_native

from hepcnn.config import RichSample
from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY
from hepcnn.events.names import check_names, repeated
from hepcnn.events.reading import FileSpec, read_rich


def keys(*places):
    return [np.array(place, EVENT_KEY) if place else np.empty(0, EVENT_KEY) for place in places]


NAME = st.tuples(*[st.integers(-1, 1)] * 3)


@given(st.lists(st.lists(NAME, max_size=6), min_size=1, max_size=4))
def test_what_is_found_is_the_first_event_that_an_earlier_one_is_named_as(places):
    seen, expected, count = {}, None, 0
    for place, names in enumerate(places):
        for name in names:
            if name in seen:
                count += 1
                expected = expected or (name, seen[name], place)
            seen[name] = place
    found = repeated(keys(*places))
    assert (found is None) == (expected is None)
    if found and expected:
        name, first, second = expected
        assert found.name == "event " + ":".join(map(str, name))
        assert (found.first, found.second, found.count) == (first, second, count)


def test_the_message_has_the_event_the_files_and_a_way_out():
    a, b = keys([(1, 0, 5), (1, 0, 6)], [(1, 0, 6), (1, 0, 5)])
    with pytest.raises(InputError, match=r"event 1:0:6 is in a\.root and in b\.root \(and 1 more"):
        check_names({"a.root": a, "b.root": b})
    with pytest.raises(InputError, match=r"b\.root: event 1:0:6 is there twice\. .*event: \$entry"):
        check_names({"a.root": a[:0], "b.root": b[[0, 0]]})
    check_names({"a.root": a})
    check_names({})


def names_in(path, step=None, **branches):
    sample = RichSample(files=["x"], branches=branches)
    chunks = read_rich(FileSpec(str(path)), sample, step=step)
    return np.concatenate([chunk.key for chunk in chunks])


def test_files_are_numbered_by_what_they_are_and_entries_by_their_place(tmp_path):
    """The same after a move, whatever the steps; in expressions too."""
    a, b = (write_native(tmp_path / f"{n}.root", make_events(seed=1)) for n in "ab")
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(a, tmp_path / "elsewhere" / "c.root")
    naming = {"run": "$file", "subrun": "2 * $entry + 1", "event": "event - event + 3"}
    found = {path: names_in(path, 3, **naming) for path in (a, b, copy)}
    np.testing.assert_array_equal(found[a]["subrun"], 2 * np.arange(20) + 1)
    assert (found[a]["event"] == 3).all()
    (first,), (second,), (third,) = (np.unique(found[p]["run"]) for p in (a, b, copy))
    assert first == third != second
    assert min(first, second) >= 0
    assert repeated([found[a], found[b]]) is None


def test_another_number_is_refused(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    with pytest.raises(InputError, match=r"no branch '\$fil'.*did you mean '\$file'"):
        names_in(path, run="$fil + 1")
    with pytest.raises(InputError, match=r"'\$file @ 2' is not allowed"):
        names_in(path, run="$file @ 2")
