"""Bytes that are damaged anywhere in an HDF5 file: an error that names the file, or no harm."""

import random
from contextlib import suppress

import pytest
from test_images import write
from test_predictions import make

from hepcnn.errors import InputError
from hepcnn.store.findings_file import holds_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions, write_predictions


def read_images(path):
    images = ImageSet([path])
    images.read(0, len(images))
    for name in images.header.features:
        images.features(name)


@pytest.mark.parametrize("kind", ["images", "predictions"])
def test_damage_is_named_wherever_it_is(tmp_path, kind):
    path, read = tmp_path / "a.h5", read_images if kind == "images" else read_predictions
    if kind == "images":
        write(path, 40)
    else:
        write_predictions(path, make())
    read(path)
    # Its heaps have no checksums: HDF5 hangs on one whose bytes are lost.
    assert b"GCOL" not in path.read_bytes()
    whole, rng = path.read_bytes(), random.Random(5)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        holds_findings(path)
        with suppress(InputError):
            read(path)
            refused -= 1
        refused += 1
    assert refused > 20
