"""The training of a network as a Lightning module, and what happens around its epochs."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from hepcnn.config import Train
from hepcnn.learning.cpu import channels_last, keep_freed_memory
from hepcnn.learning.hardware import compute_in_32_bits, threads
from hepcnn.learning.loading import EpochDataset, loader, on_device
from hepcnn.learning.progress import TrainingProgress
from hepcnn.learning.training_data import TrainingData
from hepcnn.progress import note, progress
from hepcnn.store.batches import Mirror
from hepcnn.store.order import Order

# Its advice is not for the users of `hepcnn`. Here, because each process of a training imports it.
for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def seed_torch(seed: int, *purpose: int) -> None:
    """Seed torch's global random numbers, which layers such as dropout draw from.

    Parameters
    ----------
    seed : int
        The configuration's seed.
    *purpose : int
        What the numbers are for; others get independent ones.
    """
    state = np.random.SeedSequence(seed, spawn_key=purpose).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def learning_rate(settings: Train, epoch: int) -> float:
    """Give the learning rate of an epoch, from 0.

    ``cosine``: half a cosine from the full rate to 0 at the end (I. Loshchilov, F. Hutter,
    arXiv:1608.03983), a step an epoch.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2


def _line(state: TrainingProgress, seconds: float) -> str:
    """One line on an epoch, for the log."""
    last = state.history[-1]
    best = ", the best so far" if state.best_epoch == state.epoch else ""
    validation = ", ".join(
        f"{name.replace('_', ' ')} {value:.4f}"
        for name, value in last.items()
        if name.startswith("validation_")
    )
    return (
        f"epoch {state.epoch}: loss {last['train_loss']:.4f}, {validation}, {seconds:.1f} s{best}"
    )


class TrainingModule(LightningModule):
    """Trains a network from where its progress stands.

    Epochs are counted in `progress`, not by Lightning: a resumed training is to Lightning a new
    one of fewer epochs, with nothing half-restored.

    Parameters
    ----------
    network : nn.Module
        From `hepcnn.networks.inputs.Inputs` to what the head takes.
    data : TrainingData
        Examples.
    settings : Train
        The settings.
    seed : int
        Seed of all random numbers.
    state : TrainingProgress
        What is done; it is kept up to date.
    folder : Path
        Where the progress is kept after each epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        data: TrainingData,
        settings: Train,
        seed: int,
        state: TrainingProgress,
        folder: Path,
    ) -> None:
        super().__init__()
        if state.epoch:
            network.load_state_dict(state.weights)
        self.network = channels_last(network)
        self.train_head, self.validation_head = data.heads
        self.data = data
        self.settings = settings
        self.seed = seed
        self.state = state
        self.folder = folder

    def setup(self, stage: str) -> None:
        # In each process of the training.
        warnings.simplefilter("ignore")
        self.prepare()
        torch.set_num_threads(threads(self.data.sparse, self.trainer.world_size))

    def prepare(self) -> None:
        """Make this process ready to compute, as fast and as exactly as the settings allow."""
        keep_freed_memory()
        torch.backends.cudnn.deterministic = True
        compute_in_32_bits(self.settings.tf32)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return torch.optim.Adam(
            self.network.parameters(), lr=self.settings.learning_rate, fused=True
        )

    def _dataset(
        self,
        rank: int,
        ranks: int,
        which: NDArray[np.int64],
        order: Order,
        mirrored: Sequence[Mirror] = (),
    ) -> EpochDataset:
        dataset = self.data.preprocessing.dataset(
            self.data.images,
            which,
            self.settings.batch_size,
            rank=rank,
            ranks=ranks,
            target=self.data.labels,
            truth=self.train_head.truth,
            points=self.train_head.wants_points,
            sparse=self.data.sparse,
            order=order,
            mirrored=mirrored,
            seed=self.seed,
        )
        dataset.epoch = self.state.epoch
        return dataset

    def train_dataset(self, rank: int, ranks: int) -> EpochDataset:
        """Give the training's batches of the next epoch, one process's share of each."""
        order: Order = "balanced" if self.settings.balance == "sampler" else "shuffled"
        return self._dataset(rank, ranks, self.data.train, order, self.settings.augment)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        dataset = self.train_dataset(self.trainer.global_rank, self.trainer.world_size)
        self._train_loader = loader(dataset, self.settings.workers)
        return self._train_loader

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        mine = self.trainer.global_rank, self.trainer.world_size
        return loader(self._dataset(*mine, self.data.validation, "stored"), self.settings.workers)

    def transfer_batch_to_device(
        self, batch: dict[str, Any], device: torch.device, dataloader_idx: int
    ) -> dict[str, Any]:
        # Lightning would wait for the copies of sites.
        return on_device(batch, device)

    def on_train_start(self) -> None:
        if self.state.epoch:
            self.trainer.optimizers[0].load_state_dict(self.state.optimizer)
            self.trainer.precision_plugin.load_state_dict(self.state.scaler)

    def on_train_epoch_start(self) -> None:
        epoch = self.state.epoch
        cast(EpochDataset, self._train_loader.dataset).epoch = epoch
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = learning_rate(self.settings, epoch)
        self._start = time.monotonic()
        self.train_head.reset(self.device)
        self.validation_head.reset(self.device)

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        if number == 0:
            # Here, since what Lightning does between epochs draws random numbers too, and differs
            # between a resumed training and one that goes on.
            seed_torch(self.seed, 1, self.state.epoch, self.trainer.global_rank)
        return self.train_head.loss(self.network, batch)

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        self.validation_head.loss(self.network, batch)

    def on_train_epoch_end(self) -> None:
        """Bring the progress up to date; the validation has been."""

        def total(mine: Tensor) -> Tensor:
            return cast(Tensor, self.trainer.strategy.reduce(mine, reduce_op="sum"))

        state = self.state
        train, validation = self.train_head.metrics(total), self.validation_head.metrics(total)
        state.history.append(
            {
                "epoch": state.epoch + 1,
                "learning_rate": learning_rate(self.settings, state.epoch),
                **{f"train_{n}": train[n] for n in ("loss", "accuracy") if n in train},
                **{f"validation_{name}": value for name, value in validation.items()},
            }
        )
        state.weights = {n: w.detach().cpu().clone() for n, w in self.network.state_dict().items()}
        state.optimizer = self.trainer.optimizers[0].state_dict()
        state.scaler = self.trainer.precision_plugin.state_dict()
        if state.best_epoch == state.epoch:
            state.best = state.weights
        self.trainer.should_stop = state.finished(self.settings)
        if self.trainer.is_global_zero:
            state.save(self.folder)
            note(_line(state, time.monotonic() - self._start))


class ShowProgress(Callback):
    """Shows the progress of each epoch's training.

    Parameters
    ----------
    name : str
        What is trained.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = ExitStack()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module = cast(TrainingModule, pl_module)
        if trainer.is_global_zero:
            title = f"{self._name}: epoch {module.state.epoch + 1}/{module.settings.epochs}"
            shown = progress(title, len(module.data.train), "images")
            self._advance = self._shown.enter_context(shown)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            self._advance(len(batch["label"]) * trainer.world_size)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._shown.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._shown.close()
