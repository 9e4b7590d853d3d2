"""Where numba keeps what it has compiled."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def provide() -> None:
    """Give numba a folder until the end of the process, if it can write to none of its own.

    It refuses to load a kernel that it cannot keep. Containers often have neither a package nor a
    home that can be written to: there, everything is compiled anew in each process, and works.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    own = (Path(__file__).parent, Path(cache, "numba"))
    if "NUMBA_CACHE_DIR" in os.environ or any(map(_writable, own)):
        return
    folder = tempfile.mkdtemp(prefix="hepcnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder


def _writable(folder: Path) -> bool:
    """Whether there is such a folder to write to, or it can be made."""
    there = next(part for part in (folder, *folder.absolute().parents) if part.exists())
    return there.is_dir() and os.access(there, os.W_OK)
