"""Guesses which branches of a user's tuple are which native ones, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from math import isnan, nan

import yaml

from hepcnn.errors import InputError
from hepcnn.events.catalogue import Layout
from hepcnn.events.chunk import Branch
from hepcnn.events.expressions import parse

#: Words of branch names, as the native layouts say them.
_SYNONYMS = {
    "trk": "track", "tracks": "track", "trks": "track",
    "hits": "hit", "photon": "hit", "photons": "hit", "pixel": "hit",
    "momentum": "p", "mom": "p", "ptot": "p", "q": "charge", "integral": "charge",
    "charges": "charge", "times": "time", "wires": "wire", "ch": "channel", "channels": "channel",
    "trueid": "pdg", "pdgid": "pdg", "pdgcode": "pdg", "mcid": "pdg",
    "evt": "event", "vtx": "vertex", "nu": "neutrino", "c": "y", "view": "plane",
    "primaries": "particle", "primary": "particle", "particles": "particle", "part": "particle",
    "dep": "deposit", "edep": "deposit", "deposits": "deposit",
    "dir": "direction", "proj": "projection", "start": "entry", "end": "exit", "side": "panel",
}  # fmt: skip
_NOISE = {"number", "num", "nr", "no", "id", "true", "mc", "en"}
#: Words in one, and how they are written apart.
_APART = {
    re.compile("sub_?run|lumi_?(block|section)", re.IGNORECASE): "subrun",
    re.compile("hit(?=[a-z]{2})"): "hit_",
    re.compile("(?<=True)V(?=[A-Zxyz])"): "Vertex_",
    re.compile("(?<=[Dd]ep)_?E$"): "Energy",
}
#: Words that a name may lack, if they are not its last one.
_OPTIONAL = {"track", "hit", "wire", "channel"}
#: What one of a unit (in lower case) is in the native unit.
_UNITS: Mapping[str, Mapping[str, float]] = {
    "mm": {"um": 1e-3, "mm": 1, "cm": 10, "m": 1000},
    "cm": {"um": 1e-4, "mm": 0.1, "cm": 1, "m": 100},
    "MeV": {"kev": 1e-3, "mev": 1, "gev": 1000, "tev": 1e6},
}
#: ``Hit_x_mm`` and ``Track_PGeV``.
_UNITS_AT_END = (
    re.compile(r"_([a-z]+)$", re.IGNORECASE),
    re.compile(r"(?<=[A-Z0-9xyzp])([kMGT]eV|[mcu]m)$"),
)
_UNIT_IN_TITLE = re.compile(r"[\[(]([a-z]+)(?:/c)?[\])]", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
_NUMBER = r"(?:unsigned )?(?:std::)?(?:bool|char|short|int|long|float|double|u?int\d+_t)"
_INTEGER = re.compile("bool|char|short|int|long")
_ONE = re.compile(_NUMBER)
_LIST = re.compile(rf"{_NUMBER}\[\]|(?:std::|ROOT::(?:VecOps::)?)?(?:vector|RVec)<{_NUMBER}>")


def is_one_number(kind: str) -> bool:
    """Whether a branch of this type has one number an entry, and not a list of them."""
    return _ONE.fullmatch(kind) is not None


def _parted(name: str) -> tuple[str, str]:
    """A name without the unit at its end, and the unit in lower case; "" for none."""
    for pattern in _UNITS_AT_END:
        match = pattern.search(name)
        if match and any(match[1].lower() in units for units in _UNITS.values()):
            return name[: match.start()], match[1].lower()
    return name, ""


def _unit(name: str, title: str) -> str:
    """The unit in lower case that a title has in brackets or a name at its end; "" for none."""
    match = _UNIT_IN_TITLE.search(title)
    if match and any(match[1].lower() in units for units in _UNITS.values()):
        return match[1].lower()
    return _parted(name)[1]


@cache
def _words(name: str) -> tuple[str, ...]:
    """``RichHit_x_mm`` → rich, hit, x; in lower case, synonyms replaced, noise dropped."""
    name = name.rsplit("/", 1)[-1]
    for joined, apart in _APART.items():
        name = joined.sub(apart, name)
    words = [word.lower() for word in _WORD.findall(_parted(name)[0])]
    return tuple(_SYNONYMS.get(word, word) for word in words if word not in _NOISE)


def _likeness(branch: Branch, name: str, kind: str) -> float:
    """Share of the words that both names have; 0 where a distinctive one is missing."""
    if name == branch.name:
        return 2.0
    native, other = _words(branch.name), _words(name)
    if other[-1] != native[-1] or not set(native) - _OPTIONAL <= set(other):
        return 0.0
    share = len(set(native) & set(other)) / len(set(native) | set(other))
    # Integers are less likely to be what is measured.
    return 0.9 * share if branch.dtype.startswith("float") and _INTEGER.search(kind) else share


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


def guess_branches(branches: Mapping[str, tuple[str, str]], layout: Layout) -> dict[str, str]:
    """Guess the native branches.

    Parameters
    ----------
    branches : mapping of str to (str, str)
        Type and title of each branch of a tree, by name.
    layout : Layout
        The native layout.

    Returns
    -------
    dict of str to str
        A branch or an expression of it, by native name. Each branch is used once; what has the
        native name is itself.
    """
    pairs = [
        (_likeness(branch, name, kind), native, name)
        for native, branch in layout.branches.items()
        for name, (kind, _) in branches.items()
        if (_ONE if branch.level == "event" else _LIST).fullmatch(kind) and _words(name)
    ]
    found: dict[str, str] = {}
    used: set[str] = set()
    for likeness, native, name in sorted(pairs, key=lambda pair: -pair[0]):
        # What may be missing is not taken for half a name: better none than a wrong one.
        least = 0.5 if layout.branches[native].default is None else 0.6
        if likeness < least or native in found or name in used:
            continue
        title = branches[name][1]
        expression = (
            name if name == native else _in_native_unit(layout.branches[native], name, title)
        )
        if expression:
            found[native] = expression
            used.add(name)
    return found


def is_certain(branch: Branch, source: str) -> bool:
    """Whether the words of a source's name are those of the native branch, and no others."""
    name = source.rsplit("* ", 1)[-1]  # without the factor of a unit
    return set(_words(name)) == set(_words(branch.name))


def branches_block(
    tree: str,
    guesses: Mapping[str, str],
    names: Collection[str],
    layout: Layout,
    seen: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """YAML lines for a sample: `tree`, and `branches` with the guesses; the rest as comments.

    Parameters
    ----------
    tree : str
        Name of the tree.
    guesses : mapping of str to str
        As of `guess_branches`.
    names : collection of str
        Native names that are there and can be read, which need no line.
    layout : Layout
        The native layout.
    seen : mapping of str to (float, float), optional
        Least and greatest value of native branches in the file's first entries.
    """
    needed = {b.name for b in layout.wanted(guesses) if b.default is None and not b.truth}
    lines = [yaml.safe_dump({**layout.settings, "tree": tree}, sort_keys=False).strip()]
    lines.append("branches:")
    for branch in layout.listed(guesses):
        if branch.name in names:
            continue
        kind = "needed" if branch.name in needed else "optional"
        kind += ", to train on" if branch.truth else ""
        if branch.name not in guesses:
            lines.append(f"  # {branch.name}:   {kind}: {branch.title}")
            continue
        source = guesses[branch.name]
        entry = yaml.safe_dump({branch.name: source}, width=1000).strip()
        # What the value must be, in which unit, and what it is: a name does not always tell.
        guessed = "" if is_certain(branch, source) else ", guessed"
        low, high = (seen or {}).get(branch.name, (nan, nan))
        here = "" if isnan(low) else f"; here {low:.4g} to {high:.4g}"
        lines.append(f"  {entry}  # {kind}{guessed}: {branch.title}{here}")
    lines += [f"  # {note}" for note in layout.notes]
    return "\n".join(lines)
