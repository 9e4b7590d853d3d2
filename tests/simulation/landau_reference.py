"""The most probable energy loss, which simulated losses are held against."""

import numpy as np

from hepcnn.simulation.lartpc.argon import EXCITATION, XI, density_correction, motion
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS


def landau_width(length, beta):
    """ξ (MeV) of a path (mm): the scale of Landau's distribution; its FWHM is 4 ξ."""
    return XI * np.asarray(length) / np.asarray(beta) ** 2


def most_probable_loss(energy, mass, length):
    """Most probable energy loss (MeV) on a thin path (mm): Landau, Vavilov and Bichsel."""
    beta, gamma = motion(energy, mass)
    beta_gamma, xi = beta * gamma, landau_width(length, beta)
    bracket = np.log(2 * ELECTRON_MASS * beta_gamma**2 / EXCITATION) + np.log(xi / EXCITATION)
    return xi * (bracket + 0.2 - beta**2 - density_correction(beta_gamma))
