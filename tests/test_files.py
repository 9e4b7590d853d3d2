import os

import pytest

from hepcnn.errors import InputError, nearest
from hepcnn.files import atomic_path, write_text
from hepcnn.progress import progress


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    write_text(target, "old")

    def fail():
        with atomic_path(target) as path:
            path.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_success_replaces_the_file_and_makes_its_folder(tmp_path):
    target = tmp_path / "new" / "a.csv"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert os.listdir(target.parent) == ["a.csv"]
    assert target.stat().st_mode & 0o444


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write '.*file/a\.csv'"):
        write_text(tmp_path / "file" / "a.csv", "x")


def test_a_folder_in_the_place_of_the_file_is_named_before_any_work(tmp_path):
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pytest.fail("worked for nothing")


def test_nearest_names():
    assert nearest("track_P", ["track_p", "hit_x"]) == "did you mean 'track_p'?"
    assert nearest("zzz", ["track_p", "hit_x"]) == "there are: hit_x, track_p"
    assert nearest("zzz", []) == "there are none"


def test_progress_in_a_log_is_plain_lines(capsys):
    with progress("convert a.root", total=3) as advance:
        advance()
        advance(2)
    assert capsys.readouterr().err == "convert a.root: 3/3 events, 0 s\n"
