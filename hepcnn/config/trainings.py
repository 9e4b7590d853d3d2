"""Names of the trainings of a network: of several, and of the trials of a search.

The first training is called as the network is and has the seed of the configuration, so that it is
what it would be alone; further ones are called NETWORK@2, NETWORK@3, … A trial of a search is
called NETWORK+HASH, by a hash of its values, and its trainings NETWORK+HASH, NETWORK+HASH@2, … No
user's name has an ``@`` or a ``+``.
"""

from __future__ import annotations

import re

_MARK = "@"
_TRIAL = "+"


def trainings_of(network: str, seeds: int) -> list[str]:
    """Names of so many trainings of a network."""
    return [network, *(f"{network}{_MARK}{k}" for k in range(2, seeds + 1))]


def network_of(training: str) -> str:
    """The network, or the trial of one, that a training is of; of a baseline's name that name."""
    return training.partition(_MARK)[0]


def number_of(training: str) -> int:
    """The number of a training, from 1."""
    return int(training.partition(_MARK)[2] or 1)


def trial_of(network: str, identity: str) -> str:
    """Name of a trial of a network."""
    return f"{network}{_TRIAL}{identity}"


def without_trial(training: str) -> str:
    """What a training of a trial is called once its trial is chosen: NETWORK, NETWORK@2, …"""
    return re.sub(rf"\{_TRIAL}[^{_MARK}]*", "", training)
