"""The memory that findings take, from images to tables, does not grow with the events."""

import subprocess
import sys

import pytest
from made_up_planes import untrained, write_planes

from hepcnn.store.findings_file import open_findings
from hepcnn.store.images import ImageSet

N, SHAPE = 150, (256, 288)
_START = """
import sys
from pathlib import Path
import numpy as np
import hepcnn.performance.bootstrap, hepcnn.store.blocks
from hepcnn.config import Network, SegmentTask
from hepcnn.learning.prediction import predict
from hepcnn.performance.evaluate import evaluate
from hepcnn.store.findings_file import open_findings

def peak():
    # Not ru_maxrss: a child inherits its parent's.
    lines = open("/proc/self/status").readlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

shard, checkpoint, output = map(Path, sys.argv[1:])
network = {"made_up": Network(architecture="sparse_uresnet")}
task = SegmentTask(images="planes", target="semantic", networks=network)
# As few images are read at once as if they were large; the bootstrap's samples of events are
# numbers of each event, which this is not about.
hepcnn.store.blocks.SPAN = 32
hepcnn.performance.bootstrap.REPLICATES = 2
before = peak()
"""
_PREDICT = 'predict([shard], checkpoint, output, "all")\n'
_EVALUATE = """
evaluate([open_findings(output)], task, "made_up", np.random.default_rng(1))
"""
_END = "print(peak() - before)"


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_events(tmp_path):
    """Ten times the events: the same peak of a prediction, or of both steps in one process.

    What the tables need of an event is kept of all: of an evaluation alone the peak may grow by
    that, which is little beside the pixels.
    """
    options = {"levels": 2, "filters": 4, "blocks": 1}
    checkpoint = tmp_path / "c.ckpt"
    both, alone, pixels = [], [], []
    for n in (N, 10 * N):
        shard, output = write_planes(tmp_path / f"{n}.h5", n, SHAPE), tmp_path / f"found{n}.h5"
        if not checkpoint.exists():
            images = ImageSet(shard)
            untrained(images, "sparse_uresnet", "semantic", options=options).save(checkpoint)
        for steps, peaks in ((_PREDICT + _EVALUATE, both), (_EVALUATE, alone)):
            run = subprocess.run(
                [sys.executable, "-c", _START + steps + _END, shard, checkpoint, output],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            peaks.append(int(run.stdout) / 1024)
        block = next(open_findings(output).blocks()).tables["pixels"]
        size = sum(column.nbytes for column in block.columns.values()) / len(block)
        pixels.append(n * size / 2**20)
    assert both[1] <= 1.3 * both[0], (both, pixels)
    assert alone[1] - alone[0] < 0.5 * (pixels[1] - pixels[0]), (alone, pixels)
