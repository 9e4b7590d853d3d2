"""Settings of one of several forms, told apart by the value of one key.

pydantic puts a tag into the place of an error to say which form it took; ours are in angle
brackets, which no key of a user's is, so that `hepcnn.config.problems` can leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Discriminator, Tag

from hepcnn.config.settings import Settings

#: The form that a tag stands for.
FORMS: dict[str, type[Settings]] = {}


def tag(form: type[Settings]) -> Tag:
    """Mark a form of a union."""
    name = f"<{form.__name__}>"
    FORMS[name] = form
    return Tag(name)


def chosen_by(key: str, forms: Mapping[str, type[Settings]], default: str | None) -> Discriminator:
    """Choose a form by the value of a key.

    Parameters
    ----------
    key : str
        The key.
    forms : mapping of str to type
        The form for each value.
    default : str, optional
        The value where the key is missing; by default the key is needed.
    """

    def choose(data: Any) -> str | None:
        value = data.get(key, default) if isinstance(data, Mapping) else getattr(data, key, None)
        form = forms.get(value) if isinstance(value, str) else None
        return None if form is None else f"<{form.__name__}>"

    return Discriminator(
        choose,
        custom_error_type="wrong_form",
        custom_error_message=f"'{key}' must be one of: {', '.join(forms)}",
    )
