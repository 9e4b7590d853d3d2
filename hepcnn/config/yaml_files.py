"""YAML files of the user's, read so that nothing in them is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from hepcnn.errors import InputError


class _Loader(yaml.SafeLoader):
    """YAML as it is meant: a key twice is an error, and not the second one alone."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else key
            if name in seen:
                raise InputError(
                    f"the key '{key.value}' is there twice, in line {seen[name]} and in line {line}"
                )
            seen[name] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:  # whatever Python makes of a date or number that is none
            value = node.value if isinstance(node, yaml.ScalarNode) else "it"
            kind = node.tag.rpartition(":")[2]
            raise InputError(
                f"line {node.start_mark.line + 1}: '{value}' looks like a value of the kind "
                f"'{kind}', but is none ({error}): put it in quotes if it is a text"
            ) from error


# As JSON has it, which the rules of the workflow give; YAML 1.1 takes 1e-05 for a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: str | Path) -> Any:
    """Read a YAML (or JSON) file in UTF-8; ``-`` is the standard input.

    Raises
    ------
    InputError
        If it cannot be read, is not UTF-8 or no YAML, or has a key twice in one mapping: it says in
        which lines.
    """
    try:
        standard = str(path) == "-"
        text = (sys.stdin.buffer.read() if standard else Path(path).read_bytes()).decode("utf-8")
        return yaml.load(text, _Loader)
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: not UTF-8 text, which it must be") from error
    except RecursionError as error:
        raise InputError(f"{path}: lists or mappings are nested too deeply") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that is a mapping of keys, or empty.

    Raises
    ------
    InputError
        As `read_yaml`, or if it is something else.
    """
    data = read_yaml(path)
    if data is not None and not isinstance(data, dict):
        raise InputError(f"{path}: a configuration is a mapping of keys, not {type(data).__name__}")
    return data or {}
