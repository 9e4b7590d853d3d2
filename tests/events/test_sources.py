import re
import struct
import uuid

import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_up_events import make_events, write_native

from hepcnn.cli.main import main
from hepcnn.errors import InputError
from hepcnn.events.sources import (
    FileSpec,
    branch_names,
    decoding,
    expand_files,
    fingerprint,
    n_entries,
    open_file,
    open_tree,
)


@pytest.fixture
def native(tmp_path):
    return write_native(tmp_path / "a.root", make_events())


@pytest.mark.parametrize(
    ("text", "path", "tree"),
    [
        ("a.root", "a.root", None),
        ("a.root:DecayTree", "a.root", "DecayTree"),
        ("dir/a.root:folder/tree;2", "dir/a.root", "folder/tree;2"),
        ("root://host:1094//d/a.root", "root://host:1094//d/a.root", None),
        ("root://u@host:1094//d/a.root:t", "root://u@host:1094//d/a.root", "t"),
        ("C:/d/a.root:t", "C:/d/a.root", "t"),
        ("d/*.root:t", "d/*.root", "t"),
        ("2024-01-01T10:00/a.dst", "2024-01-01T10:00/a.dst", None),
    ],
)
def test_file_and_tree_are_told_apart(text, path, tree):
    assert FileSpec.parse(text) == FileSpec(path, tree)
    assert str(FileSpec.parse(text)) == text


@given(st.from_regex(r"\A(root://h:1/)?/[a-z:]{1,6}\.root(:[a-z/]{1,6})?\Z"))
def test_text_and_spec_are_the_same(text):
    assert str(FileSpec.parse(text)) == text


def test_an_existing_file_is_itself_whatever_its_name(tmp_path):
    for name in ("odd.root:name", "b[1].root"):
        (tmp_path / name).touch()
        assert expand_files([str(tmp_path / name)]) == [FileSpec(str(tmp_path / name))]


def test_globs_are_sorted_and_the_order_of_patterns_kept(tmp_path):
    for name in ("c.root", "a.root", "b.root", "z/d.root"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    address = "root://host//d/a.root:t"
    found = expand_files([f"{tmp_path}/z/*.root:t", address, f"{tmp_path}/*.root"])
    assert [str(spec) for spec in found] == [
        f"{tmp_path}/z/d.root:t", address, *(f"{tmp_path}/{n}.root" for n in "abc"),
    ]  # fmt: skip
    assert len(expand_files([f"{tmp_path}/**/*.root"])) == 4


def test_a_pattern_without_files_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file matches '.*\*\.rot'"):
        expand_files([f"{tmp_path}/*.rot"])
    with pytest.raises(InputError, match=r"no file matches '.*none\.root'"):
        expand_files([f"{tmp_path}/none.root:tree"])


def test_a_file_must_not_count_twice(native):
    with pytest.raises(InputError, match="named 2 times"):
        expand_files([str(native), f"{native.parent}/*.root"])


def test_a_link_to_a_file_of_the_list_is_refused(native):
    native.with_name("b.root").symlink_to(native)
    with pytest.raises(InputError, match=r"'.*a\.root' and '.*b\.root' are one file"):
        expand_files([f"{native.parent}/*.root"])
    # Two trees of a file are two things to read.
    assert len(expand_files([f"{native}:one", f"{native.with_name('b.root')}:two"])) == 2


def test_fingerprint_is_the_uuid_the_size_and_the_tree(native):
    identity, size, tree = fingerprint(FileSpec(str(native))).split(":")
    with uproot.open(native) as file:
        assert uuid.UUID(identity) == file.file.uuid
    assert int(size) == native.stat().st_size
    assert tree == "events"
    assert fingerprint(FileSpec(str(native)), "other") != fingerprint(FileSpec(str(native)))
    assert fingerprint(FileSpec(str(native), "other")) == fingerprint(
        FileSpec(str(native)), "other"
    )
    other = write_native(native.with_name("b.root"), make_events())
    assert fingerprint(FileSpec(str(other))) != fingerprint(FileSpec(str(native)))


def test_files_without_a_uuid_are_told_apart_by_their_bytes(native):
    """Geant4's have none."""
    with uproot.open(native) as file:
        given = file.file.uuid.bytes
    nameless = native.with_name("nameless.root")
    data = native.read_bytes().replace(given, bytes(16))
    nameless.write_bytes(data)
    other = native.with_name("other.root")
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    first, second = (fingerprint(FileSpec(str(path))) for path in (nameless, other))
    assert first != second
    assert given.hex() not in first
    assert first == fingerprint(FileSpec(str(nameless)))


def test_number_of_entries(native):
    assert n_entries(FileSpec(str(native))) == 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "cannot read '.*' as a ROOT file"),
        (lambda path: path.write_bytes(b"root"), "cannot read '.*' as a ROOT file"),
        (lambda path: path.write_text("run,event\n1,2\n" * 100), "not a ROOT file"),
        (lambda path: path.write_bytes(bytes(5000)), "not a ROOT file"),
    ],
)
def test_what_is_no_root_file_is_named(tmp_path, make, message):
    path = tmp_path / "bad.root"
    make(path)
    with pytest.raises(InputError, match=message) as error, open_file(str(path)):
        pass
    assert str(path) in str(error.value)


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.1, 0.01])
def test_a_truncated_file_is_named(native, kept):
    data = native.read_bytes()
    native.write_bytes(data[: int(kept * len(data))])
    with (
        pytest.raises(InputError, match=r"truncated|cannot read") as error,
        open_tree(FileSpec(str(native))),
    ):
        pass
    assert str(native) in str(error.value)


def unclosed(path):
    """Make a ROOT file what it is when its job dies before it is closed: without a list of keys."""
    data = bytearray(path.read_bytes())
    begin, length = (struct.unpack(">i", data[at : at + 4])[0] for at in (8, 28))
    folder = begin + length  # version, two dates, bytes of the list, its title's, three places
    large = struct.unpack(">h", data[folder : folder + 2])[0] > 1000
    data[folder + 10 : folder + 14] = bytes(4)
    start, size = (folder + 34, 8) if large else (folder + 26, 4)
    data[start : start + size] = bytes(size)
    path.write_bytes(data)
    return path


def test_a_file_that_was_not_closed_is_said_to_be_so(native, tmp_path):
    path = unclosed(native)
    message = re.escape(f"'{path}' was not closed: ") + ".*`on_bad_file: skip`"
    for opened in (open_file(str(path)), open_tree(FileSpec(str(path)))):
        with pytest.raises(InputError, match=message), opened:
            pass
    for command in (
        ["inspect", path],
        ["convert", path, "--images", "rich_polar", "-o", tmp_path / "a.h5"],
    ):
        result = CliRunner().invoke(main, [str(argument) for argument in command])
        assert result.exit_code == 1
        assert "was not closed" in result.stderr


def test_a_closed_file_without_contents_is_a_file(tmp_path):
    uproot.recreate(tmp_path / "a.root").close()
    with open_file(str(tmp_path / "a.root")) as directory:
        assert not directory.keys()


def test_the_whole_reason_of_an_error_is_said_in_one_line():
    with pytest.raises(InputError) as caught, decoding("cannot read"):
        raise ValueError("\n  no leaf\n\nin branch x\n  of file a.root\n")
    assert str(caught.value) == "cannot read: no leaf in branch x of file a.root"
    with pytest.raises(InputError, match=r"^cannot read: KeyError$"), decoding("cannot read"):
        raise KeyError


def test_a_missing_tree_names_those_there_are(tmp_path):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file.mktree("ana/DecayTree", {"x": "int64"})
        file["ana/DecayTree"].extend({"x": np.arange(3)})
        file.mkrntuple("meta", {"y": np.arange(2)})
        file["h"] = np.histogram([1, 2, 3])
    message = (
        "no tree 'ana/DecayTre'; did you mean 'ana/DecayTree'?; trees in it: ana/DecayTree, meta"
    )
    with (
        pytest.raises(InputError, match=re.escape(message)),
        open_tree(FileSpec(str(path), "ana/DecayTre")),
    ):
        pass
    with pytest.raises(InputError, match="no tree 'h'"), open_tree(FileSpec(str(path)), "h"):
        pass
    with open_tree(FileSpec(str(path), "ana/DecayTree;1")) as tree:
        assert tree.num_entries == 3


def test_branches_go_by_their_last_name_where_it_is_unique():
    class Tree:
        def keys(self, recursive):
            return ["evt", "evt/p", "evt/x", "trk/x", "Track.P"]

    names = branch_names(Tree())
    assert names["p"] == names["evt/p"] == "evt/p"
    assert names["evt/x"] == "evt/x"
    assert "x" not in names
    assert names["Track.P"] == "Track.P"


def test_without_the_xrootd_client_the_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for act in (lambda a: fingerprint(FileSpec(a)), lambda a: expand_files([a])):
        with pytest.raises(InputError, match=r"'root://h//\*\.root': .*pip install xrootd"):
            act("root://h//*.root")
