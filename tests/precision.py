"""Which precision the tests train in, where none is what they are about.

    HEPCNN_TEST_PRECISION=bf16 pytest

Each precision must pass, whatever the CPU computes in itself.
"""

import os

PRECISION = os.environ.get("HEPCNN_TEST_PRECISION", "auto")
