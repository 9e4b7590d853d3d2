"""What all images of a set have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np

#: What a column holds: a numpy type's name, and how many numbers stand side by side in a row;
#: None: one, in a column without a second dimension.
Kind = tuple[str, int | None]

#: Types of pixels' values: counts, or measurements.
VALUES = ("uint16", "float32")


@dataclass(frozen=True)
class Axis:
    """One axis of an image: `bins` equal bins over [low, high) in `unit`."""

    name: str
    unit: str
    low: float
    high: float
    bins: int


@dataclass(frozen=True)
class Header:
    """What all images of a set have in common.

    Attributes
    ----------
    detector : str
        What made the events.
    views : tuple of str
        Names of the images of one example.
    shape : tuple of int
        Rows and columns of an image, or the numbers of voxels along three axes.
    channels : tuple of str
        What is counted or measured.
    axes : dict of tuples of Axis
        For each view one for each dimension.
    classes : dict of tuples of str
        For each target the names of the classes that the truth of this name indexes.
    maker : dict
        The image settings.
    features : dict of str to int or None
        For each feature (float32) how many numbers an example has, as of a `Kind`.
    truth : dict of Kind
        The columns of truth.
    values : {"uint16", "float32"}
        Type of the pixels' values.
    pixel_truth : dict of str
        Types of the columns of truth that pixels have.
    tables : dict of dicts of Kind
        The columns of each table, of which an example has any number of rows.
    """

    detector: str
    views: tuple[str, ...]
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    axes: dict[str, tuple[Axis, ...]]
    classes: dict[str, tuple[str, ...]]
    maker: dict[str, Any]
    features: dict[str, int | None]
    truth: dict[str, Kind]
    values: str = "uint16"
    pixel_truth: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, Kind]] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return math.prod(self.shape)

    @property
    def pixel_type(self) -> type[np.unsignedinteger[Any]]:
        """The smallest type that holds every pixel number, row·W + column."""
        return np.uint16 if self.pixels <= 1 << 16 else np.uint32

    @property
    def columns(self) -> dict[str, Kind]:
        """Paths and kinds of the columns with one row an example, beside the key."""
        return {f"truth/{name}": kind for name, kind in self.truth.items()} | {
            f"features/{name}": ("float32", width) for name, width in self.features.items()
        }

    @property
    def ragged(self) -> dict[str, dict[str, Kind]]:
        """Paths of the groups with any number of rows an example, and the kinds of columns."""
        pixel: dict[str, Kind] = {"pixel": (np.dtype(self.pixel_type).name, None)}
        pixel |= {"value": (self.values, len(self.channels))}
        pixel |= {name: (kind, None) for name, kind in self.pixel_truth.items()}
        tables = {f"tables/{name}": columns for name, columns in self.tables.items()}
        return {f"views/{view}": pixel for view in self.views} | tables

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries, as stored."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            If a part is missing or has another form.
        """
        if data["values"] not in VALUES:
            raise ValueError(f"values of the type {data['values']}")
        return cls(
            detector=str(data["detector"]),
            views=tuple(data["views"]),
            shape=tuple(int(length) for length in data["shape"]),
            channels=tuple(data["channels"]),
            axes={
                view: tuple(Axis(**axis) for axis in axes) for view, axes in data["axes"].items()
            },
            classes={target: tuple(names) for target, names in data["classes"].items()},
            maker=dict(data["maker"]),
            features={name: width and int(width) for name, width in data["features"].items()},
            truth=_kinds(data["truth"]),
            values=data["values"],
            pixel_truth={name: np.dtype(kind).name for name, kind in data["pixel_truth"].items()},
            tables={name: _kinds(columns) for name, columns in data["tables"].items()},
        )


def _kinds(data: Mapping[str, Any]) -> dict[str, Kind]:
    return {
        name: (np.dtype(kind).name, width and int(width)) for name, (kind, width) in data.items()
    }


#: Names of the header's attributes in a file.
HEADER_KEYS = tuple(part.name for part in fields(Header))
