"""Findings are evaluated a block of events at a time: the tables must not tell."""

import dataclasses

import numpy as np
import pytest
from made_up_found import SHAPE, TASKS, made_up_findings
from made_up_planes import write_planes

from hepcnn.errors import InputError
from hepcnn.performance.evaluate import evaluate
from hepcnn.store.findings_file import open_findings, write_findings
from hepcnn.store.images import ImageSet

N = 16


@pytest.fixture
def written(tmp_path):
    """Writes the findings of two methods for a task, a block at a time."""
    images = ImageSet(write_planes(tmp_path / "0000.h5", N, SHAPE))

    def write(name):
        task, paths = TASKS[name], []
        for noise, method in zip((0.1, 0.4), task.methods, strict=False):
            found = made_up_findings(images, name, task.target, method, noise)
            paths.append(tmp_path / f"{method}.h5")
            write_findings(paths[-1], found.blocks())
        return paths

    return write


def tables(paths, name):
    found = [open_findings(path) for path in paths]
    evaluated = evaluate(found, TASKS[name], name, np.random.default_rng(1))
    return [(t.name, t.caption, t.columns, t.csv()) for t in evaluated.tables]


@pytest.mark.parametrize("name", TASKS)
def test_tables_do_not_depend_on_the_blocks(name, written, monkeypatch):
    """Neither on those that are written nor on those that are read."""
    made = []
    for write, read in ((1, 7), (7, 1), (N, N)):
        monkeypatch.setattr("hepcnn.store.findings.EVENTS", write)
        paths = written(name)
        monkeypatch.setattr("hepcnn.store.findings.EVENTS", read)
        made.append(tables(paths, name))
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("name", "table", "column"), [("ssnet", "pixels", "semantic"), ("points", "points", "row")]
)
def test_other_truth_in_the_last_block_is_refused(name, table, column, written, monkeypatch):
    monkeypatch.setattr("hepcnn.store.findings.EVENTS", 5)
    paths = written(name)
    found = [open_findings(path).take(np.arange(N)) for path in paths]
    rows = found[1].tables[table]
    values = rows.columns[column].copy()
    values[-1] = values[-1] + 1 if values[-1] < 5 else 0
    changed = found[1].tables | {table: rows.with_columns(**{column: values})}
    write_findings(paths[1], dataclasses.replace(found[1], tables=changed).blocks())
    with pytest.raises(InputError, match=f"disagree on the true {column} of the {table}"):
        tables(paths, name)
