"""Sections drawn side by side: the same as one after the other, and no fault is lost."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from hepcnn.errors import InputError
from hepcnn.report import style
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.drawing import draw_all


@style.styled
def _line(slope: int) -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1], [0, slope])
    return figure


def _section(folder: Path, slope: int) -> tuple[Picture, int]:
    picture = Studio(folder).picture(_line(slope), f"line{slope}", alt="", caption="")
    return picture, torch.get_num_threads()


def _refuse() -> None:
    raise InputError("tables/efficiency.json: damaged")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_processes_draw_what_one_does(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    drawn = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        drawn[processes] = draw_all([partial(_section, folder, k) for k in range(3)], processes)
        assert "report: 3/3 sections" in capsys.readouterr().err
    assert drawn[1] == drawn[2]
    assert len({picture.source for picture, _ in drawn[1]}) == 3
    assert {threads for _, threads in drawn[1]} == {1}
    files = {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()}
    assert files.keys() == {f"line{k}.{suffix}" for k in range(3) for suffix in ("pdf", "png")}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "2").iterdir()}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_fault_of_a_section_is_raised(tmp_path: Path, processes: int) -> None:
    with pytest.raises(InputError, match=r"tables/efficiency\.json: damaged"):
        draw_all([_refuse, partial(_section, tmp_path, 1)], processes)


def test_a_killed_process_is_told() -> None:
    with pytest.raises(InputError, match="was killed; was there too little memory"):
        draw_all([_die, _die], 2)
