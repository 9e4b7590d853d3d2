import pytest
import torch

from hepcnn.networks.registry import DETECTORS, NETWORKS, Shape, build, names
from hepcnn.networks.summary import summarise


@pytest.mark.parametrize("name", names())
def test_layers_add_up_to_the_network(name):
    entry = NETWORKS[name]
    with torch.device("meta"):
        network = build(name, entry.shape, entry.classes)
    summary = summarise(network, entry.shape)
    parameters = sum(p.numel() for p in network.parameters())
    assert sum(layer.parameters for layer in summary.layers) == parameters
    assert summary.parameters == summary.trainable == parameters
    if name not in DETECTORS:
        assert summary.layers[-1].shape[0] == entry.classes


def test_the_lecture_network_layer_by_layer():
    layers = summarise(build("lecture_cnn", Shape(1, 1, 32, 32), 6), Shape(1, 1, 32, 32)).layers
    found = {layer.name: (layer.kind, layer.shape, layer.parameters) for layer in layers}
    assert found["conv1"] == ("Conv2d", (32, 30, 30), 320)
    assert found["conv2"] == ("Conv2d", (64, 28, 28), 18_496)
    assert found["pool"] == ("MaxPool2d", (64, 14, 14), 0)
    assert found["flatten"] == ("Flatten", (12_544,), 0)
    assert found["dense1"] == ("Linear", (128,), 1_605_760)
    assert found["dense2"] == ("Linear", (6,), 774)


def test_fixed_parameters_are_not_trainable():
    network = build("lecture_cnn", Shape(1, 1, 32, 32), 6)
    network.conv1.requires_grad_(False)
    summary = summarise(network, Shape(1, 1, 32, 32))
    assert summary.parameters - summary.trainable == 320


def test_the_network_and_the_random_numbers_are_left_alone():
    network = build("lecture_cnn", Shape(1, 1, 32, 32), 6).train()
    network.dropout1.eval()
    state = torch.random.get_rng_state()
    summarise(network, Shape(1, 1, 32, 32))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.training
    assert not network.dropout1.training
    assert not any(module._forward_hooks for module in network.modules())


def test_parameters_outside_layers_and_shared_layers_count_once():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(2))
            self.tower = torch.nn.Linear(4, 4)

        def forward(self, inputs):
            return self.tower(self.tower(inputs.images.flatten(1))) * self.scale.sum()

    summary = summarise(Twice(), Shape(1, 1, 2, 2))
    assert [(layer.name, layer.parameters) for layer in summary.layers] == [("tower", 20), ("", 2)]
    assert summary.parameters == 22
