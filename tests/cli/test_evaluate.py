import subprocess
import sys

import pytest
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.store.predictions import write_predictions


@pytest.fixture
def files(tmp_path, make_predictions):
    paths = [tmp_path / f"{m}.h5" for m in ("majority", "lecture_cnn")]
    for path in paths:
        write_predictions(path, make_predictions(path.stem, n=1000))
    return [str(path) for path in paths]


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *arguments])


def test_prints_the_networks_printout_and_writes_the_tables(tmp_path, files):
    result = run(*files, "--task", "rich_pid", "-o", str(tmp_path / "t"))
    assert result.exit_code == 0, result.output
    assert "Method         | lecture_cnn" in result.output
    assert "K->K,Pr,D" in result.output
    assert result.output == (tmp_path / "t/printout_lecture_cnn.txt").read_text()
    assert (tmp_path / "t/comparison.csv").exists()


def test_csv_is_byte_identical_in_another_process(tmp_path, files):
    program = "from hepcnn.cli.main import main; main()"
    command = [sys.executable, "-c", program, "evaluate", *files, "--task", "rich_pid"]
    for folder in ("a", "b"):
        subprocess.run([*command, "-o", tmp_path / folder], check=True, capture_output=True)
    assert list((tmp_path / "a").glob("*.csv"))
    for path in (tmp_path / "a").glob("*.csv"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "rich_pdi"], "no task 'rich_pdi' in the configuration; did you mean"),
        (["nothing.h5", "--task", "rich_pid"], "nothing.h5"),
    ],
)
def test_bad_input_is_said_and_nothing_is_written(tmp_path, files, arguments, message):
    result = run(*files, *arguments, "-o", str(tmp_path / "t"))
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "t").exists()


def test_a_file_that_is_no_predictions_is_named(tmp_path, files):
    bad = tmp_path / "bad.h5"
    bad.write_text("not HDF5")
    result = run(*files, str(bad), "--task", "rich_pid", "-o", str(tmp_path / "t"))
    assert result.exit_code == 1
    assert "bad.h5" in result.output


def test_needs_no_torch():
    program = "import sys, hepcnn.performance.evaluate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
