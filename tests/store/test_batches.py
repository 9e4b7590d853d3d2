import h5py
import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.store import batches as batching
from hepcnn.store import blocks
from hepcnn.store import dense as buffers
from hepcnn.store import order as orders
from hepcnn.store.batches import BUFFERS, Batches
from hepcnn.store.images import ImageSet
from hepcnn.store.order import balanced, block_shuffled

VIEWS, CHANNELS = ("rich1", "rich2"), ("hits", "tracks")


@pytest.fixture
def images(make_shards, tmp_path):
    """400 examples in two shards, two views, two channels."""
    return ImageSet(make_shards(tmp_path, views=VIEWS, channels=CHANNELS, shape=(6, 5)))


@pytest.fixture
def small_blocks(monkeypatch):
    """Sizes at which 400 examples are many blocks, windows and reads."""
    for module, name, size in (
        (orders, "BLOCK", 8),
        (batching, "WINDOW", 64),
        (blocks, "SPAN", 50),
    ):
        monkeypatch.setattr(module, name, size)


def dense(images):
    """All images, plainly: (N, V, C, H, W)."""
    block = images.read(0, len(images))
    out = np.zeros((len(images), len(VIEWS), 30, len(CHANNELS)), np.float32)
    for v, name in enumerate(VIEWS):
        sparse = block.views[name]
        example = np.repeat(np.arange(len(images)), np.diff(sparse.offsets))
        out[example, v, sparse.pixel] = sparse.value
    return out.reshape(-1, len(VIEWS), 6, 5, len(CHANNELS)).transpose(0, 1, 4, 2, 3)


@pytest.fixture
def analytic(make_shards, tmp_path):
    """The same with the columns of the analytic reconstruction."""
    paths = make_shards(
        tmp_path / "analytic", views=VIEWS, channels=CHANNELS, shape=(6, 5), analytic=True
    )
    return ImageSet(paths)


def copied(batch):
    return {name: array.copy() for name, array in batch.items()}


def same(first, second):
    """Whether two sequences of batches are equal, bit by bit."""
    for a, b in zip(first, second, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("order", ["stored", "shuffled", "balanced"])
@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("crowded", [0, 1])
def test_images_are_those_of_the_index(images, order, memory, crowded, monkeypatch):
    """Every batch, although its buffer held another one before, cleared in either way."""
    monkeypatch.setattr(buffers, "_CROWDED", crowded)
    which = np.flatnonzero(images.labels("species") >= 0)
    scale = np.array([[1, 2], [0.5, 4]])
    batches = Batches(images, which, 32, order=order, seed=3, scale=scale, memory=memory)
    assert batches.in_memory == bool(memory)
    expected = dense(images) * scale[:, :, None, None]
    seen = 0
    for batch in batches.epoch(1):
        np.testing.assert_array_equal(batch["images"], expected[batch["index"]])
        np.testing.assert_array_equal(batch["label"], images.labels("species")[batch["index"]])
        seen += len(batch["index"])
    assert seen == len(which)
    assert len(batches) == -(-seen // 32)


@pytest.mark.usefixtures("small_blocks")
def test_order_is_a_function_of_seed_and_epoch(images):
    which = np.arange(3, 390)

    def sequence(seed, epoch, memory=0):
        batches = Batches(images, which, 16, order="shuffled", seed=seed, memory=memory)
        return np.concatenate([b["index"] for b in batches.epoch(epoch)])

    first = sequence(1, 0)
    np.testing.assert_array_equal(first, sequence(1, 0, memory=1 << 30))
    np.testing.assert_array_equal(np.sort(first), which)
    assert not np.array_equal(first, sequence(1, 1))
    assert not np.array_equal(first, sequence(2, 0))


def test_a_batch_stays_until_its_buffer_is_used_again(images):
    """Lightning draws one batch ahead, a loader's worker two."""
    batches = Batches(images, np.arange(300), 16)
    held = []
    for batch in batches.epoch():
        held.append((batch, copied(batch)))
        for old, copy in held[-BUFFERS:]:
            same([old], [copy])
    old, copy = held[0]
    assert not np.array_equal(old["images"], copy["images"])  # the test can fail


@pytest.mark.usefixtures("small_blocks")
def test_block_shuffle_mixes_within_windows_of_whole_blocks():
    which = np.arange(1000) * 3
    order = block_shuffled(which, 64, np.random.default_rng(1))
    assert not np.array_equal(order, which)
    np.testing.assert_array_equal(np.sort(order), which)
    blocks = [set(order[k : k + 64] // 24) for k in range(0, 1000, 64)]
    assert all(len(b) <= 10 for b in blocks)  # 8 blocks, and the short last one shifts


def test_up_to_a_window_the_shuffle_is_uniform():
    """Each example is equally often in each tenth of the order."""
    rng = np.random.default_rng(1)
    place = np.zeros((100, 10))
    for _ in range(400):
        order = block_shuffled(np.arange(100), 100, rng)
        place[order, np.arange(100) // 10] += 1
    assert abs(((place - 40) ** 2 / 36).mean() - 1) < 0.2


def test_balanced_draws_classes_equally_and_examples_evenly():
    labels = np.array([0] * 700 + [1] * 250 + [2] * 7 + [3] * 53 + [-1] * 5)
    which = np.flatnonzero(labels != 3)[:-5]
    order = balanced(which, labels, np.random.default_rng(1))
    assert len(order) == len(which) == 957
    assert np.bincount(labels[order]).tolist() == [319, 319, 319]
    for label in range(3):
        times = np.bincount(order, minlength=len(labels))[labels == label]
        assert times.max() - times.min() <= 1
    halves = [np.bincount(labels[half], minlength=3) for half in np.split(order[:-1], 2)]
    assert np.ptp(halves, axis=0).max() < 80  # mixed, not class by class


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("order", ["stored", "shuffled", "balanced"])
def test_workers_take_turns(images, order):
    batches = Batches(images, np.arange(331), 16, order=order, memory=0)
    whole = [copied(b) for b in batches.epoch(2)]
    parts = [[copied(b) for b in batches.epoch(2, worker=w, workers=3)] for w in range(3)]
    same(whole, [parts[i % 3][i // 3] for i in range(len(whole))])


def test_ranks_share_each_batch(images):
    whole = Batches(images, np.arange(331), 16, order="shuffled")
    shares = [[copied(b) for b in whole.epoch(4, rank=r, ranks=2)] for r in range(2)]
    together = [
        np.sort(np.concatenate([a["index"], b["index"]])) for a, b in zip(*shares, strict=True)
    ]
    assert all(len(a["index"]) == len(b["index"]) for a, b in zip(*shares, strict=True))
    expected = [np.sort(b["index"]) for b in whole.epoch(4)]
    assert sum(map(len, together)) == 330
    for mine, all_ in zip(together, expected, strict=True):
        assert np.isin(mine, all_).all()


def test_ranks_leave_nothing_out_in_stored_order(images):
    batches = Batches(images, np.arange(33), 16)
    shares = [b["index"] for r in range(2) for b in batches.epoch(rank=r, ranks=2)]
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), np.arange(33))


@pytest.mark.parametrize(
    ("order", "n", "ranks", "seen"),
    [
        ("shuffled", 33, 1, 32),
        ("balanced", 34, 2, 32),
        ("shuffled", 35, 2, 32),
        ("shuffled", 34, 1, 34),
        ("shuffled", 1, 1, 1),
        ("stored", 33, 1, 33),
    ],
)
def test_no_example_is_alone_in_a_batch_that_is_drawn(images, order, n, ranks, seen):
    batches = Batches(images, np.arange(n), 16, order=order)
    shares = [[b["index"] for b in batches.epoch(rank=r, ranks=ranks)] for r in range(ranks)]
    assert sum(len(index) for share in shares for index in share) == seen
    assert all(len(share) == batches.count(ranks) for share in shares)


def test_no_examples(images):
    batches = Batches(images, np.empty(0, int), 16, order="shuffled")
    assert len(batches) == 0
    assert list(batches.epoch()) == []


def test_a_pixel_outside_the_image_is_an_error(images):
    """It would be written beyond the buffer."""
    with h5py.File(images.paths[1], "a") as file:
        file["views/rich2/pixel"][50] = 30
    with pytest.raises(
        InputError, match=r"0001\.h5: views/rich2/pixel: 30 is not in an image of 30"
    ):
        Batches(images, np.arange(len(images)), 16)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("views", [None, ["rich2"], ["rich2", "rich1"]])
@pytest.mark.parametrize("channels", [None, ["tracks"], ["tracks", "hits"]])
def test_views_and_channels_are_those_chosen_in_their_order(images, memory, views, channels):
    v = [VIEWS.index(name) for name in views or VIEWS]
    c = [CHANNELS.index(name) for name in channels or CHANNELS]
    scale = np.arange(1, 1 + len(v) * len(c), dtype=np.float32).reshape(len(v), len(c))
    batches = Batches(
        images, np.arange(1, 99), 20, views=views, channels=channels, scale=scale, memory=memory,
        order="shuffled",
    )  # fmt: skip
    expected = dense(images)[:, v][:, :, c] * scale[:, :, None, None]
    for batch in batches.epoch():
        np.testing.assert_array_equal(batch["images"], expected[batch["index"]])


@pytest.mark.usefixtures("small_blocks")
def test_features_stand_side_by_side(analytic):
    """Single numbers and several, in the order asked for, each example its own."""
    names = ["log_global", "p", "angle_rich2"]
    columns = [analytic.features(name) for name in names]
    assert [column.ndim for column in columns] == [2, 1, 2]
    together = np.column_stack(columns)
    assert together.shape == (400, 7 + 1 + 6)
    batches = Batches(analytic, np.arange(7, 300), 32, order="shuffled", features=names)
    for batch in batches.epoch():
        np.testing.assert_array_equal(batch["features"], together[batch["index"]])
        assert batch["features"].dtype == np.float32
    assert next(Batches(analytic, np.arange(9), 4).epoch())["features"].shape == (4, 0)


def test_expected_rows_and_photons(analytic):
    """The made-up angles are the middles of rows 1, 2, …; the first class gives no light."""
    batch = next(Batches(analytic, np.arange(3, 50), 10, views=["rich2", "rich1"]).epoch())
    assert batch["expected"].shape == (10, 2, 6, 2)
    rows = np.broadcast_to([-1, 2.5, 3.5, 4.5, 5.5, 6.5], (10, 2, 6))
    np.testing.assert_allclose(batch["expected"][..., 0], rows, rtol=1e-6)
    for v, name in enumerate(("rich2", "rich1")):
        photons = analytic.features(f"photons_{name}")[3:13]
        np.testing.assert_array_equal(batch["expected"][:, v, :, 1], photons)


def test_likelihoods_of_the_hypotheses_the_best_last(analytic):
    batch = next(Batches(analytic, np.arange(3, 50), 10).epoch())
    assert batch["log_likelihood"].shape == (10, 3, 6)
    for k, name in enumerate(("log_local", "log_global", "log_marginal")):
        known = analytic.features(name)[3:13, :6]  # without that below threshold
        np.testing.assert_array_equal(batch["log_likelihood"][:, k], known)


def test_without_angles_nothing_is_expected(images):
    batch = next(Batches(images, np.arange(9), 4).epoch())
    assert batch["expected"].shape == (4, 2, 0, 2)
    assert batch["log_likelihood"].shape == (4, 0, 0)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"views": ["rich3"]}, r"0000\.h5: no view 'rich3'; did you mean 'rich\d'"),
        ({"channels": ["hit"]}, "no channel 'hit'; did you mean 'hits'"),
        ({"features": ["p", "angle_rich"]}, "no features 'angle_rich'; did you mean 'angle_rich"),
        ({"views": []}, "no view is chosen; there are rich1, rich2"),
    ],
)
def test_what_is_not_there_names_the_nearest(analytic, chosen, message):
    with pytest.raises(InputError, match=message):
        Batches(analytic, np.arange(9), 4, **chosen)


def test_a_scale_of_other_views_is_an_error(images):
    with pytest.raises(ValueError, match="scale"):
        Batches(images, np.arange(9), 4, views=["rich1"], scale=np.ones((2, 2)))
