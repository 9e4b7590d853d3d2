"""What is wrong with a configuration, said so that it can be mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from hepcnn.config.unions import FORMS
from hepcnn.errors import nearest

#: Errors whose message needs no value beside it.
_NOT_GIVEN = ("missing", "value_error", "wrong_form")
#: What pydantic says of a default that could not be made since another value is wrong.
_FOLLOWS = "default_factory_not_called"
#: What pydantic puts behind a key that is itself what is wrong.
_KEY = "[key]"


def _field_names(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Names valid beside the unknown key at `location`."""
    current: Any = model
    for step in location[:-1]:
        if step in FORMS:
            current = FORMS[str(step)]
            continue
        fields = getattr(current, "model_fields", {})
        current = fields[step].annotation if step in fields else current
        # Step into list[X], dict[K, X] and X | None until a model is found.
        while not (isinstance(current, type) and issubclass(current, BaseModel)):
            inner = [a for a in getattr(current, "__args__", ()) if a is not type(None)]
            if not inner:
                return []
            current = next((a for a in inner if hasattr(a, "model_fields")), inner[-1])
    return list(current.model_fields)


def explain(error: ValidationError, what: str, model: type[BaseModel]) -> str:
    """Say what is wrong with data for a model: one line for each wrong key."""
    lines = [f"{what} is not valid"]
    for item in error.errors():
        if item["type"] == _FOLLOWS:
            continue
        keys = [str(part) for part in item["loc"] if part not in (*FORMS, _KEY)]
        place = ".".join(keys) or "the whole"
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            lines.append(
                f"  {place}: unknown key; {nearest(name, _field_names(model, item['loc']))}"
            )
        else:
            message = item["msg"].removeprefix("Value error, ")
            given = "" if item["type"] in _NOT_GIVEN else f" (got {item['input']!r})"
            lines.append(f"  {place}: {message}{given}")
    return "\n".join(lines)
