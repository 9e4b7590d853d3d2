import errno
import fcntl
import os
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.errors import InputError, nearest
from hepcnn.files import atomic_path, expanded, folders, write_text
from hepcnn.progress import progress


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    write_text(target, "old")

    def fail():
        with atomic_path(target) as path:
            path.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_success_replaces_the_file_and_makes_its_folder(tmp_path):
    target = tmp_path / "new" / "a.csv"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert os.listdir(target.parent) == ["a.csv"]
    assert target.stat().st_mode & 0o444


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write '.*file/a\.csv'"):
        write_text(tmp_path / "file" / "a.csv", "x")


def test_a_folder_in_the_place_of_the_file_is_named_before_any_work(tmp_path):
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pytest.fail("worked for nothing")


def test_nearest_names():
    assert nearest("track_P", ["track_p", "hit_x"]) == "did you mean 'track_p'?"
    assert nearest("zzz", ["track_p", "hit_x"]) == "there are: hit_x, track_p"
    assert nearest("zzz", []) == "there are none"


def test_progress_in_a_log_is_plain_lines(capsys):
    with progress("convert a.root", total=3) as advance:
        advance()
        advance(2)
    assert capsys.readouterr().err == "convert a.root: 3/3 events, 0 s\n"


def test_home_and_variables_are_in_their_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "/data")
    assert expanded("~/a.root") == "/home/me/a.root"
    assert expanded("$DATA/${DATA}x/*.root") == "/data//datax/*.root"
    assert expanded("a~b/$(c)") == "a~b/$(c)"
    with pytest.raises(InputError, match="no variable SCRATCH "):
        expanded("$SCRATCH/results")
    (tmp_path / "a$b").touch()
    assert expanded("a$b") == "a$b"


def test_every_path_of_a_configuration_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", str(tmp_path))
    sample = {"detector": "lartpc", "geometry": "$PLACE/g.yaml", "channel_map": "${PLACE}/m.csv"}
    config = {"output": "$PLACE/out", "samples": {"a": sample | {"files": ["$PLACE/*.root"]}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    done = CliRunner().invoke(main, ["config", "--config", "$PLACE/mine.yaml"])
    assert done.exit_code == 0, done.output
    read = yaml.safe_load(done.stdout)
    assert read["output"] == f"{tmp_path}/out"
    assert read["samples"]["a"]["geometry"] == f"{tmp_path}/g.yaml"
    assert read["samples"]["a"]["channel_map"] == f"{tmp_path}/m.csv"


def test_folders_made_in_vain_are_taken_away(tmp_path):
    def fail():
        with folders(tmp_path / "a" / "b", tmp_path / "c"):
            (tmp_path / "c" / "kept").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path, wrapped):
    def fail():
        full = OSError(errno.ENOSPC, "No space left on device")
        with atomic_path(tmp_path / "new" / "a.h5"):
            if wrapped:
                raise RuntimeError(f"writer failed: {full}")
            raise full

    with pytest.raises(InputError, match=r"^cannot write '.*/a\.h5': No space left on device$"):
        fail()
    assert not list(tmp_path.iterdir())


SIMULATION = {"events": 40, "shards": 1, "tracks": 10, "unreconstructed": 0}
NETWORK = {"architecture": "mlp", "options": {"hidden": [400]}, "train": {"epochs": 1}}
CONFIG = {
    "samples": {"rich": {"simulate": SIMULATION}},
    "images": {"polar": {"sample": "rich", "shape": [16, 16]}},
    "tasks": {"pid": {"images": "polar", "networks": {"mlp": NETWORK}}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    for arguments in COMMANDS[:2]:
        done = hepcnn(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


def hepcnn(folder, *arguments, before=()):
    return subprocess.run(
        [*before, sys.executable, "-c", "from hepcnn.cli.main import main; main()", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )


#: Run a command with a disk of 40 kB at `full`, and list what is left on it.
FULL = ["unshare", "-rm", "sh", "-c"]
MOUNT = "mount -t tmpfs -o size=40k tmpfs full"
FULL_DISK = [*FULL, f'{MOUNT} && "$@"; status=$?; ls -A full; exit $status', "sh"]
COMMANDS = [
    ["simulate", "rich", "--config", "c.yaml", "-o", "a.root"],
    ["convert", "a.root", "--config", "c.yaml", "--images", "polar", "-o", "a.h5"],
    ["train", "a.h5", "--config", "c.yaml", "--task", "pid", "--network", "mlp", "-o", "mlp"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_commands_say_that_they_cannot_write(made, arguments):
    (made / "full").mkdir(exist_ok=True)
    if subprocess.run([*FULL, MOUNT], cwd=made, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    *rest, output = arguments
    done = hepcnn(made, *rest, f"full/new/{output}", before=FULL_DISK)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("hepcnn: error: cannot write '")
    assert "full/new/" in last
    assert last.endswith(": No space left on device")
    assert done.stdout == ""


def test_a_shard_is_read_though_another_process_has_a_lock_on_it(made):
    with (made / "a.h5").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = hepcnn(made, *COMMANDS[2][:-1], "trained")
    assert done.returncode == 0, done.stderr
    assert (made / "trained" / "checkpoint.ckpt").is_file()
