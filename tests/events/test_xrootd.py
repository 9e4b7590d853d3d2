"""Reading over root:// from a server on this machine, where the parts for it are installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from made_up_events import NATIVE_SAMPLE, assert_same, make_events, write_native

from hepcnn.errors import InputError
from hepcnn.events.reading import read_rich
from hepcnn.events.sources import FileSpec, expand_files, fingerprint

pytest.importorskip("XRootD", reason="the Python package xrootd is not installed")
SERVER = shutil.which("xrootd") or pytest.skip("no xrootd server here", allow_module_level=True)
AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def folder():
    """A folder that the server's own user can read; pytest's are private."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "data").mkdir()
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder):
    """Address of a server that exports FOLDER/data as /data."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = folder / "work"
    work.mkdir()
    config = folder / "xrootd.cfg"
    config.write_text(
        f"all.export /data\noss.localroot {folder}\nxrd.port {port}\nxrd.network nodnr\n"
        f"all.adminpath {work}\nall.pidpath {work}\n"
    )
    if AS_ROOT:  # the server refuses to run as root
        shutil.chown(work, "xrootd")
    user = {"user": "xrootd", "group": "xrootd", "extra_groups": []} if AS_ROOT else {}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [SERVER, "-c", str(config), "-n", "test"], stdout=log, stderr=log, cwd=work, **user
        )
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail((folder / "log").read_text())
        yield f"root://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


def test_events_are_the_same_over_the_network(folder, server):
    events = make_events(50)
    path = write_native(folder / "data" / "a.root", events)
    spec = FileSpec(f"{server}/data/a.root", "events")
    [chunk] = read_rich(spec, NATIVE_SAMPLE, hit_truth=True)
    assert_same(chunk, events)
    assert fingerprint(spec) == fingerprint(FileSpec(str(path)))


def test_globs_on_a_server(folder, server):
    for name in ("g2.root", "g1.root"):
        write_native(folder / "data" / name, make_events())
    found = expand_files([f"{server}/data/g*.root:events"])
    assert [str(spec) for spec in found] == [f"{server}/data/g{i}.root:events" for i in (1, 2)]
    with pytest.raises(InputError, match=r"no file matches 'root://.*/none\*"):
        expand_files([f"{server}/data/none*.root"])


def test_a_missing_file_on_a_server_is_named(server):
    with pytest.raises(InputError, match=r"'root://.*/none\.root'.*no such file"):
        fingerprint(FileSpec(f"{server}/data/none.root"))
