"""environment.yml, pyproject.toml and constraints.txt speak of the same packages."""

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
#: PyPI's name → conda-forge's, where they differ.
CONDA = {"torch": "pytorch", "snakemake": "snakemake-minimal"}


def declared() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    found = {r.name: str(r.specifier) for r in map(Requirement, lines)}
    return found | {"python": project["requires-python"]}


def test_conda_environment_names_the_same_packages_and_bounds():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {
        r.name: str(r.specifier)
        for r in map(Requirement, (e for e in listed if isinstance(e, str) and e != "pip"))
    }
    assert conda == {CONDA.get(name, name): bound for name, bound in declared().items()}


def test_constraints_pin_every_dependency_within_its_bounds():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[canonicalize_name(name)] = Version(version)
    for name, bound in declared().items():
        if name != "python":
            assert pins[canonicalize_name(name)] in Requirement(f"{name}{bound}").specifier
