import dataclasses

import h5py
import numpy as np
import pytest
from made_up_findings import CLASSES, findings, keys

from hepcnn.errors import InputError
from hepcnn.store.findings import TARGETS, Findings, columns_of, tables_of
from hepcnn.store.findings_file import open_findings, read_findings, write_findings
from hepcnn.store.shard import Rows


def make(target="semantic", n=9, shape=(16, 20), method="net", **changes):
    """Findings with random contents of every column."""
    rng = np.random.default_rng(5)
    tables = {name: [] for name in tables_of(target, 3, 2)}
    for _ in range(n):
        places = np.sort(rng.choice(320, rng.integers(0, 9), replace=False))
        for name in tables:
            tables[name].append([row(rng, name, k, p) for k, p in enumerate(places)])
    columns = {"energy": rng.random(n) * 1000, "n_hits": rng.integers(0, 900, n)}
    if n > 1:
        columns["energy"][1] = np.nan
    return findings(target, tables, method, columns, shape, **changes)


def row(rng, table, number, place):
    scores = rng.dirichlet(np.ones(5))
    every = {"pixel": place, "semantic": number % 6, "scores": scores, "found": number // 2}
    if table != "pixels":
        every = {"cluster": number, "row": place / 20, "score": rng.random(), "kind": number % 3}
    return every


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "findings.h5"


@pytest.mark.parametrize("n", [0, 1, 9])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 12)])
def test_what_is_written_is_read(path, target, n, shape):
    f = make(target, n, shape, altered="dead_wires")
    write_findings(path, [f])
    g = read_findings(path)
    assert len(g) == n
    same_findings(f, g)


def same_findings(f, g):
    for field in dataclasses.fields(Findings):
        a, b = getattr(f, field.name), getattr(g, field.name)
        if field.name == "columns":
            same(a, b)
        elif field.name == "tables":
            assert a.keys() == b.keys()
            for name in a:
                np.testing.assert_array_equal(a[name].offsets, b[name].offsets)
                same(a[name].columns, b[name].columns)
        elif field.name == "key":
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b
            assert type(a) is type(b)


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name])


def test_equal_findings_give_equal_bytes(tmp_path):
    f = make()
    turned = dataclasses.replace(f, columns=dict(reversed(f.columns.items())))
    for name, own in {"a": f, "b": turned, "c": make(task="other")}.items():
        write_findings(tmp_path / name, [own])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_blocks_are_read_sorted_by_key(path):
    f = make("instance")
    write_findings(
        path,
        [f.take(np.array(events, np.int64)) for events in ([5, 7, 8], [], [0, 2], [1, 3, 4, 6])],
    )
    same_findings(f, read_findings(path))


def test_some_events_are_read_alone(path):
    f = make("instance")
    write_findings(path, [f.take(np.array([4, 5, 6, 7, 8])), f.take(np.array([0, 1, 2, 3]))])
    g = open_findings(path)
    np.testing.assert_array_equal(g.rows_of("pixels"), f.rows_of("pixels"))
    for events in ([], [3], [3, 4], [0, 2, 8], [5, 6]):
        one = g.take(np.array(events, np.int64))
        assert one.cutflow == (("events read", 10), ("scored", len(events)))
        same_findings(f.take(np.array(events, np.int64)), one)


@pytest.mark.parametrize("size", [1, 4, 9, 100])
def test_blocks_are_all_events_in_order(path, size, monkeypatch):
    monkeypatch.setattr("hepcnn.store.findings.EVENTS", size)
    f = make("semantic")
    write_findings(path, f.blocks())
    blocks = list(open_findings(path).blocks())
    assert [len(block) for block in blocks[:-1]] == [size] * (9 // size - (9 % size == 0))
    np.testing.assert_array_equal(np.concatenate([block.key for block in blocks]), f.key)
    tables = Rows.join([block.tables["pixels"] for block in blocks])
    same(tables.columns, f.tables["pixels"].columns)
    same_findings(f, read_findings(path))


def test_blocks_must_belong_together(path):
    f = make("semantic")
    for second, message in (
        (f.take(np.array([8])), "1 events are found in twice"),
        (make("semantic", method="other"), "the blocks must be of the same method"),
    ):
        with pytest.raises(InputError, match=message):
            write_findings(path, [f, second])
    with pytest.raises(InputError, match="no findings to write"):
        write_findings(path, [])
    assert not path.exists()


def test_columns_of_another_length_are_refused(path):
    write_findings(path, [make()])
    with h5py.File(path, "a") as file:
        file["tables/pixels/value"].resize(3, axis=0)
    with pytest.raises(InputError, match=r"findings\.h5: pixels/value: 3 rows where"):
        open_findings(path)


def test_rows_know_their_event_and_image():
    f = findings("semantic", {"pixels": [[], [pixel(3), pixel(0, view=1)], [pixel(2)]]})
    assert f.event_of("pixels").tolist() == [1, 1, 2]
    assert f.image_of("pixels").tolist() == [2, 3, 4]


def pixel(place, **more):
    return {"pixel": place, "scores": [1, 0, 0, 0, 0], **more}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "species"}, "target: 'species'; there are: instance, points"),
        ({"classes": ("hip", "mipp")}, "classes: 'mipp'; did you mean 'mip'"),
        ({"classes": ("hip", "hip")}, "classes: .* distinct"),
        ({"classes": ("other",)}, "classes: 'other'"),
        ({"classes": ()}, "classes: .* at least one"),
        ({"classes": CLASSES["semantic"][:4]}, r"pixels/scores: is float16 \(\d+, 5\).*, 4\)"),
        ({"views": ("u", "u")}, "views: "),
        ({"views": ("u",)}, "pixels/view: from 0 to 1; must be 0 to 0"),
        ({"shape": (16,)}, "shape: "),
        ({"shape": (2, 5)}, r"pixels/pixel: from \d to \d+; must be 0 to 9"),
        ({"pixel_mm": (3.0,)}, "pixel_mm: "),
        ({"pixel_mm": (3.0, 0.0)}, "pixel_mm: "),
        ({"key": keys(9)[::-1]}, "key: the events must be sorted"),
        ({"key": np.repeat(keys(3), 3)}, "key: the events must be sorted by .*, each once"),
        ({"key": keys(8)}, "cutflow|columns/"),
        ({"key": np.arange(9)}, "key: is int64"),
        ({"cutflow": (("scored", 8),)}, "cutflow: "),
        ({"columns": {}}, r"columns: \[\] must be \['energy', 'n_hits'\]"),
        ({"tables": {}}, r"tables: \[\] must be \['pixels'\]"),
    ],
)
def test_contradictions_are_named(change, message):
    f = findings("semantic", {"pixels": [[pixel(3), pixel(18, view=1)], *[[]] * 8]})
    with pytest.raises(InputError, match=message):
        dataclasses.replace(f, **change)


def changed(f, name, **columns):
    tables = f.tables | {name: Rows(f.tables[name].offsets, f.tables[name].columns | columns)}
    return dataclasses.replace(f, tables=tables)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"pixel": np.array([3, 3], np.uint32)}, "pixels: must be sorted .*, each once"),
        ({"pixel": np.array([4, 3], np.uint32)}, "pixels: must be sorted"),
        ({"semantic": np.array([0, 6], np.uint8)}, "pixels/semantic: from 0 to 6; must be 0 to 5"),
        ({"instance": np.array([0, -2], np.int16)}, "pixels/instance: from -2"),
        ({"value": np.array([0, np.inf], np.float32)}, "pixels/value: 1 of 2 values are not"),
        ({"value": np.zeros(2)}, "pixels/value: is float64"),
        ({"scores": np.full((2, 5), np.nan, np.float16)}, "pixels/scores: 10 of 10 values"),
        ({"scores": np.ones((2, 5), np.float16)}, "pixels/scores: 2 of 2 rows are not prob"),
        ({"scores": np.array([[2, -1, 0, 0, 0]] * 2, np.float16)}, "pixels/scores: 2 of 2 rows"),
        ({"more": np.zeros(2)}, "pixels: .*'more'"),
    ],
)
def test_bad_pixels_are_named(columns, message):
    f = findings("semantic", {"pixels": [[pixel(3), pixel(4)]]})
    with pytest.raises(InputError, match=message):
        changed(f, "pixels", **columns)


def test_offsets_are_checked():
    f = findings("semantic", {"pixels": [[pixel(3)], [pixel(4)]]})
    for offsets in ([0, 2, 1], [1, 1, 2], [0, 2]):
        rows = Rows(np.array(offsets), f.tables["pixels"].columns)
        with pytest.raises(InputError, match="pixels/offsets: "):
            dataclasses.replace(f, tables={"pixels": rows})


def test_clusters_are_those_of_the_pixels():
    pixels = [[{"pixel": 3, "found": 4}, {"pixel": 3, "found": 4, "view": 1}]]
    both = [[{"cluster": 4}, {"cluster": 4, "view": 1}]]
    assert findings("instance", {"pixels": pixels, "clusters": both})
    with pytest.raises(InputError, match="1 clusters of the pixels are not in the table"):
        findings("instance", {"pixels": pixels, "clusters": [both[0][:1]]})
    with pytest.raises(InputError, match="a cluster of a view is in the table twice"):
        findings("instance", {"pixels": pixels, "clusters": [[*both[0], both[0][0]]]})
    with pytest.raises(InputError, match="pixels/found: from -3"):
        findings("instance", {"pixels": [[{"found": -3}]], "clusters": [[]]})


def test_only_what_may_be_unknown_is():
    f = make("vertex", 2)
    for name, kind in columns_of("vertex", 2, 2).items():
        if not kind.dtype.startswith("float"):
            continue
        column = np.full_like(f.columns[name], np.nan)
        if kind.unknown:
            assert dataclasses.replace(f, columns=f.columns | {name: column})
            column[:] = np.inf
        with pytest.raises(InputError, match=f"columns/{name}: .* not finite"):
            dataclasses.replace(f, columns=f.columns | {name: column})


def test_not_our_files(tmp_path):
    path = tmp_path / "f.h5"
    with pytest.raises(InputError, match=r"no file '.*f\.h5'"):
        read_findings(path)
    path.write_text("not HDF5")
    with pytest.raises(InputError, match=r"f\.h5: not a readable HDF5 file"):
        read_findings(path)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "hepcnn-predictions"
    with pytest.raises(InputError, match=r"f\.h5: format hepcnn-predictions.*hepcnn predict"):
        read_findings(path)


@pytest.mark.parametrize("name", ["key", "columns", "tables"])
def test_a_missing_part_is_named(path, name):
    write_findings(path, [make()])
    with h5py.File(path, "a") as file:
        del file[name]
    with pytest.raises(InputError, match=rf"findings\.h5: no {name} in it"):
        read_findings(path)


@pytest.mark.parametrize("name", ["method", "altered", "pixel_mm", "cutflow"])
def test_a_missing_attribute_is_named(path, name):
    write_findings(path, [make()])
    with h5py.File(path, "a") as file:
        del file.attrs[name]
    with pytest.raises(InputError, match=rf"findings\.h5: no {name} in it"):
        read_findings(path)


def test_damage_is_an_error_that_names_the_file(path):
    for attribute, value in {"cutflow": "[[", "classes": "3", "provenance": ""}.items():
        write_findings(path, [make()])
        with h5py.File(path, "a") as file:
            file.attrs[attribute] = value
        with pytest.raises(InputError, match=r"findings\.h5: damaged"):
            read_findings(path)
    for part in ("tables/pixels/offsets", "tables/pixels", "columns/energy"):
        write_findings(path, [make()])
        with h5py.File(path, "a") as file:
            del file[part]
        with pytest.raises(InputError, match=r"findings\.h5: "):
            read_findings(path)
        with h5py.File(path, "a") as file:
            file[part] = 3.0
        with pytest.raises(InputError, match=r"findings\.h5: "):
            read_findings(path)


def test_flipped_bits_and_truncated_files_are_refused(path):
    write_findings(path, [make("instance", 50)])
    with h5py.File(path) as file:
        chunk = file["tables/pixels/value"].id.get_chunk_info(0)
    whole = path.read_bytes()
    place = chunk.byte_offset + chunk.size // 2
    for bad in (
        whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :],
        whole[:-100],
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"findings\.h5"):
            read_findings(path)


def test_a_failure_leaves_the_old_file(path):
    write_findings(path, [make()])
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_findings(path, [make(provenance={"not JSON": object()})])
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
