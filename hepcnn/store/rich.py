"""Columns of the images of RICHes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepcnn.detector.particles import SPECIES
from hepcnn.store.header import Header, Kind

#: Columns of truth; species is an index into the classes `SPECIES`, −1 for others.
TRUTH: Mapping[str, Kind] = {"species": ("int16", None), "pdg": ("int32", None)}
#: Features of all images: MeV, none, e, tracks in the event.
FEATURES = ("p", "eta", "charge", "n_tracks")
#: Feature of images of tracks that have a weight, such as an sWeight.
WEIGHT = "weight"
#: Logarithms of the likelihoods; each takes more into account than those before.
LOGARITHMS = ("log_local", "log_global", "log_marginal")
#: Unit of the channel `expected_other`, in photons.
DENSITY_UNIT = 1e-3


def likelihoods_of(header: Header) -> list[str]:
    """The analytic likelihoods that images have, of `LOGARITHMS`, in their order."""
    return [name for name in LOGARITHMS if name in header.features]


def analytic_features(riches: Sequence[str]) -> dict[str, int | None]:
    """Features that images in Cherenkov coordinates have from the analytic reconstruction.

    Of each RICH, for each of the six species: ``angle`` its expected θ (rad, 0: no light),
    ``photons`` the number of its photons expected, ``counts`` the hits within 3σ of its angle and
    ``expected_other`` the photons expected in these hits' pixels from all but the track; and
    ``theta_mean``, the mean θ (rad) of the hits within 3σ of any species' angle (0: none). Of all
    RICHes together ``log_local``, ``log_global`` and ``log_marginal``: ln L of each species, and of
    a particle below threshold, less that of a pion.

    Parameters
    ----------
    riches : sequence of str
        The RICHes, which are the views.

    Returns
    -------
    dict of str to int or None
        Numbers of each feature, as `Header.features`.
    """
    each = ("angle", "photons", "counts", "expected_other")
    wide: dict[str, int | None] = {}
    for rich in riches:
        wide |= {f"{name}_{rich}": len(SPECIES) for name in each} | {f"theta_mean_{rich}": None}
    return wide | dict.fromkeys(LOGARITHMS, len(SPECIES) + 1)
