import numpy as np
import pytest
import torch

from hepcnn.detector.labels import POINTS
from hepcnn.learning.heads.detection import DetectionHead, MaskHead
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import Shape, build

SHAPE = Shape(2, 1, 64, 48)


def batch_of(examples=2, **more):
    inputs = Inputs.zeros(SHAPE, examples)
    return inputs._asdict() | more


def crosses(examples=3):
    """A cross in every view but the last, with the vertex at its middle and points about it."""
    batch = batch_of(examples)
    numbers, points = np.random.default_rng(1), []
    for number in range(2 * examples - 1):
        row, column = numbers.integers(10, (54, 38))
        image = batch["images"][number // 2, number % 2, 0]
        image[row - 6 : row + 7, column] = image[row, column - 6 : column + 7] = 1
        where = [number // 2, number % 2]
        points.append([*where, row + 0.5, column + 0.5, POINTS.index("vertex")])
        points.append([*where, row + 6.5, column + 0.5, POINTS.index("track_end")])
        points.append([*where, -5.0, column, POINTS.index("vertex")])  # outside
    batch["points"] = torch.tensor(points, dtype=torch.float32)
    return batch


class Oracle(torch.nn.Module):
    """Finds what it is told, its losses are 2 and 1."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def forward(self, inputs, targets=None):
        if targets is None:
            return self.found
        self.draw = torch.rand(())
        return {"a": torch.tensor(2.0), "b": torch.tensor(1.0)}


def found(boxes, masks=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    scores = torch.linspace(0.9, 0.5, len(boxes))
    objects = {"boxes": boxes, "scores": scores, "labels": torch.ones(len(boxes)).long()}
    return objects if masks is None else objects | {"masks": masks}


def test_targets_are_boxes_around_the_vertices_inside():
    batch, head = crosses(), DetectionHead((8, 6))
    targets = head.targets(batch)
    assert [len(target["boxes"]) for target in targets] == [1, 1, 1, 1, 1, 0]
    row, column = batch["points"][0, 2:4]
    x1, y1, x2, y2 = targets[0]["boxes"][0]
    assert ((y1 + y2) / 2, (x1 + x2) / 2) == (row, column)
    assert (y2 - y1, x2 - x1) == (16, 12)
    assert targets[0]["labels"].tolist() == [1]


def test_metrics_of_known_detections():
    """Of three views with a vertex: found, missed by 5 pixels, nothing found."""
    points = [[0, 0, 20, 20, 0], [0, 1, 30, 20, 0], [1, 0, 40, 20, 0]]
    batch = batch_of(points=torch.tensor(points, dtype=torch.float32))
    told = [
        found([[12, 12, 28, 28], [0, 0, 9, 9]]),
        found([[12, 27, 28, 43]]),
        found([]),
        found([]),
    ]
    head, oracle = DetectionHead((8, 8)), Oracle(told)
    assert head.loss(oracle.train(), batch) == 3
    assert "accuracy" not in head.metrics()
    head.loss(oracle.eval(), batch)
    assert head.metrics() == {"loss": 3, "accuracy": pytest.approx(1 / 3)}
    assert head.metrics(lambda mine: mine * 2) == head.metrics()
    head.reset()
    assert head.metrics()["loss"] == 0


def test_the_losses_of_an_evaluation_draw_the_same_numbers_and_leave_the_generator_alone():
    head, oracle, batch = DetectionHead((8, 8)), Oracle([found([])] * 4).eval(), batch_of()
    batch["points"] = torch.zeros(0, 5)
    state, drawn = torch.random.get_rng_state(), []
    for _ in range(2):
        head.loss(oracle, batch)
        drawn.append(oracle.draw)
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_clipped_box_is_around_what_it_was_made_around():
    head = DetectionHead((8, 6))
    points = torch.tensor([[3.0, 20], [60, 45], [30, 20], [2, 46]])
    batch = batch_of(points=torch.tensor([[0, 0, *p, 0] for p in points.tolist()]))
    boxes = head.targets(batch)[0]["boxes"]
    torch.testing.assert_close(head.places(boxes, (64, 48)), points)


def test_predictions_are_candidates_by_image():
    told = [
        found([]),
        found([[10, 20, 22, 36], [1, 2, 13, 18]]),
        found([]),
        found([[5, 0, 17, 10]]),
    ]
    head = DetectionHead((8, 6))
    candidates = head.predict(Oracle(told), batch_of())
    assert candidates["image"].tolist() == [1, 1, 3]
    assert candidates["place"].tolist() == [[28, 16], [10, 7], [2, 11]]
    assert candidates["box"][0].tolist() == [20, 10, 36, 22]
    assert candidates["score"].tolist() == pytest.approx([0.9, 0.5, 0.9])
    assert candidates["kind"].dtype == np.uint8
    nothing = head.predict(Oracle([found([])] * 4), batch_of())
    assert nothing["place"].shape == (0, 2)


def test_one_stage_finds_the_vertex_after_a_few_steps():
    batch, head = crosses(), DetectionHead((8, 8))
    torch.manual_seed(1)
    network = build("one_stage", SHAPE, head.outputs, width=8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(head.loss(network, batch))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]
    head.reset()
    with torch.no_grad():
        for _ in range(30):  # the running statistics catch up
            network(Inputs.of(batch))
        head.loss(network.eval(), batch)
    assert head.metrics()["accuracy"] == 1


def particles():
    """View 0: a track of ten pixels, one of twelve, one of three, and noise."""
    batch = batch_of(1, truth=torch.zeros(1, 2, 2, *SHAPE.sides))
    image, instance = batch["images"][0, 0, 0], batch["truth"][0, 0, 1]
    for number, where in enumerate([np.s_[5, 2:12], np.s_[20:32, 7], np.s_[40:43, 40]]):
        image[where], instance[where] = 1, number + 1
    image[60, 1] = 1
    batch["truth"][0, 0, 0] = (instance > 0) * 2
    return batch


def test_targets_are_the_masks_of_particles_large_enough():
    first, second = MaskHead(least=5).targets(particles())
    assert first["boxes"].tolist() == [[2, 5, 12, 6], [7, 20, 8, 32]]
    assert first["masks"].sum(dim=(1, 2)).tolist() == [10, 12]
    assert first["masks"].dtype == torch.uint8
    assert second["masks"].shape == (0, *SHAPE.sides)


def test_pixels_belong_to_the_best_mask_that_they_are_in():
    batch, head = particles(), MaskHead()
    masks = torch.zeros(3, 1, *SHAPE.sides)
    masks[0, 0, :10] = 0.9
    masks[1, 0, 50:, 40:] = 0.9  # nothing there
    masks[2, 0, :30] = 0.9
    masks[2, 0, 30:40] = 0.4
    told = [found([[0, 0, 48, 10]] * 3, masks), found([], masks[:0])]
    clusters = head.predict(Oracle(told), batch)
    row = clusters["place"][:, 0]
    assert clusters["found"].tolist() == np.select([row < 10, row < 30], [0, 2], -1).tolist()
    assert clusters["cluster"].tolist() == [0, 2]
    assert clusters["cluster_image"].tolist() == [0, 0]
    assert clusters["cluster_score"].tolist() == pytest.approx([0.9, 0.5])
    assert clusters["instance"].tolist() == [0] * 10 + [1] * 12 + [2] * 3 + [-1]
    nothing = head.predict(Oracle([found([], masks[:0])] * 2), batch)
    assert set(nothing["found"]) == {-1}


def test_mask_rcnn_trains_and_clusters():
    batch, head = particles(), MaskHead()
    torch.manual_seed(1)
    chosen = {"backbone": "tower", "maps": 16, "hidden": 32, "proposals": 20}
    network = build("mask_rcnn", SHAPE, head.outputs, **chosen)
    loss = head.loss(network, batch)
    loss.backward()
    with torch.no_grad():
        head.loss(network.eval(), batch)
    assert np.isfinite(head.metrics()["loss"])
    assert len(head.predict(network, batch)["found"]) == 26
