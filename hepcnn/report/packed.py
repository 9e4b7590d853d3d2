"""Files within the page itself: each once, compressed, for the page's script to unpack."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass, field
from functools import cached_property

_MEDIA = {
    "csv": "text/csv;charset=utf-8",
    "json": "application/json;charset=utf-8",
    "svg": "image/svg+xml;charset=utf-8",
    "png": "image/png",
}


@dataclass(frozen=True)
class File:
    """A file's content, and the suffix that says what it is: csv, json, svg or png."""

    content: str | bytes
    suffix: str

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.content.encode() if isinstance(self.content, str) else self.content

    @cached_property
    def packed(self) -> bytes:
        """Its bytes, deflated (zlib's format)."""
        return zlib.compress(self.data, 9)


@dataclass(frozen=True)
class Packed:
    """The files of a page by their ids.

    Attributes
    ----------
    files : dict of str to (str, str)
        Media type and content, by the id: deflated (zlib's format) and in base64, as
        `unpack.js` reads it.
    """

    files: dict[str, tuple[str, str]] = field(default_factory=dict)

    def pack(self, file: File) -> str:
        """Take a file in, unless one of the same content is there, and give its id."""
        identity = hashlib.sha256(file.data).hexdigest()[:12]
        if identity not in self.files:
            text = base64.b64encode(file.packed).decode()
            self.files[identity] = _MEDIA[file.suffix], text
        return identity
