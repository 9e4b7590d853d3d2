"""Names of the trainings of a network that is trained several times.

The first is called as the network is and has the seed of the configuration, so that it is what it
would be alone; further ones are called NETWORK@2, NETWORK@3, … No user's name has an ``@``.
"""

from __future__ import annotations

_MARK = "@"


def trainings_of(network: str, seeds: int) -> list[str]:
    """Names of so many trainings of a network."""
    return [network, *(f"{network}{_MARK}{k}" for k in range(2, seeds + 1))]


def network_of(training: str) -> str:
    """The network that a training is of; of the name of a baseline that name."""
    return training.partition(_MARK)[0]


def number_of(training: str) -> int:
    """The number of a training, from 1."""
    return int(training.partition(_MARK)[2] or 1)
