"""Shards are named by what they are made of, and a manifest says which belong together."""

import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from hepcnn.cli.main import main
from hepcnn.errors import InputError
from hepcnn.store.images import ImageSet
from hepcnn.store.manifest import listed, read_manifest, shard_name, write_manifest


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=3))
def test_any_files_give_a_plain_name(files):
    name = shard_name(files)
    assert re.fullmatch(r"[\w.-]{1,80}", name, re.ASCII)
    assert name == shard_name(list(files))


def test_names_differ_by_all_files_and_their_folders():
    lists = (["1/a.root"], ["2/a.root"], ["1/a.root", "b.root"], ["1/a.root:tree"], ["é.root"])
    assert len({shard_name(files) for files in lists}) == len(lists)
    assert shard_name(["root://h//d/a.root:t"]).startswith("a-")


@pytest.fixture
def shards(tmp_path, make_shards):
    return make_shards(tmp_path, events=8, shards=3)


def gather(*shards):
    return CliRunner().invoke(main, ["gather", *map(str, shards)])


def test_a_folder_stands_for_its_shards(tmp_path, shards):
    (tmp_path / ".half.h5").touch()  # of a conversion that was killed
    assert ImageSet(tmp_path).paths == shards
    chosen = [shards[2], shards[0]]
    assert gather(*chosen).exit_code == 0
    for whole in (tmp_path, tmp_path / "manifest.json", chosen):
        assert ImageSet(whole).paths == chosen


def test_a_shard_that_the_manifest_does_not_list_is_said_and_refused(tmp_path, shards):
    done = gather(*shards[:2])
    assert done.exit_code == 0
    assert f"{shards[2]}: not one of the set's 2 shards" in done.stderr
    with pytest.raises(InputError, match=r"0002\.h5: manifest\.json beside it does not list it"):
        ImageSet(sorted(tmp_path.glob("*.h5")))
    assert gather(*shards).exit_code == 0
    assert ImageSet(shards).paths == shards


def test_shards_that_do_not_belong_together_are_not_gathered(tmp_path, shards, make_shards):
    (tmp_path / "other").mkdir()
    (other,) = make_shards(tmp_path / "other", events=8, shards=1, seed=2)
    done = gather(*shards, other)
    assert done.exit_code == 1
    assert "lie in one folder" in done.output
    done = gather(shards[0], other.rename(tmp_path / "x.h5"))
    assert done.exit_code == 1
    assert re.search(r"event 1:0:0 is in .*0000\.h5 and in .*x\.h5 \(and 1 more", done.output)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "another", "shards": {}}'])
def test_what_is_no_manifest_is_named(tmp_path, shards, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json: not the manifest of an image set"):
        ImageSet(tmp_path)


def test_a_manifest_is_of_the_shards_in_its_folder(tmp_path):
    write_manifest(tmp_path / "manifest.json", {"b.h5": ["b.root"], "a.h5": []})
    assert read_manifest(tmp_path / "manifest.json") == [tmp_path / "b.h5", tmp_path / "a.h5"]
    with pytest.raises(InputError, match=r"b\.h5: no such file"):
        ImageSet(tmp_path)


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(InputError, match="no image shard"):
        listed([tmp_path])
