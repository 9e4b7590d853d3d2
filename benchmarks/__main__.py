"""All benchmarks, one after the other; exits with 1 if one misses a floor.

    python -m benchmarks

Each row has our figure, its peer's in the same run, the ratio, and what the ratio must reach.
"""

import subprocess
import sys

NAMES = (
    "simulation",
    "lartpc_simulation",
    "imaging",
    "planes",
    "loading",
    "plane_loading",
    "detection",
    "training",
    "segmentation",
    "quartic",
    "cherenkov",
    "methods",
)


def main() -> bool:
    """Run each in a process of its own: they set the memory allocator and the threads."""
    kept = True
    for name in NAMES:
        print(f"\n{name}", flush=True)
        kept &= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode == 0
    return kept


if __name__ == "__main__":
    sys.exit(not main())
