import shutil
import subprocess
from pathlib import Path

import pytest

from hepcnn import provenance
from hepcnn.provenance import code_version, digest, record


def test_digest_ignores_the_order_of_keys_and_nothing_else():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose sources a test may change."""
    copy = tmp_path / "hepcnn"
    shutil.copytree(provenance._PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "_PACKAGE", copy)

    def forget() -> None:  # not what texts say: it is known by the texts
        for cached in (code_version, provenance._parsed, provenance._exported):
            cached.cache_clear()

    def versions() -> dict[str, str]:
        forget()
        return {stage: code_version(module) for stage, module in STAGES.items()}

    yield copy, versions
    forget()


STAGES = {
    "simulate": "hepcnn.simulation.rich.generate",
    "convert": "hepcnn.imaging.convert",
    "train": "hepcnn.learning.training",
    "evaluate": "hepcnn.performance.evaluate",
    "report": "hepcnn.report.page",
}


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("imaging/polar.py", {"convert"}),
        ("simulation/rich/photons.py", {"simulate"}),
        ("detector/geometry.py", {"simulate", "convert", "report"}),
        # It lies beside the particles, which all stages import.
        ("detector/lhcb-run3.yaml", set(STAGES)),
        ("performance/intervals.py", {"evaluate", "report"}),
        ("report/page.html", {"report"}),
        ("report/found_display.js", {"report"}),
        # What is derived from settings.
        ("config/samples.py", set(STAGES)),
        ("config/images.py", {"convert", "train", "evaluate", "report"}),
        ("config/tasks.py", {"train", "evaluate", "report"}),
        ("cli/convert.py", set()),
        ("errors.py", set()),
    ],
)
def test_an_edit_changes_the_stages_that_use_it_and_no_other(package, edited, changed):
    folder, versions = package
    before = versions()
    with (folder / edited).open("a") as file:
        file.write("\nEDITED = 1\n")
    after = versions()
    assert {stage for stage in STAGES if after[stage] != before[stage]} == changed


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("imaging/polar.py", '"""Track-centred', '"""In short, track-centred'),
        ("imaging/polar.py", "\n\n\n", "\n\n\n# A comment.\n"),
        # Parameters of rules are the values of settings, after what checks them.
        ("config/samples.py", "shards: Count = 4", "shards: Count = 5\n    more: int = 1"),
        ("config/samples.py", "are more than the events", "exceed the events"),
    ],
)
def test_what_is_not_executed_or_said_by_parameters_changes_nothing(package, file, old, new):
    folder, versions = package
    before = versions()
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert versions() == before


def test_a_derived_default_changes_what_uses_it(package):
    folder, versions = package
    before = versions()
    path = folder / "config" / "samples.py"
    text = path.read_text()
    assert "(500.0, 5000.0)" in text
    path.write_text(text.replace("(500.0, 5000.0)", "(500.0, 4000.0)"))
    assert versions()["simulate"] != before["simulate"]


def test_an_unknown_stage_is_an_error():
    with pytest.raises(ValueError, match=r"hepcnn\.nowhere"):
        code_version("hepcnn.nowhere")


def test_a_record_is_known_by_what_the_file_depends_on():
    def make(**change):
        settings = {"seed": 1, "settings": {"a": 1}, "inputs": {"x.root": "uuid"}} | change
        return record("convert", settings.pop("settings"), code="hepcnn.files", **settings)["id"]

    assert make() == make()
    assert make() == make(inputs={"elsewhere/x.root": "uuid"})
    assert len({make(), make(seed=2), make(settings={"a": 2}), make(inputs={"x": "other"})}) == 4


def test_versions_name_the_package_and_its_libraries():
    assert {"hepcnn", "numpy", "torch"} <= set(provenance.versions())
    assert Path(provenance._PACKAGE).name == "hepcnn"


def _repository(folder: Path, project: str) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    (folder / "hepcnn").mkdir(parents=True, exist_ok=True)
    own = ("-c", "user.name=me", "-c", "user.email=me@here", "commit", "--quiet", "-m", "it")
    for command in (("init", "--quiet"), ("add", "pyproject.toml"), own):
        subprocess.run(["git", "-C", folder, *command], check=True)


def test_the_commit_is_of_hepcnns_own_repository_alone(tmp_path, monkeypatch):
    """Not of one that the environment with hepcnn happens to lie in."""
    _repository(tmp_path, "analysis")
    packages = tmp_path / ".venv" / "site-packages"
    packages.mkdir(parents=True)
    for place, project in ((packages, None), (tmp_path, "analysis"), (tmp_path, "hepcnn")):
        monkeypatch.setattr(provenance, "_PACKAGE", place / "hepcnn")
        provenance.versions.cache_clear()
        if project == "hepcnn":
            _repository(tmp_path, project)
        assert ("git" in provenance.versions()) == (project == "hepcnn")
    provenance.versions.cache_clear()
