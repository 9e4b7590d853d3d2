"""`make clean` spares what took time, `make distclean` spares nothing that was made."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CACHES = ("build/lib/x", ".pytest_cache/x", ".ruff_cache/x", "hepcnn/store/__pycache__/x.pyc")
DEAR = ("results/tasks/t/n/checkpoint.ckpt", ".snakemake/metadata/x", ".venv/.ready")
SOURCES = ("hepcnn/store/x.py", "tests/x.py", "benchmarks/x.py", "config.yaml")


@pytest.mark.parametrize(
    ("target", "left"), [("clean", {*DEAR, *SOURCES}), ("distclean", {*SOURCES})]
)
def test_cleaning(tmp_path: Path, target: str, left: set[str]) -> None:
    if not shutil.which("make"):
        pytest.skip("no make here")
    for name in (*CACHES, *DEAR, *SOURCES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    subprocess.run(["make", target], cwd=tmp_path, check=True, capture_output=True)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == left | {"Makefile"}
