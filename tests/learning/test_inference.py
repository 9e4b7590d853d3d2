"""Batches of a prediction in two threads, as on a GPU: the same results."""

import threading
import time

import numpy as np
import pytest

from hepcnn.learning import inference
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.inference import overlapped
from hepcnn.learning.prediction import posteriors
from hepcnn.store.images import ImageSet


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_results_are_in_the_order_of_the_items(number):
    def slow_at_first(item):
        time.sleep(0.02 / (1 + item))
        return item, threading.get_ident()

    results = list(overlapped(slow_at_first, iter(range(number))))
    assert [item for item, _ in results] == list(range(number))
    assert threading.get_ident() not in {thread for _, thread in results}


def test_two_are_in_work_at_a_time_and_no_third_is_drawn():
    together = threading.Barrier(2)
    drawn, done = [], []

    def together_with_another(item):
        together.wait(10)
        return item

    def items():
        for item in range(8):
            drawn.append(item)
            assert len(drawn) - len(done) <= 2
            yield item

    for item in overlapped(together_with_another, items()):
        done.append(item)
    assert done == list(range(8))


def test_an_error_is_raised_in_its_place():
    def one_fails(item):
        if item == 3:
            raise KeyError(item)
        return item

    results = overlapped(one_fails, range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError):
        next(results)


def test_an_error_of_the_items_is_raised():
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(overlapped(str, items()))


def test_a_network_gives_the_same_in_two_threads(run, shards, monkeypatch):
    trained = Checkpoint.load(run(epochs=1) / "checkpoint.ckpt")
    monkeypatch.setattr("hepcnn.learning.prediction.BATCH_SIZE", 16)
    images = ImageSet(shards)
    alone = posteriors(trained, images, np.arange(500), "alone")
    monkeypatch.setattr(inference, "map", overlapped, raising=False)
    np.testing.assert_array_equal(posteriors(trained, images, np.arange(500), "two"), alone)
