"""Whether a file can be read as its names suggest: its first events are, for `hepcnn inspect`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hepcnn.config.samples import LArTPCSample, RichSample
from hepcnn.errors import InputError
from hepcnn.events.catalogue import Layout
from hepcnn.events.columns import to_column
from hepcnn.events.evaluation import evaluate
from hepcnn.events.expressions import parse
from hepcnn.events.reading import read_lartpc, read_rich
from hepcnn.events.sources import FileSpec, branch_names, decoding, open_tree
from hepcnn.events.streaming import in_steps

#: Events that are read.
FIRST = 32


def why_not(spec: FileSpec, layout: Layout) -> str:
    """Say why a tree with all branches of a native layout cannot be read with default settings.

    Parameters
    ----------
    spec : FileSpec
        The file and its tree.
    layout : Layout
        The layout.

    Returns
    -------
    str
        The reason; "" if its first events can be read, or if that takes a map of channels.
    """
    if "channel_map" in layout.settings:
        return ""
    if layout.settings.get("detector") == "lartpc":
        return refusal(spec, LArTPCSample(detector="lartpc", files=["-"]))
    return refusal(spec, RichSample(files=["-"]))


def refusal(spec: FileSpec, sample: LArTPCSample | RichSample) -> str:
    """Say why the first events of a file cannot be read as a sample says; "" if they can.

    Parameters
    ----------
    spec : FileSpec
        The file and its tree.
    sample : LArTPCSample or RichSample
        The settings.
    """
    try:
        if isinstance(sample, LArTPCSample):
            next(read_lartpc(spec, sample, step=FIRST), None)
        else:
            next(read_rich(spec, sample, truth=False, hit_truth=True, step=FIRST), None)
    except InputError as error:
        return str(error)
    return ""


def refused(spec: FileSpec, guesses: Mapping[str, str], layout: Layout) -> set[str]:
    """Branches that cannot be what they were guessed to be, to judge by the first entry.

    Parameters
    ----------
    spec : FileSpec
        The file and its tree.
    guesses : mapping of str to str
        A branch or an expression of it, by native name.
    layout : Layout
        The native layout.

    Returns
    -------
    set of str
        Full names of those that cannot be read, or are no number an event where one is wanted, or
        no list of numbers where that is.
    """
    wrong: set[str] = set()
    with open_tree(spec) as tree:
        known = branch_names(tree)
        for native, text in guesses.items():
            level = layout.branches[native].level
            for name in parse(text, known).names:
                try:
                    with decoding(f"{spec}: cannot read branch '{name}'"):
                        steps = in_steps(tree, {known[name]}, 1, str(spec))
                        # A tree without entries tells nothing.
                        first = next((arrays[known[name]] for arrays in steps), None)
                        column = None if first is None else to_column(first, name)
                except InputError:
                    wrong.add(known[name])
                    continue
                if column is not None and not (
                    column.values.ndim == 1
                    and column.values.dtype.kind in "biuf"
                    and (column.offsets is None) == (level == "event")
                ):
                    wrong.add(known[name])
    return wrong


def ranges(
    spec: FileSpec, branches: Mapping[str, str], layout: Layout
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of native branches in a tree's first entries.

    Parameters
    ----------
    spec : FileSpec
        The file and its tree.
    branches : mapping of str to str
        A branch or an expression of it, by native name; all can be read.
    layout : Layout
        The native layout.

    Returns
    -------
    dict of str to (float, float)
        Of those that have a finite value there.
    """
    found: dict[str, tuple[float, float]] = {}
    with open_tree(spec) as tree:
        known = branch_names(tree)
        for native, text in branches.items():
            expression = parse(text, known)
            full = {name: known[name] for name in expression.names}
            with decoding(f"{spec}: cannot read '{text}'"):
                first = next(in_steps(tree, set(full.values()), FIRST, str(spec)), None)
                if first is None:
                    return {}
                columns = {name: to_column(first[path], name) for name, path in full.items()}
                values = evaluate(expression, columns).values.astype(float)
            if np.isfinite(values).any():
                finite = values[np.isfinite(values)]
                found[native] = float(finite.min()), float(finite.max())
    return found
