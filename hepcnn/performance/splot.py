"""sWeights: weights that leave of a sample one of its species, such as the signal.

M. Pivk and F. R. Le Diberder, Nucl. Instrum. Meth. A 555 (2005) 356, arXiv:physics/0402083. The
species are told apart by the densities of one variable, say a mass, in an extended likelihood fit;
what the weights are used for must not depend on that variable within a species.
"""

from __future__ import annotations

import numpy as np

from hepcnn.performance.intervals import Floats

#: A step that changes no yield by more than this, relative to all, is the last.
_SMALL = 1e-10
_STEPS = 200


def yields(density: Floats) -> Floats:
    """The yields that maximise the extended likelihood Π_e Σ_k N_k f_k(e) · exp(−Σ_k N_k).

    Parameters
    ----------
    density : ndarray, (S, N)
        Normalised densities f of S species at the variable of each of N examples; of each example
        at least one is above 0.

    Returns
    -------
    ndarray, (S,)
        They sum to N.

    Raises
    ------
    ValueError
        If there is no maximum with all yields above 0, as where a species is absent.
    """
    species, n = density.shape
    found = np.full(species, n / species)
    for _ in range(_STEPS):
        part = density / (found @ density)
        step = np.linalg.solve(part @ part.T, part.sum(axis=1) - 1)
        # The likelihood is concave: Newton's step, half of the way to 0 at most.
        with np.errstate(divide="ignore"):
            most = np.where(step < 0, -0.5 * found / step, np.inf).min()
        found = found + min(1.0, most) * step
        if np.abs(step).max() <= _SMALL * n:
            return found
    raise ValueError(f"the fit of the yields does not converge: {found.tolist()} of {n} examples")


def sweights(density: Floats) -> Floats:
    """The sWeights of each species, (S, N): those of one example sum to 1, and may be negative.

    w_k(e) = Σ_j V_kj f_j(e) / Σ_j N_j f_j(e) with the `yields` N and their covariance matrix V, the
    inverse of Σ_e f_k(e) f_j(e) / (Σ_i N_i f_i(e))². The weights of a species sum to its yield.

    Parameters
    ----------
    density : ndarray, (S, N)
        As of `yields`.

    Raises
    ------
    ValueError
        As `yields`.
    """
    part = density / (yields(density) @ density)
    return np.asarray(np.linalg.solve(part @ part.T, part), np.float64)
