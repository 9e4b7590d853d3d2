"""The boosted tree on numbers that tell two of four classes apart."""

import numpy as np
import pytest

from hepcnn.reconstruction.boosted import fit, scores


def examples(n, seed=1):
    """Features of which one is the class, with noise; class 3 never comes, −1 is no class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, n)
    features = rng.normal(0, 1, (n, 3)).astype(np.float32)
    features[:, 1] += 3 * labels
    return features, labels


@pytest.mark.parametrize("seed", [0, 2**32 + 7])
def test_the_tree_finds_the_classes_whatever_the_seed(seed):
    tree = fit(*examples(2000), *examples(500, 2), 4, seed)
    features, labels = examples(1000, 3)
    found = scores(tree, features)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    known = labels >= 0
    assert (found.argmax(axis=1) == labels)[known].mean() > 0.85
    # Half an example of 1500 or so: Jeffreys' pseudo-count.
    assert np.unique(found[:, 3]).size == 1
    assert 0 < found[0, 3] < 1e-3


def test_without_a_class_to_judge_by_all_trees_are_grown(monkeypatch):
    monkeypatch.setattr("hepcnn.reconstruction.boosted.MAX_TREES", 3)
    features, labels = examples(200)
    tree = fit(features, labels, features, np.full(len(labels), -1), 4, 1)
    assert tree.model.n_iter_ == 3
    assert scores(tree, features[:0]).shape == (0, 4)
