"""numba's kernels where neither the package nor the home can be written to."""

import os
import subprocess
import sys

READ_ONLY = """
import os
os.access = lambda *arguments: False
import hepcnn.imaging.polar
import numpy as np
from hepcnn.imaging.planes import _sums
print(_sums(np.array([0, 2]), np.ones(2))[0], os.environ["NUMBA_CACHE_DIR"])
"""


def test_kernels_run_and_leave_nothing(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    number, folder = done.stdout.split()
    assert number == "2.0"
    assert folder.startswith(str(tmp_path))
    assert not list(tmp_path.iterdir())
