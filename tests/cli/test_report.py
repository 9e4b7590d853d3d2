"""`hepcnn report` as it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import Config


def _file(config: Config, folder: Path) -> str:
    path = folder / "config.json"
    path.write_text(config.model_dump_json(), encoding="utf-8")
    return str(path)


def test_the_page_goes_into_the_results_folder(
    make_results: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_results(tmp_path / "results", {}, events=8, classes=("pion", "kaon"))
    result = CliRunner().invoke(main, ["report", "--config", _file(config, tmp_path)])
    assert result.exit_code == 0, result.output
    assert (
        (tmp_path / "results" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")
    )


def test_a_missing_result_is_an_error_with_a_status(tmp_path: Path) -> None:
    config = _file(Config(output=str(tmp_path / "nothing")), tmp_path)
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["report", "--config", config, "-o", str(page)])
    assert result.exit_code == 1
    assert "no image shard" in result.output
    assert not page.exists()
