"""Terminals that cannot show every letter."""

import os
import subprocess
import sys


def test_letters_that_the_terminal_lacks_are_replaced():
    done = subprocess.run(
        [sys.executable, "-c", "from hepcnn.cli.main import main; main()", "--help"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"ROOT events ? images" in done.stdout
