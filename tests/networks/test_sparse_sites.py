"""The rulebook of sparse convolutions, against loops over dense images."""

import itertools

import pytest
import torch

from hepcnn.networks.pixels.output import at_views
from hepcnn.networks.sparse.sites import Sites, SparseMaps

SHAPES = [(5, 7), (8, 8), (1, 6), (1, 1), (3, 4, 5), (2, 1, 7)]


def images(shape, count=4, channels=2, seed=1, occupied=0.3):
    """Random images; the second is empty, and the last full."""
    numbers = torch.Generator().manual_seed(seed)
    dense = torch.randn(count, channels, *shape, generator=numbers)
    dense *= torch.rand(count, 1, *shape, generator=numbers) < occupied
    dense[1] = 0
    dense[-1] = 1
    return dense


def places(sites):
    return [
        (image, *place)
        for image, place in zip(sites.image.tolist(), sites.place.tolist(), strict=True)
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_sites_are_in_the_order_of_nonzero(shape):
    dense = images(shape)
    sites, values = Sites.occupied(dense)
    assert (sites.images, sites.shape) == (4, shape)
    expected = dense.any(dim=1).nonzero()
    assert torch.equal(torch.cat([sites.image[:, None], sites.place], dim=1), expected)
    assert torch.equal(sites.dense(values), dense)
    assert SparseMaps(values, sites).shape == dense.shape


def test_any_channel_occupies_a_place_and_so_does_no_number():
    dense = torch.zeros(2, 3, 4, 4)
    dense[0, 2, 1, 3] = -1
    dense[1, 0, 3, 0] = float("nan")
    sites, values = Sites.occupied(dense)
    assert places(sites) == [(0, 1, 3), (1, 3, 0)]
    assert values[0].tolist() == [0, 0, -1]


def test_memory_channels_last_makes_no_difference():
    dense = images((5, 7))
    sites, values = Sites.occupied(dense)
    others, same = Sites.occupied(dense.contiguous(memory_format=torch.channels_last))
    assert places(others) == places(sites)
    assert torch.equal(same, values)


@pytest.mark.parametrize("views", [1, 2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_views_are_images_however_they_lie_in_memory(shape, views):
    seen = images(shape).unflatten(0, (4 // views, views))
    expected, numbers = Sites.occupied(seen.flatten(0, 1))
    as_batches_lie = seen.transpose(0, 1).contiguous().transpose(0, 1)
    for batch in (seen, as_batches_lie):
        sites, values = Sites.of_views(batch)
        assert places(sites) == places(expected)
        assert (sites.images, sites.shape) == (4, shape)
        assert torch.equal(values, numbers)
        assert torch.equal(at_views(batch, sites), numbers)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.bool])
def test_nothing_that_is_not_0_is_overlooked(size, kind):
    """Also negative and infinite numbers, and in a part of a larger tensor; −0 is 0."""
    numbers = torch.Generator().manual_seed(size)
    row = torch.randn(size + 3, generator=numbers)
    row *= torch.rand(size + 3, generator=numbers) < 0.05
    row[:8:2], row[1:8:4], row[-1] = -0.0, -torch.inf, 1e-30
    row = row.to(kind)[3:]
    sites, _ = Sites.occupied(row[None, None, None])
    assert torch.equal(sites.place[:, 1], row.nonzero().squeeze(1))


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbours_are_those_of_the_same_image(shape):
    sites, _ = Sites.occupied(images(shape))
    where = {place: i for i, place in enumerate(places(sites))}
    offsets = list(itertools.product((-1, 0, 1), repeat=len(shape)))
    assert sites.neighbours.shape == (len(sites), 3 ** len(shape))
    for (image, *place), row in zip(where, sites.neighbours.tolist(), strict=True):
        around = [
            (image, *(p + o for p, o in zip(place, offset, strict=True))) for offset in offsets
        ]
        assert row == [where.get(other, len(sites)) for other in around]


@pytest.mark.parametrize("shape", SHAPES)
def test_pairs_are_all_neighbours_by_place(shape):
    sites, _ = Sites.occupied(images(shape))
    place, site = (sites.neighbours.t() < len(sites)).nonzero().unbind(1)
    target, source, starts = sites.pairs
    assert target.tolist() == site.tolist()
    assert source.tolist() == sites.neighbours[site, place].tolist()
    counts = place.bincount(minlength=3 ** len(shape))
    assert starts.tolist() == [0, *counts.cumsum(0).tolist()]


@pytest.mark.parametrize("shape", SHAPES)
def test_pairs_with_parents_are_all_children_by_place(shape):
    sites, _ = Sites.occupied(images(shape))
    coarser = sites.coarser
    place, parent = (coarser.children.t() < len(sites)).nonzero().unbind(1)
    target, source, starts = coarser.pairs
    assert target.tolist() == parent.tolist()
    assert source.tolist() == coarser.children[parent, place].tolist()
    counts = place.bincount(minlength=2 ** len(shape))
    assert starts.tolist() == [0, *counts.cumsum(0).tolist()]
    back = coarser.pairs.back
    assert back.target is source
    assert back.source is target


@pytest.mark.parametrize("shape", SHAPES)
def test_coarser_sites_have_the_children_that_have_them_as_parents(shape):
    sites, _ = Sites.occupied(images(shape))
    coarser, slot = sites.coarser.sites, sites.coarser.slot
    children = sites.coarser.children.flatten()
    assert coarser.shape == tuple((size + 1) // 2 for size in shape)
    assert coarser.images == sites.images
    fine = places(sites)
    parents = sorted({(image, *(p // 2 for p in place)) for image, *place in fine})
    assert places(coarser) == parents
    of_each = 2 ** len(shape)
    for i, ((image, *place), s) in enumerate(zip(fine, slot.tolist(), strict=True)):
        assert parents[s // of_each] == (image, *(p // 2 for p in place))
        which = 0
        for p in place:
            which = 2 * which + p % 2
        assert s % of_each == which
        assert children[s] == i
    assert len(children) == len(parents) * of_each
    assert (children < len(sites)).sum() == len(sites)


def test_counts_are_of_all_images_also_empty_ones():
    dense = images((5, 7))
    sites, _ = Sites.occupied(dense)
    assert torch.equal(sites.counts, dense.any(dim=1).sum(dim=(1, 2)))
    assert sites.counts[1] == 0
    dense[-1] = 0
    sites, _ = Sites.occupied(dense)
    assert torch.equal(sites.counts, dense.any(dim=1).sum(dim=(1, 2)))


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_nothing_at_all(shape):
    sites, values = Sites.occupied(torch.zeros(3, 2, *shape))
    assert len(sites) == 0
    assert values.shape == (0, 2)
    assert sites.neighbours.shape == (0, 3 ** len(shape))
    assert sites.counts.tolist() == [0, 0, 0]
    assert len(sites.coarser.sites) == len(sites.coarser.children) == 0
    assert sites.dense(values).shape == (3, 2, *shape)


def test_the_rulebook_is_made_once():
    sites, _ = Sites.occupied(images((8, 8)))
    assert sites.neighbours is sites.neighbours
    assert sites.coarser.sites is sites.coarser.sites


def test_values_carry_gradients_to_the_images():
    dense = images((5, 7)).requires_grad_()
    _, values = Sites.occupied(dense)
    (values**2).sum().backward()
    assert torch.equal(dense.grad, 2 * dense.detach())
