"""What a page holds for its script to unpack."""

from __future__ import annotations

import base64
import json
import re
import zlib


def packed_files(page: str) -> dict[str, tuple[str, bytes]]:
    """Media types and contents of a page's files, by their ids."""
    (text,) = re.findall(r'<script type="application/json" id="packed">(.*?)</script>', page, re.S)
    return {
        identity: (media, zlib.decompress(base64.b64decode(coded)))
        for identity, (media, coded) in json.loads(text).items()
    }
