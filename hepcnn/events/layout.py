"""Which native branches a file should give, and where each comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hepcnn.errors import InputError, nearest
from hepcnn.events import lartpc_schema, schema
from hepcnn.events.chunk import KEY_BRANCHES, Branch, Level
from hepcnn.events.expressions import Expression, constant, parse

#: For a native branch the expression of its values; several: those of parts that are joined.
Sources = Mapping[str, tuple[Expression, ...]]


@dataclass(frozen=True)
class Plan:
    """How events are made of a tree's branches.

    Attributes
    ----------
    sources : mapping of str to tuple of Expression
        For each native branch how it follows from the branches.
    selection : mapping of Level to Expression
        The condition on which rows are read; a native name of their own level is what was made.
    counters : mapping of Level to tuple of Expression
        How many of an array's rows there are, of each part.
    """

    sources: Sources
    selection: Mapping[Level, Expression]
    counters: Mapping[Level, tuple[Expression, ...]]

    @property
    def names(self) -> set[str]:
        """The branches that are read."""
        every = (*self.sources.values(), *self.counters.values())
        conditions = {name for e in self.selection.values() for name in e.names}
        made = {name for parts in every for expression in parts for name in expression.names}
        return made | (conditions - set(self.sources))

    def parts(self, level: Level, branches: Iterable[Branch]) -> Iterator[Part]:
        """The parts of which a level's rows are joined, mostly one."""
        own = {branch.name: self.sources[branch.name] for branch in branches}
        counters = self.counters.get(level, (None,))
        for i in range(max(len(expressions) for expressions in own.values())):
            sources = {name: expressions[i % len(expressions)] for name, expressions in own.items()}
            yield Part(level, sources, self.selection.get(level), counters[i % len(counters)])


@dataclass(frozen=True)
class Part:
    """How one part of a level's rows is made."""

    level: Level
    sources: Mapping[str, Expression]
    condition: Expression | None
    counter: Expression | None


def wanted_rich(
    given: Collection[str],
    rich: Sequence[str] | None = None,
    truth: bool = True,
    hit_truth: bool = False,
) -> list[Branch]:
    """Branches of RICH events that should be there, to judge by those that are.

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
    hit_truth : bool
        Whether the hits' true tracks are wanted if they are given.
    """
    wanted = [b for b in schema.COMMON if not b.truth]
    groups = {
        name: [
            g
            for g in (schema.SEGMENT[name], schema.PROJECTION[name])
            if any(b.name in given for b in g)
        ]
        for name in schema.RICHES
    }
    for name in rich or [name for name in schema.RICHES if groups[name]] or schema.RICHES[:1]:
        for group in groups[name] or [schema.SEGMENT[name]]:
            wanted += group
    pdg, hit_track = (b for b in schema.COMMON if b.truth)
    if truth or pdg.name in given:
        wanted.append(pdg)
    if hit_truth and hit_track.name in given:
        wanted.append(hit_track)
    if schema.WEIGHT.name in given:
        wanted.append(schema.WEIGHT)
    return wanted


def wanted_lartpc(
    given: Collection[str], channels: bool = False, truth: bool = True, deposits: bool = False
) -> list[Branch]:
    """Branches of a liquid-argon TPC's events that should be there, to judge by those that are.

    Of a vector of which any component is given all are wanted; so are the particles, if any of
    their branches is given or anything refers to them.

    Parameters
    ----------
    given : collection of str
        Native names that are there or mapped.
    channels : bool
        Whether hits and vertex are on channels, not on wires.
    truth : bool
        Whether truth is wanted if it is given.
    deposits : bool
        Whether the energy deposits are wanted even if they are not given.
    """

    def any_given(branches: Iterable[Branch]) -> bool:
        return any(b.name in given for b in branches)

    layout = lartpc_schema
    wanted = [*KEY_BRANCHES, *(layout.HIT_CHANNEL if channels else layout.HIT_WIRE), *layout.HITS]
    of_particles: list[Branch] = []
    if truth:
        vertex = layout.VERTEX_CHANNEL if channels else layout.VERTEX_WIRE
        alone = ((b,) for b in (*layout.NEUTRINO, *layout.VERTEX_TICK, *layout.HIT_PARTICLE))
        for group in (*alone, layout.VERTEX, vertex):
            wanted += group if any_given(group) else ()
        of_particles += (*layout.PARTICLES, *layout.HIT_PARTICLE)
    if deposits:
        wanted += layout.DEPOSITS
        of_particles += (b for b in layout.DEPOSITS if b.column == "particle")
    if any_given((*of_particles, *layout.PARTICLE_ID) if of_particles else ()):
        wanted += layout.PARTICLES
        wanted += layout.PARTICLE_ID if any_given(layout.PARTICLE_ID) else ()
    return wanted


def read_from(
    names: Collection[str],
    mapped: Mapping[str, str | list[str]],
    layout: Mapping[str, Branch],
    wanted: Iterable[Branch],
    file: str,
) -> Sources:
    """The expressions that give each native branch.

    Parameters
    ----------
    names : collection of str
        Names of the tree's branches, and what else expressions may name.
    mapped : mapping of str to str or list of str
        The configuration's `branches`.
    layout : mapping of str to Branch
        The native branches, by name.
    wanted : iterable of Branch
        Those that are read; what is neither mapped nor there has its default, if it has one.
    file : str
        For the messages.

    Raises
    ------
    InputError
        One line for each key, expression or branch that is wrong or missing.
    """
    unknown = [key for key in mapped if key not in layout]
    wrong = [f"branches: no native branch '{key}'; {nearest(key, layout)}" for key in unknown]
    sources: dict[str, tuple[Expression, ...]] = {}
    for branch in wanted:
        key = branch.name
        if branch.default is not None and key not in mapped and key not in names:
            sources[key] = (constant(branch.default),)
            continue
        expressions = _parsed(f"branches.{key}", mapped.get(key, key), names, wrong)
        if not expressions:
            continue
        sources[key] = expressions
        for expression in expressions:
            wrong += _missing(expression, key if key in mapped else "", names)
        if key == "event" and not sources[key][0].names:
            wrong.append("branches.event: a constant would give all events one name")
    wrong += _uneven(sources, layout)
    _refuse(wrong, file)
    return sources


def plan(
    names: Collection[str],
    mapped: Mapping[str, str | list[str]],
    selection: Mapping[Level, str],
    counters: Mapping[Level, str | list[str]],
    layout: Mapping[str, Branch],
    wanted: Iterable[Branch],
    file: str,
) -> Plan:
    """How the branches wanted are made, and which rows are read.

    Parameters
    ----------
    names, mapped, layout, wanted, file
        As of `read_from`.
    selection : mapping of Level to str
        The configuration's `selection`. In it a native name stands for what it is made of.
    counters : mapping of Level to str or list of str
        The configuration's `counters`.

    Raises
    ------
    InputError
        As of `read_from`.
    """
    sources = dict(read_from(names, mapped, layout, wanted, file))
    read = {layout[name].level for name in sources}
    wrong: list[str] = []
    # What is mapped can be selected on, even if it is not read.
    known = {key: _parsed(key, texts, names, wrong) for key, texts in mapped.items()} | sources
    alone = {key: expressions[0] for key, expressions in known.items() if len(expressions) == 1}
    chosen: dict[Level, Expression] = {}
    for level in read & set(selection):
        key = f"selection.{level}"
        own = {n for n in sources if level != "event" and layout[n].level == level}
        others = {name: expression for name, expression in alone.items() if name not in own}
        for condition in _parsed(key, selection[level], names, wrong):
            chosen[level] = condition.replaced(others)
            wrong += _missing(chosen[level], key, {*names, *own})
    counted: dict[Level, tuple[Expression, ...]] = {}
    for level in read & set(counters):
        key = f"counters.{level}"
        counted[level] = _parsed(key, counters[level], names, wrong)
        wrong += (line for e in counted[level] for line in _missing(e, key, names))
    _refuse(wrong, file)
    return Plan(sources, chosen, counted)


def _parsed(
    key: str, texts: str | list[str], names: Collection[str], wrong: list[str]
) -> tuple[Expression, ...]:
    """The expressions of a key; what is wrong with them is added to `wrong`."""
    try:
        return tuple(parse(text, names) for text in ([texts] if isinstance(texts, str) else texts))
    except InputError as error:
        wrong.append(f"{key}: {error}")
        return ()


def _refuse(wrong: Sequence[str], file: str) -> None:
    if wrong:
        hint = "`hepcnn inspect` shows the branches and suggests a `branches:` block"
        raise InputError("\n  ".join([f"{file}: the branches do not fit", *wrong, hint]))


def _missing(expression: Expression, key: str, names: Collection[str]) -> Iterator[str]:
    """What is wrong with an expression's names; `key` is the configuration's, if it has one."""
    of = f" (for '{key}: {expression.text}')" if key else ""
    for name in expression.names:
        if name not in names:
            yield f"no branch '{name}'{of}; {nearest(name, names)}"


def _uneven(sources: Sources, layout: Mapping[str, Branch]) -> Iterator[str]:
    """What is wrong with lists of parts that are joined.

    Tracks and particles are not joined: others refer to them by their index.
    """
    first: dict[Level, tuple[str, int]] = {}
    for name, expressions in sources.items():
        level, parts = layout[name].level, len(expressions)
        if parts == 1:
            continue
        if level not in ("hit", "deposit"):
            yield f"branches.{name}: a list; only branches of hits and deposits can be joined"
            continue
        other, its_parts = first.setdefault(level, (name, parts))
        if parts != its_parts:
            yield f"branches.{name}: a list of {parts}, but that of {other} has {its_parts}"
