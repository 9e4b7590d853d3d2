"""Event displays show what is in the shards, where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_planes import TICKS, VIEWS, untrained, write_planes
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES
from hepcnn.errors import InputError
from hepcnn.report import bands
from hepcnn.report.bands import Scores, stacked
from hepcnn.report.blocks import Studio
from hepcnn.report.display import example_bands, headline
from hepcnn.report.event_pictures import class_pictures, network_pictures
from hepcnn.report.example import Example, find, read_example
from hepcnn.report.network_bands import feature_maps, filters
from hepcnn.report.style import SYMBOL
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions
from hepcnn.store.shard import KEY, Axis, Header, Images, Kind, Rows, ShardWriter, Sparse


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return ImageSet(write_planes(tmp_path_factory.mktemp("planes") / "a.h5"))


@pytest.fixture
def example(images: ImageSet) -> Example:
    return read_example(images, 2)


def test_pixels_are_where_the_shard_has_them(images: ImageSet, example: Example) -> None:
    for v, view in enumerate(VIEWS):
        sparse, panel = images.view(view, 2, 3, truth=True), example.panels[v]
        assert panel.title == view.upper()
        assert panel.values.shape == (1, 64, 72)
        assert panel.values.sum() == pytest.approx(sparse.value.sum(), rel=1e-6)
        np.testing.assert_allclose(panel.values[0].flat[sparse.pixel], sparse.value[:, 0])
        for name in ("semantic", "instance"):
            np.testing.assert_array_equal(panel.truth[name].flat[sparse.pixel], sparse.truth[name])
        assert (panel.truth["semantic"] >= 0).sum() == len(sparse.pixel)


def test_axes_say_where_the_window_is(example: Example) -> None:
    """The made-up corner is tick 1200 and wire 300."""
    panel = example.panels[0]
    assert (panel.rows.low, panel.rows.high) == (1200, 1200 + TICKS * 64)
    assert (panel.columns.low, panel.columns.high) == (300, 372)


def test_marks_are_on_the_pixels_of_their_particles(example: Example) -> None:
    """Most charge first; starts are the vertex, and the pixels lie in the boxes."""
    assert [p.pdg for p in example.particles] == [2212, 13, 11]
    for panel in example.panels:
        np.testing.assert_allclose(panel.marks.start, np.tile(panel.marks.vertex, (3, 1)))
        for particle, box in zip(example.particles, panel.marks.box, strict=True):
            row, column = np.nonzero(panel.truth["instance"] == particle.row)
            tick, wire = 1200 + TICKS * row, 300 + column
            assert (tick >= box[0]).all()
            assert (wire >= box[1]).all()
            assert (tick + TICKS <= box[2]).all()
            assert (wire + 1 <= box[3]).all()


def test_the_headline_says_what_it_is(example: Example, images: ImageSet) -> None:
    assert headline(example) == "run 1, subrun 0, event 20:  NC, 800 MeV"
    assert headline(read_example(images, 1)) == "run 1, subrun 0, event 10:  cosmic"


def test_three_dimensions_are_projected(tmp_path: Path) -> None:
    """Each pixel is the sum along a line, its truth that of the largest voxel."""
    axes = tuple(Axis(name, "mm", 0, 10 * n, n) for name, n in zip("xyz", (2, 3, 4), strict=True))
    table: dict[str, Kind] = {"pdg": ("int32", None), "deposited": ("float32", None)}
    table |= {"start": ("float32", 3), "end": ("float32", 3), "box": ("float32", 6)}
    header = Header(
        "lartpc", ("xyz",), (2, 3, 4), ("energy",), {"xyz": axes}, {"semantic": PIXEL_CLASSES},
        {}, {}, {"corner": ("float32", 3)}, "float32", {"semantic": "uint8"}, {"particles": table},
    )  # fmt: skip
    voxels = np.ravel_multi_index(([0, 1, 1], [2, 0, 2], [3, 3, 3]), header.shape)
    order = np.argsort(voxels)
    value = np.array([5.0, 1, 2], np.float32)[order, None]
    semantic = np.array([1, 2, 3], np.uint8)[order]
    ends = np.array([0, 3]), voxels[order].astype(np.uint16), value, {"semantic": semantic}
    rows = {
        name: np.ones((1, *([width] if width else [])), k) for name, (k, width) in table.items()
    }
    rows["box"][:] = [[0, 0, 3, 2, 3, 4]]
    corner = np.float32([[100, 200, 300]])
    images = Images(
        np.zeros(1, KEY), {"xyz": Sparse(*ends)}, {"corner": corner}, {},
        {"particles": Rows(np.array([0, 1]), rows)},
    )  # fmt: skip
    with ShardWriter(tmp_path / "v.h5", header) as writer:
        writer.append(images)
        writer.describe({"id": "v"}, {})
    xy, xz, yz = read_example(ImageSet(tmp_path / "v.h5"), 0).panels
    assert (xy.title, xz.title, yz.title) == ("xy", "xz", "yz")
    assert yz.values[0, 2, 3] == 7
    assert yz.truth["semantic"][2, 3] == 1
    assert xz.values[0, 1, 3] == 3
    assert xz.truth["semantic"][1, 3] == 3
    assert xy.values.sum() == 8
    assert (xz.rows.low, xz.columns.high) == (100, 340)
    assert yz.marks.box.tolist() == [[200, 330, 230, 340]]
    assert xz.marks.start.tolist() == [[110, 310]]


def test_an_event_is_found_or_the_nearest_named(
    images: ImageSet, make_shards: Callable[..., list[Path]], tmp_path: Path
) -> None:
    assert find(images, (1, 0, 20)) == find(images, (1, 0, 20, 0)) == 2
    with pytest.raises(InputError, match=r"a.h5: no event 1:0:22; the nearest: 1:0:20, 1:0:30"):
        find(images, (1, 0, 22))
    with pytest.raises(InputError, match="no event 7:0:30; the nearest: 1:0:30"):
        find(images, (7, 0, 30))
    tracks = ImageSet(make_shards(tmp_path, events=4))
    assert find(tracks, (1, 1, 0, 2)) == 10
    with pytest.raises(InputError, match="event 1:1:0 has 4 examples; name one: 1:1:0:0, 1:1:0:1"):
        find(tracks, (1, 1, 0))


def test_a_fine_image_keeps_its_brightest_pixels() -> None:
    """A pixel of a whole plane must not fall between those of the screen."""
    weight = np.zeros((1000, 900))
    weight[501, 333], weight[502, 334] = 7, 9
    coarse = bands.coarse(weight, weight, 3)
    assert coarse.shape == (334, 300)
    assert coarse.max() == 9
    assert np.count_nonzero(coarse == 7) == 0
    colours = np.zeros((1000, 900, 4))
    colours[502, 334] = 1
    assert bands.coarse(colours, weight, 3)[167, 111].tolist() == [1, 1, 1, 1]


def titled(figure: Figure, title: str) -> list[Axes]:
    """The axes of a view, of each band."""
    return [axes for axes in figure.axes if axes.get_title(loc="left") == title]


def said(figure: Figure) -> str:
    """What is written beside."""
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


@pytest.mark.parametrize("truth", [None, "semantic", "instance"])
def test_a_display_has_all_views_of_each_band(example: Example, truth: str | None) -> None:
    figure = stacked("title", 3, example_bands(example, truth))
    for view in ("U", "V", "Y"):
        assert len(titled(figure, view)) == (1 if truth is None else 2)
        assert all(axes.images for axes in titled(figure, view))
    if truth is not None:
        (legend,) = (axes.get_legend() for axes in figure.axes if axes.get_legend())
        texts = [text.get_text() for text in legend.get_texts()]
        assert texts[-3:] == ["vertex", "start", "end"]
        first = "hip" if truth == "semantic" else SYMBOL["proton"]
        assert texts[0].startswith(first)


def test_pixels_have_the_colour_of_their_class(example: Example) -> None:
    figure = stacked("", 3, example_bands(example, "semantic"))
    image = titled(figure, "U")[1].images[0].get_array()
    panel = example.panels[0]
    assert image is not None
    assert (image[panel.values[0] == 0] == 1).all()
    colours = {tuple(c) for c in image[panel.truth["semantic"] == PIXEL_CLASSES.index("mip")]}
    assert len(colours) == 1
    assert colours != {(1.0, 1.0, 1.0, 1.0)}


def test_an_empty_event_is_drawn_and_says_so(images: ImageSet) -> None:
    empty = read_example(images, 1)
    figure = stacked("", 3, example_bands(empty, "instance"))
    assert said(figure).split() == 3 * ["empty"]


def test_scores_stand_beside(example: Example) -> None:
    values = np.array([0.1, 0.2, 0.7, 0.0], np.float32)
    scores = [Scores(name, INTERACTIONS, values) for name in ("ours", "theirs")]
    figure = stacked("", 3, example_bands(example, None, scores))
    (axes,) = (ax for ax in figure.axes if ax.get_xlabel() == "score")
    assert [round(bar.get_width(), 3) for bar in axes.patches] == [0.1, 0.2, 0.7, 0] * 2
    assert axes.get_yticklabels()[1].get_text() == SYMBOL["nue_cc"]
    other = Scores("other", INTERACTIONS[::-1], values)
    with pytest.raises(InputError, match="of ours, other are not of the same classes"):
        example_bands(example, None, [scores[0], other])


def test_truth_that_is_not_there_is_an_error(
    make_shards: Callable[..., list[Path]], tmp_path: Path
) -> None:
    track = read_example(ImageSet(make_shards(tmp_path, events=4)), 3)
    assert track.name == "run 1, subrun 0, event 0, track 3"
    with pytest.raises(InputError, match="the pixels have no truth 'semantic'; there are none"):
        example_bands(track, "semantic")


def test_all_channels_are_drawn(make_shards: Callable[..., list[Path]], tmp_path: Path) -> None:
    shards = make_shards(
        tmp_path, events=4, views=("rich1", "rich2"), channels=("hits", "expected_other")
    )
    example = read_example(ImageSet(shards), 0)
    figure = stacked(headline(example), 2, example_bands(example))
    assert len(titled(figure, "RICH2")) == 2
    labels = [axes.get_xlabel() for axes in figure.axes if not axes.get_title(loc="left")]
    assert labels == ["hits", "expected_other"]


def test_feature_maps_are_those_that_vary_most() -> None:
    maps = np.zeros((3, 40, 6, 5), np.float32)
    maps[0, 7, 2, 2] = -3
    figure = stacked("", 3, [feature_maps("layer", maps, ["U", "V", "Y"])])
    first, second = (titled(figure, view)[0].images[0].get_array() for view in "UV")
    assert first is not None
    assert second is not None
    assert np.nanmin(first) == -1
    assert np.nanmin(second) == 0
    assert first.shape == (4 * 7 - 1, 4 * 6 - 1)
    assert "16 of 40" in said(figure)


def test_dense_layers_and_filters_are_drawn() -> None:
    numbers = feature_maps("head", np.ones((1, 5), np.float32), ["all views"])
    weights = filters(np.ones((1, 10, 2, 8, 8), np.float32), ["all views"])
    figure = stacked("", 3, [numbers, weights])
    assert "5 numbers" in said(figure)
    assert "20 filters of the first layer\n2 input channels in turn\n8 × 8" in said(figure)
    image = titled(figure, "all views")[1].images[0].get_array()
    assert image is not None
    assert image.shape == (4 * 9 - 1, 5 * 9 - 1)


def test_the_page_gets_an_event_of_each_class(images: ImageSet, tmp_path: Path) -> None:
    pictures = class_pictures(images, "interaction", Studio(tmp_path))
    assert len(pictures) == 4
    assert {picture.source.suffix for picture in pictures} <= {"svg", "png"}
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"event_{name}.png" for name in INTERACTIONS
    }
    # Of the empty event there is no other of its class.
    assert "event 10" in next(p.caption for p in pictures if p.caption.startswith("cosmic"))


def test_the_page_gets_what_a_network_does(images: ImageSet, tmp_path: Path) -> None:
    options = {"backbone": "tower", "shared": True}
    trained = untrained(images, "siamese", options=options)
    trained.save(tmp_path / "c.ckpt")
    n = len(images)
    label = images.labels("interaction")
    scores = np.full((n, 4), 0.1, np.float32)
    scores[np.arange(n), label] = 0.7
    scores[3], scores[5] = (0.1, 0.8, 0.1, 0), (0.9, 0.05, 0.05, 0)  # true: numu_cc, nc
    predictions = Predictions(
        "made_up", "made_up", INTERACTIONS, np.full(4, 0.25), images.key, scores,
        label, {name: np.ones(n, np.float32) for name in ("energy", "n_hits")},
        (("scored", n),), {"id": "p"},
    )  # fmt: skip
    pictures = network_pictures(tmp_path / "c.ckpt", images, predictions, Studio(tmp_path / "f"))
    right, wrong, shown = pictures
    assert "median score of all that it gets right" in right.caption
    assert wrong.caption.startswith("nc, which made_up calls numu_cc: run 1, subrun 0, event 50")
    assert "first convolution" in shown.caption
    assert (tmp_path / "f" / "filters_made_up.pdf").stat().st_size > 1000
