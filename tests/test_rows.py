"""Rows of examples: taken, selected, joined and grouped."""

import numpy as np
import pytest

from hepcnn.rows import Rows
from hepcnn.store.shard import Sparse


@pytest.fixture
def rows():
    """Five examples of 2, 0, 3, 1 and 0 rows, with columns of several types and widths."""
    rng = np.random.default_rng(1)
    columns = {
        "byte": np.arange(6, dtype=np.uint8),
        "flag": np.arange(6) % 2 == 0,
        "half": rng.normal(size=(6, 3)).astype(np.float16),
        "wide": rng.normal(size=(6, 2)),
        "none": np.empty((6, 0), np.int32),
    }
    return Rows(np.array([0, 2, 2, 5, 6, 6]), columns)


def lists(rows):
    """The rows of each example as Python's lists, column by column."""
    return [
        {name: column[low:high].tolist() for name, column in rows.columns.items()}
        for low, high in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
    ]


def test_take_any_examples_in_any_order(rows):
    whole, which = lists(rows), [3, 0, 0, 4, 2]
    taken = rows.take(np.array(which))
    assert lists(taken) == [whole[i] for i in which]
    assert all(taken.columns[n].dtype == column.dtype for n, column in rows.columns.items())
    assert lists(rows.take(np.array([-1, 2]))) == [whole[1], whole[2]]
    assert len(rows.take(np.empty(0, np.int64))) == 0


def test_take_of_columns_that_are_not_contiguous(rows):
    strided = rows.with_columns(wide=np.repeat(rows.columns["wide"], 2, axis=1)[:, ::2])
    assert lists(strided.take(np.array([2, 0]))) == lists(rows.take(np.array([2, 0])))


def test_joined_parts_are_the_whole(rows):
    parts = [rows.take(np.arange(*span)) for span in ((0, 2), (2, 2), (2, 5))]
    joined = Rows.join(parts)
    assert lists(joined) == lists(rows)
    np.testing.assert_array_equal(joined.offsets, rows.offsets)


def test_grouped_rows_know_their_examples(rows):
    assert rows.example.tolist() == [0, 0, 2, 2, 2, 3]
    order = np.array([5, 2, 0, 3, 1, 4])  # within each example in order
    mixed = {name: column[order] for name, column in rows.columns.items()}
    assert lists(Rows.grouped(rows.example[order], mixed, 5)) == lists(rows)


def test_selected_rows_stay_with_their_examples(rows):
    left = rows.select(rows.columns["flag"])
    assert [own["byte"] for own in lists(left)] == [[0], [], [2, 4], [], []]


def test_images_stay_images():
    images = Sparse(
        np.array([0, 1, 3]),
        np.array([4, 0, 9], np.uint16),
        np.ones((3, 1)),
        {"semantic": np.ones(3)},
    )
    for made in (
        images.take(np.array([1])),
        images.select(images.pixel > 0),
        Sparse.join([images]),
    ):
        assert type(made) is Sparse
        assert set(made.truth) == {"semantic"}
    assert images.with_columns(pixel=images.pixel + 1).pixel.tolist() == [5, 1, 10]
