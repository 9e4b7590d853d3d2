import shutil
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

    def version(stage: str) -> str:
        code_version.cache_clear()
        provenance._imports.cache_clear()
        return code_version(stage)

    yield copy, version
    code_version.cache_clear()
    provenance._imports.cache_clear()


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
        ("config/tasks.py", set()),
        ("cli/convert.py", set()),
    ],
)
def test_an_edit_changes_the_stages_that_use_it_and_no_other(package, edited, changed):
    folder, version = package
    before = {stage: version(module) for stage, module in STAGES.items()}
    with (folder / edited).open("a") as file:
        file.write("\n# edited\n")
    after = {stage: version(module) for stage, module in STAGES.items()}
    assert {stage for stage in STAGES if after[stage] != before[stage]} == changed


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
