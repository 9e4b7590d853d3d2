"""LArCV's images → shard: every pixel, as large as the file says; made-up files and real ones."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner
from hand_made_planes import TPC

from hepcnn.cli.main import main
from hepcnn.config import LArTPCSample, PlaneImages, load
from hepcnn.errors import InputError
from hepcnn.events import larcv_frame
from hepcnn.events.larcv import NEGATIVE
from hepcnn.events.streaming import in_steps
from hepcnn.imaging.convert import convert
from hepcnn.imaging.lengths import pixel_size
from hepcnn.imaging.plane_kernels import CHARGE_UNIT
from hepcnn.store.images import ImageSet

REAL = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files: {REAL} is not there")
TUTORIAL = [REAL / "larcv_tutorial" / f"{name}.root" for name in ("electron", "proton")]
LARCV = [
    *((path, "image2d_data_tree", (256, 256)) for path in TUTORIAL),
    (REAL / "microboone_larcv" / "out_larcv_test.root", "image2d_wire_tree", (1008, 3456)),
]
# Where files number their events alike.
OWN_RUN = {"run": "$file"}


def larcv_config(folder, files, tree, **images):
    """A configuration that says nothing but where the images are, and what is asked for."""
    sample = {"detector": "lartpc", "files": [str(f) for f in files], "reader": "larcv"}
    sample |= {"tree": tree, "branches": OWN_RUN}
    images = {"sample": "s", "maker": "planes"} | images
    path = folder / "c.yaml"
    path.write_text(
        yaml.safe_dump({"samples": {"s": sample}, "images": {"i": images}, "tasks": {}})
    )
    return path


def converted(folder, files, tree, **images):
    """The shard of the command line, and what it says."""
    config = larcv_config(folder, files, tree, **images)
    arguments = ["convert", *files, "--config", config, "--images", "i", "-o", folder / "a.h5"]
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return ImageSet(folder / "a.h5"), result.stderr


def pixels_of_file(path, tree):
    """Pixels (events, planes, rows, columns) and their size in the unit of the file, all alike."""
    name = f"{tree.removesuffix('_tree')}_branch/_image_v/_image_v._"
    with uproot.open(f"{path}:{tree}") as opened:
        flat = opened[f"{name}img"].array().to_numpy()
        rows, columns = (
            int(opened[f"{name}meta._{n}_count"].array()[0][0]) for n in ("row", "col")
        )
        if f"{name}meta._width" in opened:
            width, height = (
                opened[f"{name}meta._{n}"].array().to_numpy() for n in ("width", "height")
            )
        else:
            width, height = (
                opened[f"{name}meta._p2.{x}"].array().to_numpy()
                - opened[f"{name}meta._p1.{x}"].array().to_numpy()
                for x in "xy"
            )
    size = height / rows, width / columns
    assert all((s == s[0, 0]).all() for s in size)
    images = flat.reshape(*flat.shape[:2], columns, rows).swapaxes(2, 3)
    return images, tuple(s[0, 0] for s in size)


@real
@pytest.mark.parametrize(("path", "tree", "shape"), LARCV, ids=lambda v: getattr(v, "name", ""))
def test_whole_larcv_images_have_the_charges_and_pixels_of_the_file(tmp_path, path, tree, shape):
    """Nothing in the configuration says how large they are."""
    found, _ = converted(tmp_path, [path], tree, region="whole", shape=None)
    expected, size = pixels_of_file(path, tree)
    assert found.header.shape == shape == expected.shape[2:]
    read = int((expected > 0).sum())
    assert found.cutflow["hits read"] == found.cutflow["hits in the image"] == read > 0
    block = found.read(0, len(found))
    mm = (TPC.mm_per_tick, TPC.pitch) if "microboone" in str(path) else (10, 10)
    for number, view in enumerate(("u", "v", "y")):
        sparse = block.views[view]
        for event, planes in enumerate(expected):
            own = slice(sparse.offsets[event], sparse.offsets[event + 1])
            again = np.zeros(shape, np.float32)
            again.flat[sparse.pixel[own]] = sparse.value[own, 0]
            # Charges are added as whole numbers of such units.
            np.testing.assert_allclose(again, planes[number], rtol=1e-7, atol=CHARGE_UNIT)
            np.testing.assert_array_equal(again > 0, planes[number] > 0)
        assert pixel_size(found.header, view) == pytest.approx(np.multiply(size, mm))


@real
def test_larcv_images_of_two_files_have_one_row_a_pixel_and_their_truth(tmp_path):
    """In windows about the charge, with the default of every other key."""
    images, _ = converted(tmp_path, TUTORIAL, "image2d_data_tree")
    assert images.cutflow["hits in the image"] == images.cutflow["hits read"] == 15217
    names = images.header.classes["particle"]
    found = [names[k] if k >= 0 else None for k in images.truth("particle")]
    assert found == ["electron"] * 10 + ["proton"] * 10
    block = images.read(0, 20)
    assert np.isnan(block.truth["vertex_pixel"]).all()
    assert sum(len(view.pixel) for view in block.views.values()) == images.cutflow["hits read"]
    assert pixel_size(images.header, "v") == pytest.approx((5, 5))


# --- made-up LArCV files ------------------------------------------------------------------------

#: As a configuration has it: there one row is a pixel by default.
WHOLE = PlaneImages(sample="s", maker="planes", region="whole", shape=None, ticks_per_pixel=1)


def larcv(path, wires=2, ticks=18, event=10, n=1, origin=(40.0, 2400.0)):
    """One image of 3 rows and 2 columns from wire 40 and tick 2400, n times; 3 pixels above 0."""
    names = {"_run": np.full(n, 1), "_subrun": np.full(n, 2), "_event": event + np.arange(n)}
    meta = {"row_count": 3, "col_count": 2, "plane": 1, "width": float(wires),
            "height": float(ticks), "origin.x": origin[0], "origin.y": origin[1]}  # fmt: skip
    image = ak.values_astype(ak.Array([[[0, 1, 2, 0, -1, 3]]] * n), "f4")
    lists = {f"_image_v._meta._{k}": ak.Array([[v]] * n) for k, v in meta.items()}
    if not n:
        image = ak.values_astype(ak.Array([[[0.0]]])[:0], "f4")
        lists = {f"_image_v._meta._{k}": ak.Array([[v]])[:0] for k, v in meta.items()}
    with uproot.recreate(path) as file:
        file.mkrntuple("image2d_wire_tree", names | {"_image_v._img": image} | lists)
    return path


@pytest.mark.parametrize(
    ("settings", "shape", "pixels"),
    [
        ({"region": "whole", "shape": None}, (3, 2), [2, 4, 5]),
        ({"region": "whole", "shape": None, "ticks_per_pixel": 2}, (2, 2), [0, 2, 3]),
        ({"region": "whole", "shape": None, "wires_per_pixel": 2}, (3, 1), [1, 2]),
        ({"region": "fixed", "shape": [8, 4], "corner": {"v": [399, 39]}}, (8, 4), [9, 13, 14]),
    ],
)
def test_larcv_images_lie_where_their_meta_say(tmp_path, settings, shape, pixels):
    path = larcv(tmp_path / "a.root")
    images, said = converted(tmp_path, [path], "image2d_wire_tree", planes=["v"], **settings)
    assert images.header.shape == shape
    np.testing.assert_array_equal(images.read(0, 1).views["v"].pixel, pixels)
    ticks = 6 * settings.get("ticks_per_pixel", 1)
    expected = ticks * TPC.mm_per_tick, settings.get("wires_per_pixel", 1) * TPC.pitch
    assert pixel_size(images.header, "v") == pytest.approx(expected)
    (line,) = (line for line in said.splitlines() if NEGATIVE in line)
    assert line.split()[-1] == "1"


def test_larcv_files_of_other_pixels_are_refused_or_skipped(tmp_path):
    files = [larcv(tmp_path / "a.root"), larcv(tmp_path / "b.root", ticks=9, event=20)]
    sample = LArTPCSample(detector="lartpc", files=["*"], reader="larcv", tree="image2d_wire_tree")
    settings, files = PlaneImages(sample="s", maker="planes", shape=(8, 8)), list(map(str, files))
    message = (
        r"b\.root: its images are 3 × 2 pixels of 1\.647 mm × 3 mm from row 800, column 40; "
        r"those of .*a\.root are 3 × 2 pixels of 3\.294 mm × 3 mm from row 400, column 40; all"
    )
    with pytest.raises(InputError, match=message):
        convert(files, sample, settings, tmp_path / "a.h5")
    convert(files, sample.model_copy(update={"on_bad_file": "skip"}), settings, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert len(images) == 1
    assert [row.file for row in images.skipped] == files[1:]


def test_the_shard_of_an_empty_larcv_file_is_like_the_others(tmp_path):
    files = [larcv(tmp_path / "a.root", n=0), larcv(tmp_path / "b.root")]
    sample = LArTPCSample(
        detector="lartpc", files=list(map(str, files)), reader="larcv", tree="image2d_wire_tree"
    )
    settings = WHOLE
    headers = []
    for file in files:
        convert([str(file)], sample, settings, tmp_path / f"{file.stem}.h5")
        headers.append(ImageSet(tmp_path / f"{file.stem}.h5").header)
    assert headers[0] == headers[1]
    assert headers[0].shape == (3, 2)
    alone = sample.model_copy(update={"files": [str(files[0])]})
    with pytest.raises(InputError, match=r"no file has an entry with images .*a\.root"):
        convert([str(files[0])], alone, settings, tmp_path / "a.h5")


def sample_of(files, **settings):
    return LArTPCSample(
        detector="lartpc", files=[str(f) for f in files], reader="larcv",
        tree="image2d_wire_tree", **settings,
    )  # fmt: skip


def test_the_images_of_the_original_larcv_1_begin_at_their_last_tick(tmp_path):
    """The origin is their end, and their first row is the last tick: the last of ours."""
    path = larcv(tmp_path / "a.root", origin=(40.0, 2418.0))
    pixels = {}
    for rows in ("up", "down"):
        convert([str(path)], sample_of([path], rows=rows), WHOLE, tmp_path / f"{rows}.h5")
        images = ImageSet(tmp_path / f"{rows}.h5")
        assert images.header.shape == (3, 2)
        pixels[rows] = images.read(0, 1).views["v"].pixel.tolist()
        assert images.truth("corner")[0, :2].tolist() == [{"up": 403, "down": 400}[rows], 40]
    assert pixels == {"up": [2, 4, 5], "down": [0, 1, 2]}


@pytest.mark.parametrize("wire", [66.0, 67.0, 69.0])
def test_columns_that_begin_inside_a_pixel_are_all_in_the_whole_image(tmp_path, wire):
    """Columns of two wires: 67 is their half."""
    path = larcv(tmp_path / "a.root", wires=4, origin=(wire, 2403.0))
    counts = convert([str(path)], sample_of([path]), WHOLE, tmp_path / "a.h5")
    assert counts["hits in the image"] == counts["hits read"] == 3
    images = ImageSet(tmp_path / "a.h5")
    assert images.header.shape == (3, 2)
    assert images.read(0, 1).views["v"].pixel.tolist() == [2, 4, 5]


def test_the_meta_of_each_file_are_read_once(tmp_path, monkeypatch):
    """And once more with the pixels themselves."""
    scanned = []

    def counting(tree, branches, step, file):
        scanned.append(Path(file).name)
        return in_steps(tree, branches, step, file)

    monkeypatch.setattr(larcv_frame, "in_steps", counting)
    files = [larcv(tmp_path / f"{n}.root", event=10 * n) for n in (1, 2, 3)]
    convert([str(f) for f in files], sample_of(files), WHOLE, tmp_path / "a.h5")
    assert scanned == ["1.root", "2.root", "3.root"]
    assert len(ImageSet(tmp_path / "a.h5")) == 3


def test_whole_images_are_called_so(tmp_path):
    """By warnings, and by the header, which the report compares with the configuration."""
    path = larcv(tmp_path / "a.root")
    images, _ = converted(
        tmp_path, [path], "image2d_wire_tree", planes=["v", "y"], region="whole", shape=None
    )
    wanted = load(tmp_path / "c.yaml").images["i"].model_dump(mode="json", exclude={"sample"})
    assert {name: images.header.maker[name] for name in wanted} == wanted
    corner = [400.0, 40.0]
    assert images.header.maker["window"] == {
        "shape": [3, 2], "corner": {"v": corner, "y": corner}
    }  # fmt: skip
    with pytest.raises(InputError, match=r"none of 3 hits .* \(region 'whole', planes U\)"):
        convert(
            [str(path)], sample_of([path]), WHOLE.model_copy(update={"planes": ["u"]}),
            tmp_path / "b.h5",
        )  # fmt: skip


def test_damaged_meta_are_skipped_or_refused(tmp_path):
    files = [larcv(tmp_path / "a.root"), larcv(tmp_path / "b.root", event=20)]
    with uproot.recreate(files[0]) as file:
        names = {"_run": [1], "_subrun": [2], "_event": [10]}
        meta = {"row_count": ak.Array([[1, 1]]), "col_count": ak.Array([[1]])}
        image = ak.values_astype(ak.Array([[[1.0], [1.0]]]), "f4")
        lists = {f"_image_v._meta._{name}": own for name, own in meta.items()}
        file.mkrntuple("image2d_wire_tree", names | {"_image_v._img": image} | lists)
    names = [str(f) for f in files]
    with pytest.raises(InputError, match=r"a\.root: event 1:2:10: there are 2 of .*row_count"):
        convert(names, sample_of(files), WHOLE, tmp_path / "a.h5")
    convert(names, sample_of(files, on_bad_file="skip"), WHOLE, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert [Path(row.file).name for row in images.skipped] == ["a.root"]
    assert len(images) == 1
