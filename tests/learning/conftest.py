"""A toy that is learnt in a second."""

import pytest
import torch
from precision import PRECISION

from hepcnn.config import validate
from hepcnn.detector.labels import POINTS
from hepcnn.detector.particles import SPECIES
from hepcnn.learning.training import train
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads only wait for one another on networks as small as these."""
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes started here
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shards(make_shards, tmp_path):
    return make_shards(tmp_path, events=200)


@pytest.fixture
def make_config():
    """A configuration with a small network; keyword arguments are settings of the training."""

    def maker(seed=1, split=None, networks=None, **settings):
        default = {"mlp": {"options": {"hidden": [16], "dropout": 0.25}}}
        return validate(
            {
                "seed": seed,
                "samples": {"toy": {"files": ["toy.root"]}},
                "images": {"toy": {"sample": "toy"}},
                "tasks": {
                    "pid": {
                        "images": "toy",
                        "networks": networks or default,
                        "train": {
                            "epochs": 3,
                            "batch_size": 32,
                            "learning_rate": 0.01,
                            "precision": PRECISION,
                        }
                        | settings,
                    }
                },
                "split": split or {},
            },
            "test",
        )

    return maker


@pytest.fixture
def run(make_config, shards, tmp_path):
    """Train; the folder of the results."""

    def runner(name="out", images=None, network="mlp", **settings):
        train(images or shards, make_config(**settings), "pid", network, tmp_path / name)
        return tmp_path / name

    return runner


@pytest.fixture
def analytic_shards(make_shards, tmp_path):
    """Images of two views with all that a network can be given beside them."""
    (tmp_path / "analytic").mkdir()
    return make_shards(
        tmp_path / "analytic",
        classes=SPECIES,
        views=("rich1", "rich2"),
        channels=("hits", "expected_other"),
        events=200,
        analytic=True,
    )


#: A network that uses all of it.
OURS = {"aligned": {"options": {"rows": 2, "filters": 4}, "features": ["p", "log_local"]}}


@pytest.fixture
def run_ours(run, analytic_shards):
    """Train our network; the folder of the results."""

    def runner(name="out", **settings):
        return run(name, analytic_shards, "aligned", **{"networks": OURS} | settings)

    return runner


@pytest.fixture
def drawn():
    """Make a batch of one view from drawings; a letter is a class, its capital a second particle.

    Of `PIXEL_CLASSES`, in order, h, m, s, c, d and o; anything else is empty.
    """

    def maker(*drawings, points=()):
        letters = "hmscdo"
        height, width = len(drawings[0]), len(drawings[0][0])
        images = torch.zeros(len(drawings), 1, 1, height, width)
        truth = torch.zeros(len(drawings), 1, 2, height, width)
        for b, drawing in enumerate(drawings):
            for row, line in enumerate(drawing):
                for column, letter in enumerate(line):
                    if letter.lower() not in letters:
                        continue
                    kind = letters.index(letter.lower())
                    particle = -1 if letter == "o" else 2 * kind + letter.isupper()
                    images[b, 0, 0, row, column] = 1
                    truth[b, 0, :, row, column] = torch.tensor([kind + 1, particle + 1])
        rows = [[b, 0, *place, POINTS.index(kind)] for b, kind, *place in points]
        return {
            "images": images,
            "features": torch.zeros(len(drawings), 0),
            "expected": torch.zeros(len(drawings), 1, 0, 2),
            "log_likelihood": torch.zeros(len(drawings), 0, 0),
            "truth": truth,
            "points": torch.tensor(rows, dtype=torch.float32).view(-1, 5),
        }

    return maker


@pytest.fixture
def answers():
    """Make a network that answers at the sites of its images with a function of those sites."""

    class Answers(torch.nn.Module):
        def __init__(self, values):
            super().__init__()
            self.values = values

        def forward(self, inputs):
            sites, _ = Sites.occupied(inputs.images.flatten(0, 1))
            return AtSites(sites, self.values(sites))

    return Answers
