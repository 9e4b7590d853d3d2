"""Guesses which branches of a user's tuple are which native ones, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import yaml

from hepcnn.errors import InputError
from hepcnn.events.expressions import parse
from hepcnn.events.schema import BRANCHES, COMMON, PROJECTION, RICHES, SEGMENT, Branch

#: Words of branch names, as the native layout says them.
_SYNONYMS = {
    "trk": "track", "tracks": "track", "trks": "track",
    "hits": "hit", "photon": "hit", "photons": "hit", "pixel": "hit",
    "momentum": "p", "mom": "p", "ptot": "p", "q": "charge",
    "trueid": "pdg", "pdgid": "pdg", "pdgcode": "pdg", "mcid": "pdg",
    "evt": "event",
    "dir": "direction", "proj": "projection", "start": "entry", "end": "exit", "side": "panel",
}  # fmt: skip
_NOISE = {"number", "num", "nr", "id", "true", "mc"}
#: What one of a unit (in lower case) is in the native unit.
_UNITS: Mapping[str, Mapping[str, float]] = {
    "mm": {"um": 1e-3, "mm": 1, "cm": 10, "m": 1000},
    "MeV": {"kev": 1e-3, "mev": 1, "gev": 1000, "tev": 1e6},
}
_UNIT_AT_END = re.compile(r"_([a-z]+)$", re.IGNORECASE)
_UNIT_IN_TITLE = re.compile(r"[\[(]([a-z]+)(?:/c)?[\])]", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
_NUMBER = r"(?:unsigned )?(?:std::)?(?:bool|char|short|int|long|float|double|u?int\d+_t)"
_ONE = re.compile(_NUMBER)
_LIST = re.compile(rf"{_NUMBER}\[\]|(?:std::|ROOT::(?:VecOps::)?)?(?:vector|RVec)<{_NUMBER}>")


def _unit(name: str, title: str = "") -> str:
    """The unit in lower case that a title has in brackets or a name at its end; "" for none."""
    for match in (_UNIT_IN_TITLE.search(title), _UNIT_AT_END.search(name)):
        if match and any(match[1].lower() in units for units in _UNITS.values()):
            return match[1].lower()
    return ""


def _words(name: str) -> list[str]:
    """``RichHit_x_mm`` → rich, hit, x; in lower case, synonyms replaced, noise dropped."""
    name = re.sub("sub_?run", "subrun", name.rsplit("/", 1)[-1], flags=re.IGNORECASE)
    if _unit(name):
        name = _UNIT_AT_END.sub("", name)
    words = [word.lower() for word in _WORD.findall(name)]
    return [_SYNONYMS.get(word, word) for word in words if word not in _NOISE]


def _likeness(branch: Branch, name: str) -> float:
    """Share of the words that both names have; 0 where a distinctive one is missing."""
    native, other = _words(branch.name), _words(name)
    if other[-1] != native[-1] or not set(native) - {"track", "hit"} <= set(other):
        return 0.0
    return len(set(native) & set(other)) / len(set(native) | set(other))


def _in_native_unit(branch: Branch, name: str, title: str) -> str | None:
    """The name, times the factor to the native unit; None if its characters do not allow that."""
    factor = _UNITS.get(branch.unit, {}).get(_unit(name, title), 1)
    if factor == 1:
        return name
    expression = f"{factor:g} * {name}"
    try:
        return expression if parse(expression).names == (name,) else None
    except InputError:
        return None


def guess_branches(branches: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Guess the native branches.

    Parameters
    ----------
    branches : mapping of str to (str, str)
        Type and title of each branch of a tree, by name.

    Returns
    -------
    dict of str to str
        A branch or an expression of it, by native name. Each branch is used once; what has the
        native name is itself.
    """
    pairs = [
        (2.0 if name == native else _likeness(branch, name), native, name)
        for native, branch in BRANCHES.items()
        for name, (kind, _) in branches.items()
        if (_ONE if branch.level == "event" else _LIST).fullmatch(kind) and _words(name)
    ]
    found: dict[str, str] = {}
    used: set[str] = set()
    for likeness, native, name in sorted(pairs, key=lambda pair: -pair[0]):
        if likeness < 0.5 or native in found or name in used:
            continue
        title = branches[name][1]
        expression = name if name == native else _in_native_unit(BRANCHES[native], name, title)
        if expression:
            found[native] = expression
            used.add(name)
    return found


def branches_block(tree: str, guesses: Mapping[str, str], names: Collection[str]) -> str:
    """YAML lines for a sample: `tree`, and `branches` with the guesses; the rest as comments.

    Parameters
    ----------
    tree : str
        Name of the tree.
    guesses : mapping of str to str
        As of `guess_branches`.
    names : collection of str
        Names of the tree's branches; those that are native need no line.
    """
    wanted = list(COMMON)
    for rich in RICHES:
        projection = sum(b.name in guesses for b in PROJECTION[rich])
        segment = sum(b.name in guesses for b in SEGMENT[rich])
        wanted += PROJECTION[rich] if projection > segment else SEGMENT[rich]
    lines = [yaml.safe_dump({"tree": tree}).strip(), "branches:"]
    for branch in wanted:
        if branch.name in names:
            continue
        if branch.name in guesses:
            entry = yaml.safe_dump({branch.name: guesses[branch.name]}, width=1000)
            # The unit that the value must have: a name does not always tell.
            unit = f"  # {branch.unit}" if branch.unit else ""
            lines.append(f"  {entry.strip()}{unit}")
        else:
            lines.append(f"  # {branch.name}:   {branch.title}")
    lines += [
        "  # Of each RICH that is used: the track's segment (entry, direction, exit), or instead",
        "  # its track_richN_projection_x, _y, _z on the photon plane.",
    ]
    return "\n".join(lines)
