"""Wires that give no hit: the same ones always, since a broken wire stays so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.tpc import PLANES, TPC

#: Seed of the choice, of its own: no other random number, and no setting, changes which wires.
SEED = 16
#: Neighbouring wires that die together: the channels of one front-end chip.
GROUP = 16


def dead_wires(tpc: TPC, fraction: float) -> dict[str, NDArray[np.bool_]]:
    """Choose the dead wires of a TPC.

    Parameters
    ----------
    tpc : TPC
        The geometry; with the fraction, all that the choice depends on.
    fraction : float
        Fraction of each plane's groups of `GROUP` wires; those of a smaller fraction are among
        those of a larger.

    Returns
    -------
    dict of bool array (wires,)
        By plane, of `PLANES`.
    """
    rng = np.random.default_rng(SEED)
    dead = {}
    for plane in PLANES:
        wires = tpc.wires(plane)
        groups = -(-wires // GROUP)
        chosen = rng.permutation(groups)[: round(fraction * groups)]
        dead[plane] = np.isin(np.arange(wires) // GROUP, chosen)
    return dead
