"""What each of the boosted trees looks at: columns of an image set's features, and its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: By tree the features of an example, and those of each view, ``NAME_VIEW``. `charge_tree` sees
#: only how much there is: a control without images. `boosted_tree` sees what the analytic
#: reconstruction counts in each RICH, `dll_tree` what its likelihoods say, momentum and crowd: so
#: LHCb's ProbNN is made of the Δ ln L of all species.
TREES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "boosted_tree": (("p",), ("theta_mean", "counts", "expected_other")),
    "dll_tree": (("p", "eta", "n_tracks", "log_local", "log_global", "log_marginal"), ()),
    "charge_tree": (("n_hits",), ("charge",)),
    "shape_tree": (("n_hits",), ("charge",)),
}
#: Training images that the tree of pixels, `pixel_tree`, is fitted on, at most, and pixels of them;
#: as many of the validation split say when it is to stop. The other trees see all examples.
PIXEL_TREE_IMAGES, PIXEL_TREE_PIXELS = 500, 200_000
#: The trees that see what `hepcnn.reconstruction.shapes` measures in each image, too.
MEASURING = ("shape_tree",)


def tree_columns(tree: str, views: Sequence[str]) -> list[str]:
    """Names of the features that a tree looks at in images with some views.

    Parameters
    ----------
    tree : str
        One of `TREES`.
    views : sequence of str
        The images' views: all that there are, in order.
    """
    common, each = TREES[tree]
    return [*common, *(f"{name}_{view}" for view in views for name in each)]
