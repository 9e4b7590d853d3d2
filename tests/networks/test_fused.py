"""Fused products of tables are the sums that they stand for.

Without a GPU Triton interprets its kernels on the CPU (tests/conftest.py), and compiles them for
GPUs that are not there. Its interpreter multiplies bfloat16 wrongly: that is for a GPU alone.
"""

import json
import os
import subprocess
import sys

import pytest
import torch

from hepcnn.networks.sparse import functions, gathered
from hepcnn.networks.sparse.functions import inverse, strided, submanifold
from hepcnn.networks.sparse.sites import Sites

pytest.importorskip("triton")

from hepcnn.networks.sparse import fused


@pytest.fixture
def place(device):
    """Where kernels are tried: a GPU for which they are, or a CPU without one."""
    if device.type == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("the kernels are for this machine's GPU")
    if device.type == "cuda" and functions._on_gpu(device) is not fused:
        pytest.skip("there are no kernels for this machine's GPU")
    return device


def table(device, rows, sites, places, inputs, outputs):
    """Random values of sites, weights, a table with a third of its places empty, and numbers."""
    numbers = torch.Generator().manual_seed(rows + inputs)
    values = torch.randn(sites, inputs, generator=numbers)
    weight = torch.randn(places, outputs, inputs, generator=numbers).transpose(1, 2)
    index = torch.randint(sites + 1, (rows, places), generator=numbers, dtype=torch.int32)
    index[torch.rand(rows, places, generator=numbers) < 1 / 3] = sites
    near = torch.randn(rows, outputs, generator=numbers)
    return [part.to(device) for part in (values, weight, index, near)]


def both(values, weight, index, near):
    """What the two functions give, each with the same in 64 bits from a dense table."""
    seen = torch.cat([values, torch.zeros_like(weight[0, :, :1].t())]).double()[index.long()]
    return [
        (
            fused.convolve(values, weight, index),
            torch.einsum("rpi,pio->ro", seen, weight.double()),
        ),
        (fused.multiply(near, values, index), torch.einsum("ra,rpb->pab", near.double(), seen)),
    ]


@pytest.mark.parametrize(
    ("rows", "places", "inputs", "outputs"),
    [
        (1, 9, 1, 1),
        (1, 27, 33, 3),
        (17, 9, 3, 8),
        (17, 27, 24, 1),
        (100, 4, 80, 130),
        (1000, 9, 8, 33),
    ],
)
def test_sums_are_those_of_64_bits(rows, places, inputs, outputs, place):
    for ours, exact in both(*table(place, rows, rows, places, inputs, outputs)):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_16_bits_are_added_up_in_32(kind, place):
    if kind == torch.bfloat16 and place.type == "cpu":
        pytest.skip("Triton's interpreter multiplies bfloat16 wrongly")
    parts = table(place, 300, 200, 4, 20, 40)
    short = [part.to(kind) if part.is_floating_point() else part for part in parts]
    for ours, exact in both(*short):
        # Products of 16 bits are exact in 32: it is the sums that are rounded.
        torch.testing.assert_close(ours, exact.to(kind), rtol=torch.finfo(kind).eps, atol=1e-4)


def test_sums_are_the_same_from_run_to_run(place):
    values, weight, index, near = table(place, 600, 200, 4, 20, 40)
    for function, parts in ((fused.convolve, (values, weight)), (fused.multiply, (near, values))):
        assert torch.equal(function(*parts, index), function(*parts, index))


def test_numbers_of_32_bits_may_be_multiplied_in_tf32(place, monkeypatch):
    if place.type == "cpu":
        pytest.skip("TF32 is a GPU's")
    values, weight, index, _ = table(place, 300, 200, 9, 32, 32)
    exact = fused.convolve(values, weight, index)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    short = fused.convolve(values, weight, index)
    assert 0 < (short - exact).abs().max() < 1e-2 * exact.abs().max()


def test_of_nothing_comes_nothing(place):
    values, weight, index, near = table(place, 0, 0, 9, 3, 5)
    assert fused.convolve(values, weight, index).shape == (0, 5)
    assert torch.equal(fused.multiply(near, values, index), torch.zeros(9, 5, 3, device=place))
    values, weight, index, near = table(place, 20, 10, 9, 3, 5)
    index[:] = 10
    assert not fused.convolve(values, weight, index).any()
    assert not fused.multiply(near, values, index).any()


@pytest.mark.parametrize("shape", [(11, 16), (5, 4, 8)])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 24), (33, 8)])
@pytest.mark.parametrize("function", [submanifold, strided, inverse])
def test_convolutions_and_their_gradients_are_those_of_the_cpu(
    function, inputs, outputs, shape, place, monkeypatch
):
    numbers = torch.Generator().manual_seed(3)
    sites, _ = Sites.occupied((torch.rand(3, 1, *shape, generator=numbers) < 0.3).float())
    count = len(sites.coarser.sites) if function is inverse else len(sites)
    values = torch.randn(count, inputs, generator=numbers)
    places = (3 if function is submanifold else 2) ** len(shape)
    weight = torch.randn(places, inputs, outputs, generator=numbers)

    def computed(device):
        there = Sites(sites.image.to(device), sites.place.to(device), sites.images, sites.shape)
        leaves = [part.to(device).requires_grad_() for part in (values, weight)]
        result = function(*leaves, there if function is submanifold else there.coarser)
        pull = torch.linspace(-1, 1, result.numel(), device=device).view_as(result)
        return [
            part.cpu() for part in (result, *torch.autograd.grad((result * pull).sum(), leaves))
        ]

    exact = computed("cpu")
    if place.type == "cpu":
        monkeypatch.setattr(functions, "_compiled", lambda values: False)
        monkeypatch.setattr(functions, "_tables", lambda values: fused)
    for ours, theirs in zip(computed(place), exact, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def test_fused_kernels_are_for_up_to_32_bits_on_a_gpu(device):
    values = torch.zeros(1, 1, device=device)
    assert functions._tables(values.double()) is gathered
    on_gpu = functions._on_gpu(device) if device.type == "cuda" else gathered
    assert functions._tables(values) is functions._tables(values.half()) is on_gpu


@pytest.fixture
def choose(monkeypatch):
    """Choose the module for a made-up GPU of a capability."""

    def chooser(capability):
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        return functions._on_gpu.__wrapped__(torch.device("cuda"))

    return chooser


def test_old_gpus_and_those_without_triton_gather(choose, monkeypatch):
    monkeypatch.setattr(fused, "start", lambda: None)
    assert choose((8, 0)) is choose((12, 0)) is fused
    assert choose((7, 5)) is gathered
    monkeypatch.setattr(functions.importlib.util, "find_spec", lambda name: None)
    assert choose((8, 0)) is gathered


def test_where_triton_does_not_start_a_line_says_why(choose, monkeypatch, capsys):
    def fail():
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(fused, "start", fail)
    assert choose((9, 0)) is gathered
    assert "Failed to find C compiler" in capsys.readouterr().err


COMPILE = """
import json, sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from hepcnn.networks.sparse import fused

TILES = {"CHUNKS": 2, "ROWS": 64, "DEEP": 32, "WIDE": 32, "STEP": 32, "HIGH": 32}
found = []
for capability, kind, precision in json.loads(sys.argv[1]):
    for kernel in (fused._convolve, fused._multiply):
        types = dict.fromkeys(kernel.arg_names, "i32")
        types |= dict.fromkeys(types.keys() & {"values", "weight", "result", "near", "far"}, kind)
        types |= dict.fromkeys(types.keys() & {"index"}, "*i32")
        types |= dict.fromkeys(types.keys() & {"sums"}, "*fp32")
        fixed = {name: TILES.get(name, precision) for name in types if name.isupper()}
        types |= dict.fromkeys(fixed, "constexpr")
        made = triton.compile(
            ASTSource(kernel, types, fixed), target=GPUTarget("cuda", capability, 32)
        )
        found.append(made.asm["ptx"])
print(json.dumps(found))
"""


def test_kernels_compile_for_gpus_with_products_of_the_right_kind(tmp_path):
    wanted = [
        (80, "*bf16", "ieee", ".bf16.bf16"),
        (80, "*fp32", "tf32", ".tf32.tf32"),
        (80, "*fp32", "ieee", ""),
        (90, "*fp16", "ieee", ".f16.f16"),
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILE, json.dumps([case[:3] for case in wanted])],
        env=os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    programs = iter(json.loads(done.stdout))
    for _, _, _, kind in wanted:
        for program in (next(programs), next(programs)):
            products = [line for line in program.splitlines() if "mma" in line]
            assert all(kind in line for line in products if "sync.aligned.m" in line)
            assert bool(products) == bool(kind)
