"""Which native branches a file should give, and where each comes from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hepcnn.errors import InputError, nearest
from hepcnn.events.expressions import Expression, parse
from hepcnn.events.schema import BRANCHES, COMMON, PROJECTION, RICHES, SEGMENT, Branch


def wanted_branches(
    given: Collection[str], rich: Sequence[str] | None = None, truth: bool = True
) -> list[Branch]:
    """Branches that should be there, to judge by those that are.

    A RICH wants the track's segment, its projection on the photon plane, or both; of which any
    branch is given, all are wanted.

    Parameters
    ----------
    given : collection of str
        Native names that are there or mapped.
    rich : sequence of str, optional
        The RICHes asked for; by default those of which anything is given, and at least one.
    truth : bool
        Whether the particles' true identity is wanted even if it is not given.
    """
    wanted = [b for b in COMMON if not b.truth or (b.name == "track_pdg" and truth)]
    groups = {
        name: [g for g in (SEGMENT[name], PROJECTION[name]) if any(b.name in given for b in g)]
        for name in RICHES
    }
    for name in rich or [name for name in RICHES if groups[name]] or RICHES[:1]:
        for group in groups[name] or [SEGMENT[name]]:
            wanted += group
    return wanted


def read_from(
    names: Mapping[str, str],
    mapped: Mapping[str, str],
    rich: Sequence[str] | None,
    truth: bool,
    hit_truth: bool,
    file: str,
) -> dict[str, Expression]:
    """The expression that gives each native branch.

    Parameters
    ----------
    names : mapping of str to str
        Names of the tree's branches.
    mapped : mapping of str to str
        The configuration's `branches`.
    rich, truth, hit_truth
        As of `hepcnn.events.reading.read_rich`.
    file : str
        For the messages.

    Raises
    ------
    InputError
        One line for each key, expression or branch that is wrong or missing.
    """
    unknown = [key for key in mapped if key not in BRANCHES]
    wrong = [f"branches: no native branch '{key}'; {nearest(key, BRANCHES)}" for key in unknown]
    given = {*mapped, *names}
    wanted = wanted_branches(given, rich, truth)
    wanted += [
        b
        for b in COMMON
        if b.truth and b not in wanted and b.name in given and (hit_truth or b.level != "hit")
    ]
    expressions: dict[str, Expression] = {}
    for branch in wanted:
        key = branch.name
        try:
            expression = expressions[key] = parse(mapped.get(key, key), names)
        except InputError as error:
            wrong.append(f"branches.{key}: {error}")
            continue
        for name in expression.names:
            if name not in names:
                of = f" (for '{key}: {mapped[key]}')" if key in mapped else ""
                wrong.append(f"no branch '{name}'{of}; {nearest(name, names)}")
        if key == "event" and not expression.names:
            wrong.append("branches.event: a constant would give all events one name")
    if wrong:
        hint = "`hepcnn inspect` shows the branches and suggests a `branches:` block"
        raise InputError("\n  ".join([f"{file}: the branches do not fit", *wrong, hint]))
    return expressions
