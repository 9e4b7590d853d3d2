"""Files within the page, and the form in which a figure is one."""

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from hepcnn.report import style
from hepcnn.report.packed import File, Packed


def test_equal_files_are_packed_once():
    packed = Packed()
    first, again = packed.pack(File("a", "csv")), packed.pack(File(b"a", "csv"))
    assert first == again != packed.pack(File("b", "csv"))
    assert len(packed.files) == 2


def drawn(points: int) -> File:
    figure = Figure((6, 4))
    where = np.random.default_rng(1).random((2, points))
    figure.add_subplot().scatter(*where, s=1, c=where[0], cmap="viridis")
    return style.for_page(figure)


def test_curves_stay_vector_and_dense_scatter_does_not():
    assert drawn(20).suffix == "svg"
    dense = drawn(20_000)
    assert dense.suffix == "png"
    image = Image.open(io.BytesIO(dense.data))
    assert image.size == (2 * 6 * 96, 2 * 4 * 96)


def test_numbers_of_figures_keep_what_can_be_seen():
    text = style._compact('<a>\n  <path d="M 1.23456 -20.998 0.0123456"/>\n</a>')
    assert text == '<a><path d="M 1.23 -20.99 0.0123456"/></a>'
