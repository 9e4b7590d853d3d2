"""Vertices in a file that others wrote, by a network trained on simulated events: the README's."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from matplotlib.image import imread
from precision import PRECISION

from hepcnn.cli.main import main
from hepcnn.report import style
from hepcnn.store.findings_file import read_findings

REAL = Path(__file__).parents[3] / "shared" / "data" / "sbnd_ntuple"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files: {REAL} is not there")

_MINE = {
    "detector": "lartpc", "geometry": "sbnd", "files": ["*.root"], "tree": "ana/AnaTPCTree",
    "channel_map": str(REAL / "mapping.csv"),
    "branches": {
        "run": "RunID", "subrun": "SubRunID", "event": "EventID",
        "hit_channel": "HitsChannel", "hit_time": "HitsPeakTime", "hit_charge": "HitsIntegral",
    },
}  # fmt: skip
_TRUTH = {
    "vertex_x": "TrueVx", "vertex_y": "TrueVy", "vertex_z": "TrueVz",
    "vertex_channel_u": "TrueVU", "vertex_channel_v": "TrueVV", "vertex_channel_y": "TrueVC",
    "vertex_tick": "TrueVTimeTick",
}  # fmt: skip
_PLANES = {"maker": "planes", "shape": [256, 256], "wires_per_pixel": 2, "ticks_per_pixel": 12}
SETTINGS = {
    "samples": {
        "mine": _MINE,
        "known": _MINE | {"branches": _MINE["branches"] | _TRUTH},
        "simulated": {
            "detector": "lartpc",
            "simulate": {"generator": "interactions", "events": 40, "shards": 1},
        },
    },
    "images": {name: {"sample": name} | _PLANES for name in ("mine", "known", "simulated")},
    "tasks": {
        "vertex": {
            "images": "simulated",
            "target": "vertex",
            "networks": {
                "sparse_uresnet": {
                    "options": {"levels": 3, "filters": 4, "blocks": 1},
                    "steps": [{"step": "log"}],
                }
            },
            # Enough to find something.
            "train": {
                "epochs": 6,
                "batch_size": 4,
                "learning_rate": 0.01,
                "precision": PRECISION,
            },
        }
    },
}


def hepcnn(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network, images of real events with and without truth, and what it finds in these."""
    folder = tmp_path_factory.mktemp("real")
    config, events = folder / "c.yaml", folder / "simulated.root"
    config.write_text(yaml.safe_dump(SETTINGS))
    of = ("--config", config)
    hepcnn("simulate", "lartpc", *of, "--sample", "simulated", "-o", events)
    real = REAL / "analyzeItOutput_R2-2_SR1-1.root"
    for name, file in (("simulated", events), ("mine", real), ("known", real)):
        hepcnn("convert", file, *of, "--images", name, "-o", folder / f"{name}.h5")
    task, net = (*of, "--task", "vertex"), folder / "net"
    hepcnn("train", folder / "simulated.h5", *task, "--network", "sparse_uresnet", "-o", net)
    for name in ("mine", "known"):
        of = ("--checkpoint", net / "checkpoint.ckpt", "--split", "all")
        hepcnn("predict", folder / f"{name}.h5", *of, "-o", folder / f"found_{name}.h5")
    return folder


@pytest.mark.parametrize("name", ["known", "mine"])
def test_a_picture_shows_the_found_and_the_true_vertex(folder, monkeypatch, name):
    """Each where the findings have it, in cm; the true one where the file has the truth."""
    drawn, write = [], style.write
    monkeypatch.setattr(
        style, "write", lambda figure, path: (drawn.append(figure), write(figure, path))
    )
    path, picture = folder / f"found_{name}.h5", folder / f"{name}.png"
    hepcnn(
        "display", folder / f"{name}.h5", "--predictions", path, "--event", "2:1:2", "-o", picture
    )
    assert min(imread(picture).shape[:2]) > 500
    findings = read_findings(path)
    assert len(findings) == 10
    assert findings.key["event"][1] == 2
    table, step = findings.tables["candidates"], np.array(findings.pixel_mm) / 10
    own = np.flatnonzero(findings.event_of("candidates") == 1)
    true = findings.columns["vertex_pixel"][1].reshape(3, 2)
    assert np.isfinite(true).all() == (name == "known")
    found = 0
    for v, axes in enumerate(drawn[0].axes[:3]):
        marks = {line.get_marker(): np.ravel(line.get_xydata()) for line in axes.lines}
        if name == "known":
            np.testing.assert_allclose(marks["*"], (true[v] * step)[::-1], rtol=1e-5)
        else:
            assert "*" not in marks
        here = own[table.columns["view"][own] == v]
        if len(here):
            best = here[np.argmax(table.columns["score"][here])]
            place = np.array([table.columns[c][best] for c in ("row", "column")])
            np.testing.assert_allclose(marks["+"], (place * step)[::-1], rtol=1e-5)
            found += 1
    assert found


def test_truth_changes_nothing_that_is_found(folder):
    mine, known = (read_findings(folder / f"found_{name}.h5") for name in ("mine", "known"))
    assert np.isnan(mine.columns["vertex"]).all()
    assert np.isfinite(known.columns["vertex"]).all()
    for name, column in known.tables["candidates"].columns.items():
        np.testing.assert_array_equal(mine.tables["candidates"].columns[name], column)
