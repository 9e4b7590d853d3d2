"""`hepcnn run`: what it refuses before Snakemake starts."""

import re

import pytest
from click.testing import CliRunner

from hepcnn.cli import run
from hepcnn.cli.main import main


def refused(*arguments):
    result = CliRunner().invoke(main, ["run", *arguments])
    assert result.exit_code == 1
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table"], "no target 'table'; did you mean 'tables'?"),
        (["--confg", "mine.yaml"], "no option '--confg'; did you mean '--config'?"),
        (["--configfile=mine.yaml"], "no option '--configfile'; did you mean '--config'?"),
        (["--core", "2"], "no option '--core'; did you mean '--cores'?"),
    ],
)
def test_mistakes_are_said_at_once(arguments, words):
    assert words in refused(*arguments)


def test_the_targets_are_rules_of_the_workflow():
    root = run.snakefile().parent
    files = [root / "Snakefile", *(root / "workflow" / "rules").glob("*.smk")]
    rules = {name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)}
    assert set(run.TARGETS) <= rules


def test_a_configuration_that_is_not_there_is_said_with_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"'mine.yaml' is not in {tmp_path}" in refused("--config", "mine.yaml")


@pytest.mark.parametrize(
    ("given", "quiet"),
    [
        ([], True),
        (["tables", "--profile", "config"], True),
        (["-n"], False),
        (["--verbose"], False),
    ],
)
def test_snakemakes_own_lines_are_left_out_unless_asked_for(given, quiet, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    started = []

    class Done:
        returncode = 0

    monkeypatch.setattr(run.subprocess, "run", lambda command, **_: started.append(command) or Done)
    assert CliRunner().invoke(main, ["run", *given]).exit_code == 0
    assert ("--quiet" in started[0]) == quiet
