"""The one exception for what a user can mend, and the nearest valid names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Bad input: the message names the file, branch, key or value and what would be right.

    The command line prints it without a traceback and exits with status 1.
    """


def nearest(name: str, valid: Iterable[str], count: int = 3) -> str:
    """List the valid names nearest to a wrong one, for an error message.

    Parameters
    ----------
    name : str
        The name that was not found.
    valid : iterable of str
        The names that exist.
    count : int
        At most so many near names; when none is near, all valid names are listed.

    Returns
    -------
    str
        ``"did you mean 'a', 'b'?"``, or ``"there are: …"``, or ``"there are none"``.
    """
    names = sorted(set(valid))
    if not names:
        return "there are none"
    lower: dict[str, list[str]] = {}
    for n in names:
        lower.setdefault(n.lower(), []).append(n)
    near = difflib.get_close_matches(name.lower(), list(lower), count, 0.6)
    if near:
        found = [n for key in near for n in lower[key]][:count]
        return "did you mean " + ", ".join(f"'{n}'" for n in found) + "?"
    shown = ", ".join(names[:20])
    return f"there are: {shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")
