"""Names of events: that no two have one, and numbers that can name them where no branch does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, event_name

#: Numbers that expressions of `branches:` can use beside the branches: of the file (its identity,
#: wherever it lies, hashed), and of the entry in its tree, from 0.
FILE, ENTRY = "$file", "$entry"
NUMBERS = (FILE, ENTRY)
#: How a user gives other names.
REMEDY = (
    "name them apart in the sample's `branches:`, for example `run: $file` (a number of its own "
    "for each file) or `event: $entry` (the entry in the tree)"
)


def file_number(identity: str) -> int:
    """The number of a file with a fingerprint, of 48 bits."""
    return int(hashlib.sha256(identity.encode()).hexdigest()[:12], 16)


def numbers(
    names: Collection[str], start: int, stop: int, identity: Callable[[], str]
) -> dict[str, npt.NDArray[np.int64]]:
    """Those of `NUMBERS` that are among some names, for the entries `start` to `stop`.

    `identity` gives the file's fingerprint, and is asked only if it is needed.
    """
    made: dict[str, npt.NDArray[np.int64]] = {}
    if FILE in names:
        made[FILE] = np.full(stop - start, file_number(identity()), np.int64)
    if ENTRY in names:
        made[ENTRY] = np.arange(start, stop, dtype=np.int64)
    return made


@dataclass(frozen=True)
class Repeated:
    """Events of one name: the first such name, in which two places it is, and how many there are.

    Attributes
    ----------
    name : str
        ``event 1:0:42``.
    first, second : int
        Indices of the places; the same if both are in one.
    count : int
        Events whose name an earlier one has.
    """

    name: str
    first: int
    second: int
    count: int

    @property
    def others(self) -> str:
        """``(and 41 more)``, or nothing."""
        return f" (and {self.count - 1} more events so)" if self.count > 1 else ""


def repeated(keys: Sequence[npt.NDArray[np.void]]) -> Repeated | None:
    """Find events of one name.

    Parameters
    ----------
    keys : sequence of structured arrays (n,)
        With the fields run, subrun and event: names of the events in each place.

    Returns
    -------
    Repeated or None
        None if all names differ.
    """
    columns = [np.concatenate([key[name] for key in keys]) for name in EVENT_KEY.names or ()]
    # Stable: events of one name stay in the order given.
    order = np.lexsort(columns[::-1])
    same = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    pairs = np.flatnonzero(same)
    if not len(pairs):
        return None
    pair = pairs[np.argmin(order[pairs + 1])]
    ends = np.cumsum([len(key) for key in keys])
    first, second = np.searchsorted(ends, order[pair : pair + 2], side="right")
    key = np.array([tuple(column[order[pair]] for column in columns)], EVENT_KEY)[0]
    return Repeated(event_name(key), int(first), int(second), len(pairs))


def check_names(keys: Mapping[str, npt.NDArray[np.void]]) -> None:
    """Refuse events of one name in the files of a shard.

    Parameters
    ----------
    keys : mapping of str to structured array (n,) of EVENT_KEY
        For each file the names of its events.

    Raises
    ------
    InputError
        If two have one name; it names the event and the files.
    """
    if not (found := repeated(list(keys.values()) or [np.empty(0, EVENT_KEY)])):
        return
    files = list(keys)
    first, second = files[found.first], files[found.second]
    if first == second:
        raise InputError(
            f"{first}: {found.name} is there twice{found.others}. Write one entry an event; or "
            f"{REMEDY}. Entries of one event with names of their own can fall on both sides of "
            "the split"
        )
    raise InputError(f"{found.name} is in {first} and in {second}{found.others}: {REMEDY}")
