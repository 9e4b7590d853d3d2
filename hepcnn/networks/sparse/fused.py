"""Products of tables of sites on Nvidia's GPUs, in Triton: gathered while they are multiplied.

The functions are those of `hepcnn.networks.sparse.gathered`. What the sites of a table have goes
from where it is straight to the multiplication; a copy of it is never in memory. Values are of 16
or 32 bits, and are added up in 32. Nothing is added in an order that could change from run to run.

The kernels are compiled when they are first used for each type and rounded-up width of values.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Rows of a table that one program works on, and of those of a sum that it adds at once.
_ROWS, _STEP = 64, 32

#: A sum over all rows is shared by at most so many programs, enough for every processor to have
#: some; each has so many rows at least, to read more than it writes. Both are the same on all GPUs,
#: and so is the order of the sums.
_PROGRAMS, _SPAN = 1024, 256


def start() -> None:
    """Start Triton, which compiles a part of itself when it first does.

    Raises
    ------
    Exception
        Of one kind or another, if it cannot.
    """
    triton.runtime.driver.active.get_current_target()


def convolve(values: Tensor, weight: Tensor, index: Tensor) -> Tensor:
    """Add up what `gathered.convolve` does."""
    (rows, places), (_, inputs, outputs) = index.shape, weight.shape
    result = values.new_empty(rows, outputs)
    wide, deep = _width(outputs, 128), _width(inputs, 32)
    with torch.cuda.device_of(values):
        _convolve[triton.cdiv(rows, _ROWS), triton.cdiv(outputs, wide)](
            values.contiguous(), weight, index, result, rows, len(values), places, inputs, outputs,
            *weight.stride(), PRECISION=_precision(), CHUNKS=triton.cdiv(inputs, deep), ROWS=_ROWS,
            DEEP=deep, WIDE=wide, enable_fp_fusion=True,
        )  # fmt: skip
    return result


def multiply(near: Tensor, far: Tensor, index: Tensor) -> Tensor:
    """Add up what `gathered.multiply` does: the rows in spans, then the sums of these."""
    (rows, places), tall, width = index.shape, near.shape[1], far.shape[1]
    high, wide = _width(tall, 64), _width(width, 64)
    tiles = triton.cdiv(tall, high) * triton.cdiv(width, wide)
    spans = max(1, min(triton.cdiv(rows, _SPAN), _PROGRAMS // (places * tiles)))
    sums = near.new_empty(spans, places, tall, width, dtype=torch.float32)
    with torch.cuda.device_of(near):
        _multiply[spans, places, tiles](
            near.contiguous(), far.contiguous(), index, sums, rows, len(far), places, tall, width,
            triton.cdiv(rows, spans), PRECISION=_precision(), STEP=_STEP, HIGH=high, WIDE=wide,
            enable_fp_fusion=True,
        )  # fmt: skip
    return sums.sum(dim=0).to(near.dtype)


def _width(features: int, largest: int) -> int:
    """How many features are multiplied together: a power of 2, and no fewer than GPUs can."""
    return min(max(triton.next_power_of_2(features), 16), largest)


def _precision() -> str:
    """What numbers of 32 bits are multiplied in, as torch does."""
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee"


@triton.jit(do_not_specialize=["rows", "sites"])
def _convolve(
    values, weight, index, result, rows, sites, places, inputs, outputs,
    place_stride, input_stride, output_stride,
    PRECISION: tl.constexpr, CHUNKS: tl.constexpr, ROWS: tl.constexpr, DEEP: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """ROWS rows of the result and WIDE features of theirs, from DEEP features at a time."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    output = tl.program_id(1) * WIDE + tl.arange(0, WIDE)
    total = tl.zeros((ROWS, WIDE), tl.float32)
    for step in range(places * CHUNKS):
        place = step // CHUNKS
        feature = step % CHUNKS * DEEP + tl.arange(0, DEEP)
        site = tl.load(index + row * places + place, mask=row < rows, other=sites).to(tl.int64)
        seen = tl.load(
            values + site[:, None] * inputs + feature[None, :],
            mask=(site < sites)[:, None] & (feature < inputs)[None, :],
            other=0,
        )
        matrix = tl.load(
            weight
            + place * place_stride
            + feature[:, None] * input_stride
            + output[None, :] * output_stride,
            mask=(feature < inputs)[:, None] & (output < outputs)[None, :],
            other=0,
        )
        total = tl.dot(seen, matrix, total, input_precision=PRECISION)
    tl.store(
        result + row[:, None] * outputs + output[None, :],
        total.to(result.dtype.element_ty),
        mask=(row < rows)[:, None] & (output < outputs)[None, :],
    )


@triton.jit(do_not_specialize=["rows", "sites", "span"])
def _multiply(
    near, far, index, sums, rows, sites, places, tall, width, span,
    PRECISION: tl.constexpr, STEP: tl.constexpr, HIGH: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """A tile of HIGH times WIDE of one place's sum over a span of rows, STEP rows at a time."""
    part, place = tl.program_id(0), tl.program_id(1)
    tiles = tl.cdiv(width, WIDE)
    here = tl.program_id(2) // tiles * HIGH + tl.arange(0, HIGH)
    there = tl.program_id(2) % tiles * WIDE + tl.arange(0, WIDE)
    stop = tl.minimum((part + 1) * span, rows)
    total = tl.zeros((HIGH, WIDE), tl.float32)
    for first in range(part * span, stop, STEP):
        row = first + tl.arange(0, STEP).to(tl.int64)
        site = tl.load(index + row * places + place, mask=row < stop, other=sites).to(tl.int64)
        has = tl.load(
            near + row[:, None] * tall + here[None, :],
            mask=(row < stop)[:, None] & (here < tall)[None, :],
            other=0,
        )
        sees = tl.load(
            far + site[:, None] * width + there[None, :],
            mask=(site < sites)[:, None] & (there < width)[None, :],
            other=0,
        )
        total = tl.dot(tl.trans(has), sees, total, input_precision=PRECISION)
    tl.store(
        sums
        + ((part.to(tl.int64) * places + place) * tall + here[:, None]) * width
        + there[None, :],
        total,
        mask=(here < tall)[:, None] & (there < width)[None, :],
    )
