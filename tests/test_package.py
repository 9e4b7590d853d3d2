"""The wheel: whole, and enough to go from events to a report where no checkout is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
SETTINGS = {
    "output": "results",
    "samples": {
        "beam": {
            "detector": "lartpc",
            "simulate": {"generator": "interactions", "events": 40, "deposits": False},
        }
    },
    "images": {
        "planes": {
            "sample": "beam", "maker": "planes", "shape": [48, 48],
            "wires_per_pixel": 8, "ticks_per_pixel": 48,
        }
    },
    "tasks": {
        "pixels": {
            "images": "planes", "target": "semantic", "baselines": [],
            "networks": {"net": {
                "architecture": "sparse_uresnet",
                "options": {"levels": 2, "filters": 4, "blocks": 1},
            }},
            "train": {"epochs": 1, "batch_size": 8},
        }
    },
}  # fmt: skip


def _run(*command: str | Path, folder: Path) -> str:
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _sources() -> list[str]:
    """The files of the package that are in the repository, or are about to be."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: what belongs to the package is not known")
    of_package = ("hepcnn", "Snakefile", "workflow/rules")
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *of_package)
    return [name for name in _run(*listed, folder=ROOT).splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy, for a build leaves files where it is; torch brings the setuptools."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*_sources(), "pyproject.toml", "README.md", "LICENSE"):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    _run(*_PIP, "wheel", "--no-deps", "--no-build-isolation", "./source", folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The commands of an environment with the wheel, that sees the dependencies of this one."""
    folder = wheel.parent / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    paths = {"base": str(folder), "platbase": str(folder)}
    scripts, packages = (
        Path(sysconfig.get_path(kind, "venv", vars=paths)) for kind in ("scripts", "purelib")
    )
    pip = (*_PIP, "--python", scripts / "python")
    _run(*pip, "install", "--no-deps", "--no-index", wheel, folder=wheel.parent)
    # What a .pth adds is not searched for other .pth: an editable checkout stays unseen.
    own = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("\n".join(own) + "\n")
    return scripts


def test_all_files_of_the_package_are_in_the_wheel(wheel: Path) -> None:
    sources = _sources()
    assert "hepcnn/report/found_display.js" in sources
    # The workflow is not in the package's folder: it is data of the installation.
    packed = zipfile.ZipFile(wheel).namelist()
    assert set(sources) <= {name.split(".data/data/share/hepcnn/")[-1] for name in packed}


def test_events_to_a_report_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    ask = "import hepcnn; print(hepcnn.__file__)"
    found = _run(installed / "python", "-c", ask, folder=tmp_path).strip()
    assert Path(found).is_relative_to(installed.parent)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
    _run(installed / "hepcnn", "run", "images", "--cores", "2", folder=tmp_path)
    assert list((tmp_path / "results" / "images" / "planes").glob("000?-*.h5"))
    assert not (tmp_path / "results" / "tasks").exists()
    everything = ("run", "--config", "config.yaml", "--cores", "2")
    _run(installed / "hepcnn", *everything, folder=tmp_path)
    page = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "Task <b>pixels</b>" in page
    assert (ROOT / "hepcnn/report/found_display.js").read_text(encoding="utf-8").strip() in page
    made = (tmp_path / "results" / "report.html").stat().st_mtime_ns
    _run(installed / "hepcnn", *everything, folder=tmp_path)
    assert (tmp_path / "results" / "report.html").stat().st_mtime_ns == made


def test_a_configuration_that_is_not_there_is_named(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "hepcnn"), "run", "--config", "mine.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("hepcnn: error: 'mine.yaml' is not in")
