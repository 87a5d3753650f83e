"""Checkpoints: a run that is killed at any moment continues with the same results as one that was not.

After each epoch ``best.keras``, ``state.npz`` and ``history.csv`` are written atomically, in this order.
``state.npz`` is authoritative: a history older than the state is written again from it. Keras' own
BackupAndRestore writes in place, does not save the random state of dropout, and can be an epoch ahead of the
history and of the best weights.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from inference.arrays import Floats
from training import atomic
from training.errors import RunError

STATE_NAME: Final = "state.npz"

History = list[dict[str, float]]
"""One row per epoch: ``epoch`` (from 0), ``accuracy``, ``loss``, ``val_accuracy``, ``val_loss``."""


class CheckpointCallback(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Validates and saves the averaged weights; training continues with the raw weights.

    Batch-normalisation statistics are valid only for the weights they were computed with, so they are
    computed again for the averaged weights (Izmailov et al. 2018, arXiv 1803.05407).
    """

    def __init__(self, run: Path, history: History, batches: Callable[[int], Iterable[Floats]]) -> None:
        """Attach to a run.

        Args:
            run: Folder of the run.
            history: Epochs completed so far, from ``restore``.
            batches: Training images (B, 48, 48, 1) by epoch, from 0; the same on every call.
        """
        super().__init__(swap_on_epoch=True)
        self._run, self._history, self._batches = run, list(history), batches
        # Batch-normalisation statistics that belong to the averaged and to the raw weights.
        self._averaged_statistics: list[Floats] = []
        self._raw_statistics: list[Floats] = []

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Swap in the averaged weights and compute their statistics."""
        raw = _statistics(self.model)
        super().on_test_begin(logs)
        recompute_statistics(self.model, self._batches(len(self._history)))
        self._averaged_statistics, self._raw_statistics = _statistics(self.model), raw

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Swap the raw weights back in."""
        super().on_test_end(logs)
        _set_statistics(self.model, self._raw_statistics)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the state, and the averaged weights if they are the best so far."""
        row = {"epoch": float(epoch), **{name: float(value) for name, value in sorted((logs or {}).items())}}
        best_before = max((past["val_accuracy"] for past in self._history), default=-1.0)
        self._history.append(row)
        # Taken now, because super() swaps the averaged weights in.
        state = _state_bytes(self.model, self._history)
        super().on_epoch_end(epoch, logs)
        if row["val_accuracy"] > best_before:
            _set_statistics(self.model, self._averaged_statistics)
            staged = self._run / ".best.part.keras"
            self.model.save(staged)
            staged.replace(self._run / "best.keras")
            _set_statistics(self.model, self._raw_statistics)
        atomic.write(self._run / STATE_NAME, state)
        write_history(self._run, self._history)


def recompute_statistics(model: keras.Model, batches: Iterable[Floats]) -> None:
    """Set the batch-normalisation statistics to their means over batches (B, 48, 48, 1) of images."""
    layers = _batch_normalisations(model)
    momenta = [layer.momentum for layer in layers]
    try:
        for count, batch in enumerate(batches):
            for layer in layers:
                # The moving average of Keras becomes the plain mean of the batches so far.
                layer.momentum = count / (count + 1)
            model(batch, training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def restore(model: keras.Model, run: Path) -> History:
    """Restore a model, its optimizer and its random state from a run's last complete epoch.

    Args:
        model: Compiled like the run's model.
        run: Folder of the run; without a saved state nothing changes.

    Returns:
        The completed epochs.

    Raises:
        RunError: the state is damaged or belongs to another network.
    """
    path = run / STATE_NAME
    if not path.exists():
        return []
    variables = _variables(model)
    try:
        with np.load(path, allow_pickle=False) as state:
            history: History = json.loads(str(state["history"]))
            values = [state[str(index)] for index in range(len(variables))]
            complete = len(state.files) == len(variables) + 1
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise RunError(f"{path} is damaged: start again with another --run") from exc
    pairs = zip(variables, values, strict=True)
    if not complete or any(tuple(variable.shape) != value.shape for variable, value in pairs):
        raise RunError(f"{path} belongs to another network: start again with another --run")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    write_history(run, history)
    return history


def write_history(run: Path, history: History) -> None:
    """Write ``history.csv``, replacing an older one."""
    lines = [",".join(history[0])] if history else []
    for row in history:
        lines.append(
            ",".join(str(int(value)) if name == "epoch" else str(value) for name, value in row.items())
        )
    atomic.write(run / "history.csv", ("\n".join(lines) + "\n").encode())


def _batch_normalisations(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def _statistics_variables(model: keras.Model) -> list[Any]:
    return [
        variable
        for layer in _batch_normalisations(model)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def _statistics(model: keras.Model) -> list[Floats]:
    return [variable.numpy() for variable in _statistics_variables(model)]


def _set_statistics(model: keras.Model, statistics: Sequence[Floats]) -> None:
    for variable, value in zip(_statistics_variables(model), statistics, strict=True):
        variable.assign(value)


def _state_bytes(model: keras.Model, history: History) -> bytes:
    arrays = {str(index): variable.numpy() for index, variable in enumerate(_variables(model))}
    buffer = io.BytesIO()
    np.savez(buffer, history=np.array(json.dumps(history)), **arrays)
    return buffer.getvalue()


def _variables(model: keras.Model) -> Sequence[Any]:
    """Weights, batch-normalisation statistics, random state, step count, momenta and averaged weights."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]
