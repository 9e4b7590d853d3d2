"""What the layouts of all detectors' events have in common: branches as data, chunks in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

Level = Literal["event", "track", "hit", "particle", "deposit"]

#: Name of the tree in a native file.
TREE = "events"
#: Name of an event; tree entries are never used as names.
EVENT_KEY = np.dtype([("run", np.int64), ("subrun", np.int64), ("event", np.int64)])


def event_name(key: np.void) -> str:
    """``event 1:0:42``: run, subrun, event."""
    return f"event {key['run']}:{key['subrun']}:{key['event']}"


@dataclass(frozen=True)
class Branch:
    """One branch of a native layout.

    Attributes
    ----------
    name, dtype, unit, description : str
        Name in the tree, numpy type of a value, unit ("" for none) and meaning.
    level : {"event", "track", "hit", "particle", "deposit"}
        What there is one value of: flat for events, jagged for all others.
    column : str
        Where the values stand in a chunk: field of `key`, or key of the level's columns.
    axis : int, optional
        Of a vector's component: its index in the column's last dimension.
    truth : bool
        Known of simulated events only.
    default : float, optional
        What is taken where a file gives others of its level, but not this one; None: needed.
    """

    name: str
    dtype: str
    unit: str
    description: str
    level: Level
    column: str
    axis: int | None = None
    truth: bool = False
    default: float | None = None

    @property
    def title(self) -> str:
        """Title of the branch in a ROOT file: the meaning and the unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


#: Which event it is.
KEY_BRANCHES = (
    Branch("run", "int64", "", "run number", "event", "run"),
    Branch("subrun", "int64", "", "subrun number", "event", "subrun"),
    Branch("event", "int64", "", "event number", "event", "event"),
)


def vector(
    name: str,
    unit: str,
    description: str,
    level: Level,
    column: str,
    axes: str = "xyz",
    dtype: str = "float32",
    **options: Any,
) -> tuple[Branch, ...]:
    """The three components of a vector."""
    return tuple(
        Branch(f"{name}_{x}", dtype, unit, f"{description}, {x}", level, column, axis, **options)
        for axis, x in enumerate(axes)
    )


@dataclass(frozen=True)
class EventChunk:
    """A chunk of events: flat arrays and offsets.

    Of each level that is jagged, the rows of event ``i`` are ``offsets[i]`` to ``offsets[i + 1]``
    of every column.

    Attributes
    ----------
    key : structured array (n_events,) of EVENT_KEY
        Names of the events.
    """

    key: npt.NDArray[np.void]

    #: First words of the title of a tree of such events.
    TITLE: ClassVar[str]
    #: The levels that have columns.
    LEVELS: ClassVar[tuple[Level, ...]]
    #: The branches of the columns (and more), by name.
    BRANCHES: ClassVar[Mapping[str, Branch]]

    def __len__(self) -> int:
        return len(self.key)

    def offsets(self, level: Level) -> npt.NDArray[np.int64]:
        """Where each event's rows begin, and where the last one's end: (n_events + 1,)."""
        if level == "event":
            return np.arange(len(self) + 1)
        offsets: npt.NDArray[np.int64] = getattr(self, f"{level}_offsets")
        return offsets

    def columns(self, level: Level) -> dict[str, np.ndarray]:
        """The columns of a level, by name."""
        columns: dict[str, np.ndarray] = getattr(self, _columns_field(level))
        return columns

    def part(self, start: int, stop: int) -> Self:
        """The events `start` to `stop`; their columns are views of this chunk's."""
        changes: dict[str, Any] = {"key": self.key[start:stop]}
        for level in self.LEVELS:
            offsets = self.offsets(level)
            rows = slice(offsets[start], offsets[stop])
            columns = self.columns(level)
            changes[_columns_field(level)] = {name: c[rows] for name, c in columns.items()}
            if level != "event":
                changes[f"{level}_offsets"] = offsets[start : stop + 1] - offsets[start]
        return replace(self, **changes)

    def validate(self) -> None:
        """Check types and lengths, for whoever makes chunks; values are the reader's to check.

        Raises
        ------
        ValueError
            If an array does not fit the offsets or has another type than documented.
        """
        if self.key.dtype != EVENT_KEY or self.key.ndim != 1:
            raise ValueError(f"key: {self.key.dtype} {self.key.shape}")
        for level in self.LEVELS:
            offsets = self.offsets(level)
            if offsets.dtype != np.int64 or offsets.shape != (len(self) + 1,):
                raise ValueError(f"{level}_offsets: {offsets.dtype} {offsets.shape}")
            if offsets[0] != 0 or (np.diff(offsets) < 0).any():
                raise ValueError(f"{level}_offsets do not start at 0 or decrease")
            layout = {b.column: b for b in self.BRANCHES.values() if b.level == level}
            for name, column in self.columns(level).items():
                if name == "index" and column.dtype == np.int32:
                    continue
                if name not in layout:
                    raise ValueError(f"{level} column '{name}' is unknown")
                tail = () if layout[name].axis is None else (3,)
                if column.dtype != layout[name].dtype or column.shape != (offsets[-1], *tail):
                    raise ValueError(f"{level} column '{name}': {column.dtype} {column.shape}")


def _columns_field(level: Level) -> str:
    """Name of the field that holds a level's columns."""
    return "truth" if level == "event" else f"{level}s"
