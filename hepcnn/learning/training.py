"""Training of one network for one task: image shards in, a checkpoint and its history out."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import nn

from hepcnn.config import Config, Train, entry, network_of, number_of
from hepcnn.errors import InputError
from hepcnn.files import folders, write_text
from hepcnn.learning.anchors import with_anchors
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.hardware import Hardware, choose, threads, threads_of_torch
from hepcnn.learning.image_statistics import image_statistics
from hepcnn.learning.module import ShowProgress, TrainingModule, seed_torch
from hepcnn.learning.prediction import posteriors
from hepcnn.learning.progress import TrainingProgress
from hepcnn.learning.timing import fastest, wrong_layer
from hepcnn.learning.training_data import TrainingData, training_data
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import DETECTORS, Shape, build
from hepcnn.performance.temperature import fit_temperature
from hepcnn.progress import note
from hepcnn.provenance import record
from hepcnn.store.images import ImageSet
from hepcnn.store.order import balanced

CHECKPOINT, HISTORY = "checkpoint.ckpt", "history.csv"


def train(
    paths: Sequence[Path], config: Config, task_name: str, network_name: str, output: Path
) -> None:
    """Train a network; go on where a killed training of the same stopped.

    The network's weights are those of the epoch with the lowest validation loss. Equal inputs,
    settings and seed give equal weights, bit by bit, whether the training was interrupted or not:
    its progress is kept after each epoch, and an epoch is a function of its number and the state
    before it. A killed training repeats the epoch it was in.

    Bit by bit holds on CPUs of one kind with the same precision, the same numbers of threads and
    processes, and the same versions of torch and hepcnn; with others the last bits differ.
    ``precision: fastest`` is measured, so that two trainings may choose differently; one that goes
    on keeps its choice. On a GPU convolutions are deterministic, but CUDA leaves open in which
    order some sums are added up: there the last bits can differ from run to run.

    Several processes share each batch. On GPUs batch normalisation is over the whole batch. On a
    CPU torch has no such normalisation: each process takes the mean and variance of its own part
    of the batch, and what is kept is the first one's. There, threads, the default, are better.

    Parameters
    ----------
    paths : sequence of Path
        Image shards.
    config : Config
        The configuration: the task, the split and the seed count.
    task_name, network_name : str
        Names of the task and of one of its networks, or NETWORK@2 and so on of a further training:
        see `hepcnn.config.trainings`.
    output : Path
        Folder that ``checkpoint.ckpt`` and ``history.csv`` are put in at the end. Until then
        the progress lies beside it, in ``.NAME.progress-HASH`` with a hash of all that the result
        depends on.

    Raises
    ------
    InputError
        If the settings or the images are not possible, the training or the validation split has
        too few examples, the output cannot be written, or the training diverges.
    """
    task = entry(config.tasks, task_name, "task")
    chosen = entry(task.trainings, network_name, "network")
    architecture = chosen.architecture or network_of(network_name)
    settings = task.train_of(network_name)
    seed = _seed(config.seed, number_of(network_name))
    images = ImageSet(paths)
    made_of = {
        "task": task_name,
        "target": task.target,
        "network": network_name,
        "architecture": architecture,
        "options": chosen.options,
        "sees": chosen.model_dump(include={"views", "channels", "features", "steps"}),
        "train": settings.model_dump(),
        "split": config.split.model_dump(),
    }
    inputs = dict(zip(map(str, images.paths), images.ids, strict=True))
    provenance = record("train", made_of, code=__name__, inputs=inputs, seed=seed)
    data = training_data(images, task.target, architecture, config.split, settings, chosen)
    hardware = choose(settings)
    folder = output.resolve()
    work = folder.parent / f".{folder.name}.progress-{provenance['id']}"

    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice, and torch's own news
        seed_torch(seed, 0)
        shape = data.preprocessing.shape
        outputs = data.heads[0].outputs
        options = with_anchors(data, architecture, chosen.options)
        network = build(architecture, shape, outputs, **options)
        # What a detector normalises has many places, in one image too.
        if settings.batch_size <= hardware.devices and architecture not in DETECTORS:
            _check_single(network, shape)
        with folders(output, work):
            progress = TrainingProgress.load(work)
            module = TrainingModule(network, data, settings, seed, progress, work)
            with threads_of_torch(threads(data.sparse, hardware.devices)):
                state = _finish(module, hardware, f"{task_name}/{network_name}")
    trained = Checkpoint(
        task=task_name,
        name=network_name,
        target=task.target,
        architecture=architecture,
        options=options,
        preprocessing=data.preprocessing,
        image_statistics=image_statistics(images, data.train),
        split=config.split,
        outputs=outputs,
        train=settings.model_dump(mode="json"),
        prior=data.prior,
        temperature=1.0,
        history=state.history,
        provenance=provenance,
        weights=state.best,
    )
    if data.labels is not None:
        temperature = _temperature(trained, data, settings, seed)
        trained = replace(trained, temperature=temperature)
    _write(trained, state, output)


def _seed(seed: int, number: int) -> int:
    """The seed of a training by its number: the first has the configuration's own."""
    if number == 1:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _write(trained: Checkpoint, state: TrainingProgress, output: Path) -> None:
    """Write the results, and take the progress away."""
    trained.save(output / CHECKPOINT)
    write_text(output / HISTORY, _csv(state.history))
    note(f"{output / CHECKPOINT}: the weights of epoch {state.best_epoch} of {state.epoch}")
    # Also what other settings or older code may have left unfinished for this output.
    folder = output.resolve()
    for left in folder.parent.glob(f".{folder.name}.progress-*"):
        shutil.rmtree(left, ignore_errors=True)


def _finish(module: TrainingModule, hardware: Hardware, name: str) -> TrainingProgress:
    """Train a module from where its progress stands to the end.

    Raises
    ------
    InputError
        If the training diverges.
    """
    if module.state.epoch:
        note(f"{name}: going on after epoch {module.state.epoch}, from {module.folder}")
    if not module.state.finished(module.settings):
        fit(module, hardware, name)
    # What was trained may have been a copy of the module, in another process.
    state = TrainingProgress.load(module.folder)
    if state.diverged:
        raise InputError(
            f"{name}: the training diverged in epoch {state.epoch}: its loss is not a number; "
            f"lower train.learning_rate ({module.settings.learning_rate:g})"
        )
    return state


def _check_single(network: nn.Module, shape: Shape) -> None:
    """Refuse batches of one example where batch normalisation has nothing to take the mean of."""
    try:
        with torch.inference_mode(), torch.device("meta"):  # shapes only
            deepcopy(network).to("meta").train()(Inputs.zeros(shape))
    except ValueError as error:
        raise InputError(
            f"train.batch_size: a process has one example a step, too few for this network: {error}"
        ) from error


def _check_bf16(module: TrainingModule) -> None:
    """Refuse bf16 on a CPU where PyTorch computes it wrongly."""
    if layer := wrong_layer(module):
        raise InputError(
            f"train.precision: bf16: '{layer}' sees maps of one column, of which PyTorch computes "
            "wrong gradients in bf16 on a CPU; use 32, or larger images"
        )


def _temperature(trained: Checkpoint, data: TrainingData, settings: Train, seed: int) -> float:
    """Fit the temperature on the validation split, in the mixture that the scores stand under."""
    title = f"{trained.task}/{trained.name}: temperature"
    scores = posteriors(trained, data.images, data.validation, title)
    labels = data.images.labels(trained.target)[data.validation]
    rows = np.arange(len(labels))
    if settings.balance != "none":
        rows = balanced(rows, labels, np.random.default_rng(seed))
    return fit_temperature(scores[rows], labels[rows])


def fit(
    module: TrainingModule, hardware: Hardware, name: str, callbacks: Sequence[Callback] = ()
) -> None:
    """Train a module to its end, showing the progress under a name."""
    gpu, several = hardware.accelerator == "gpu", hardware.devices > 1
    precision = hardware.precision or fastest(module, gpu, hardware.devices, name)
    if precision == "bf16-mixed" and not gpu:
        _check_bf16(module)
    note(
        f"{name}: {len(module.data.train)} training and {len(module.data.validation)} validation "
        f"images, {hardware.devices} × {hardware.accelerator}, {precision}"
    )
    if several and not gpu and _normalises(module.network):
        note(f"{name}: batch normalisation is over each process's part of a batch, not the whole")
    trainer = Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        strategy="ddp_spawn" if several else "auto",
        precision=precision,
        sync_batchnorm=several and gpu,  # torch has none for CPUs
        max_epochs=module.settings.epochs - module.state.epoch,
        callbacks=[ShowProgress(name), *callbacks],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        # Not a batch system's: one job is one training, whatever the job's environment says.
        plugins=[LightningEnvironment()],
    )
    trainer.fit(module)


def _normalises(network: nn.Module) -> bool:
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())


def _csv(history: list[dict[str, float]]) -> str:
    lines = [",".join(history[0])]
    lines += [",".join(f"{value:.8g}" for value in row.values()) for row in history]
    return "\n".join(lines) + "\n"
