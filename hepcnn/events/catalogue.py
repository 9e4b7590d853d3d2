"""The native layouts there are, for finding out which one a tree has, or could be read as."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from hepcnn.events import lartpc_schema, schema
from hepcnn.events.chunk import Branch
from hepcnn.events.layout import wanted_lartpc, wanted_rich


@dataclass(frozen=True)
class Layout:
    """A native layout.

    Attributes
    ----------
    name : str
        What it is called.
    branches : mapping of str to Branch
        All that it knows, by name.
    wanted : callable
        Those that should be there, to judge by the names that are.
    listed : callable
        Those that a configuration may map, to judge by the names that it maps.
    labels : tuple of str
        The branches of which any gives labels.
    unlabelled : str
        What there is to say of a tree without labels.
    settings : mapping of str to str
        What a sample says beside its tree and branches.
    notes : tuple of str
        What else there is to know.
    """

    name: str
    branches: Mapping[str, Branch]
    wanted: Callable[[Collection[str]], list[Branch]]
    listed: Callable[[Collection[str]], Iterable[Branch]]
    labels: tuple[str, ...]
    unlabelled: str
    settings: Mapping[str, str]
    notes: tuple[str, ...]


def _listed_rich(mapped: Collection[str]) -> list[Branch]:
    """All but, of each RICH, the one of segment and projection that is mapped less."""
    listed = list(schema.COMMON)
    for rich in schema.RICHES:
        groups = schema.SEGMENT[rich], schema.PROJECTION[rich]
        listed += max(groups, key=lambda group: sum(b.name in mapped for b in group))
    return [*listed, schema.WEIGHT]


def _lartpc(name: str, channels: bool) -> Layout:
    """The layout of a liquid-argon TPC's events, on wires or on channels."""
    others = (
        (*lartpc_schema.HIT_WIRE, *lartpc_schema.VERTEX_WIRE)
        if channels
        else (*lartpc_schema.HIT_CHANNEL, *lartpc_schema.VERTEX_CHANNEL)
    )
    branches = {name: b for name, b in lartpc_schema.BRANCHES.items() if b not in others}
    return Layout(
        name=name,
        branches=branches,
        wanted=partial(wanted_lartpc, channels=channels),
        listed=lambda mapped: branches.values(),
        labels=("neutrino_pdg", "particle_pdg"),
        unlabelled="no truth: good for prediction only",
        settings={"detector": "lartpc"} | ({"channel_map": "CHANNELS.csv"} if channels else {}),
        notes=(
            "If each plane has branches of its own, join them: hit_wire: [U_WIRES, V_WIRES] and",
            "hit_plane: [0, 1]. A number stands for all: subrun: 0. Truth may be missing.",
        ),
    )


#: All there are, the likelier first.
LAYOUTS = (
    Layout(
        name="RICH",
        branches=schema.BRANCHES,
        wanted=partial(wanted_rich, truth=False),
        listed=_listed_rich,
        labels=("track_pdg",),
        unlabelled="no truth: map track_pdg to 0 to predict on it",
        settings={},
        notes=(
            "Of each RICH that is used: the track's segment (entry, direction, exit), or instead",
            "its track_richN_projection_x, _y, _z on the photon plane.",
        ),
    ),
    _lartpc("LArTPC", channels=False),
    _lartpc("LArTPC on channels", channels=True),
)
