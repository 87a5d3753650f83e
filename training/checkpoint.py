"""What an epoch leaves behind, so that a run killed at any moment goes on as if it had not been.

Comes in: a compiled model at the end of each epoch. Goes out: ``best.keras``, ``state.npz`` and
``history.csv``, each written whole or not at all, in this order: the state is the truth, and what is
older than it is written again. Keras' own BackupAndRestore writes in place, forgets the dropout's random
state, and can be an epoch ahead of the history and of the best weights.
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
"""One row an epoch: ``epoch`` (from 0), ``accuracy``, ``loss``, ``val_accuracy``, ``val_loss``."""


class EpochKeeper(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Validates and saves the averaged weights, goes on training with the raw ones.

    Statistics of batch normalisation belong to the weights they were gathered with: those of the averaged
    ones are gathered anew (Izmailov et al. 2018, arXiv 1803.05407).
    """

    def __init__(self, run: Path, history: History, pictures: Callable[[int], Iterable[Floats]]) -> None:
        """Keep a run.

        Args:
            run: Folder of the run.
            history: Epochs it has behind it, from ``restore``.
            pictures: Batches (B, 48, 48, 1) of the training pictures, by epoch from 0, the same each time.
        """
        super().__init__(swap_on_epoch=True)
        self._run, self._history, self._pictures = run, list(history), pictures
        self._averaged: list[Floats] = []  # statistics of the averaged weights, and of the raw ones
        self._raw: list[Floats] = []

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averaged weights in, with statistics of their own."""
        raw = _statistics(self.model)
        super().on_test_begin(logs)
        gather_statistics(self.model, self._pictures(len(self._history)))
        self._averaged, self._raw = _statistics(self.model), raw

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Put the raw ones back."""
        super().on_test_end(logs)
        _put(self.model, self._raw)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the epoch."""
        row = {"epoch": float(epoch), **{name: float(value) for name, value in sorted((logs or {}).items())}}
        best_before = max((past["val_accuracy"] for past in self._history), default=-1.0)
        self._history.append(row)
        state = _packed(self.model, self._history)  # before the averaged weights take the place of the raw
        super().on_epoch_end(epoch, logs)
        if row["val_accuracy"] > best_before:
            _put(self.model, self._averaged)
            staged = self._run / ".best.part.keras"
            self.model.save(staged)
            staged.replace(self._run / "best.keras")
            _put(self.model, self._raw)
        atomic.write(self._run / STATE_NAME, state)
        write_history(self._run, self._history)


def gather_statistics(model: keras.Model, pictures: Iterable[Floats]) -> None:
    """Make the statistics of batch normalisation the means over batches (B, 48, 48, 1) of pictures."""
    layers = _normalising(model)
    usual = [layer.momentum for layer in layers]
    try:
        for count, batch in enumerate(pictures):
            for layer in layers:
                layer.momentum = count / (count + 1)
            model(batch, training=True)
    finally:
        for layer, momentum in zip(layers, usual, strict=True):
            layer.momentum = momentum


def restore(model: keras.Model, run: Path) -> History:
    """Put a model, its optimizer and its random state where the last whole epoch of a run left them.

    Args:
        model: Compiled as the run's was.
        run: Folder of the run; one without a state is a fresh one and changes nothing.

    Returns:
        The epochs behind it.

    Raises:
        RunError: the state is damaged or another network's.
    """
    kept = run / STATE_NAME
    if not kept.exists():
        return []
    variables = _variables(model)
    try:
        with np.load(kept, allow_pickle=False) as state:
            history: History = json.loads(str(state["history"]))
            values = [state[str(index)] for index in range(len(variables))]
            complete = len(state.files) == len(variables) + 1
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise RunError(f"{kept} is damaged: train anew in another --run") from exc
    shapes = zip(variables, values, strict=True)
    if not complete or any(tuple(variable.shape) != value.shape for variable, value in shapes):
        raise RunError(f"{kept} is of another network: train anew in another --run")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    write_history(run, history)
    return history


def write_history(run: Path, history: History) -> None:
    """Write ``history.csv`` anew."""
    lines = [",".join(history[0])] if history else []
    for row in history:
        lines.append(
            ",".join(str(int(value)) if name == "epoch" else str(value) for name, value in row.items())
        )
    atomic.write(run / "history.csv", ("\n".join(lines) + "\n").encode())


def _normalising(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def _moving(model: keras.Model) -> list[Any]:
    return [one for layer in _normalising(model) for one in (layer.moving_mean, layer.moving_variance)]


def _statistics(model: keras.Model) -> list[Floats]:
    return [variable.numpy() for variable in _moving(model)]


def _put(model: keras.Model, statistics: Sequence[Floats]) -> None:
    for variable, value in zip(_moving(model), statistics, strict=True):
        variable.assign(value)


def _packed(model: keras.Model, history: History) -> bytes:
    arrays = {str(index): variable.numpy() for index, variable in enumerate(_variables(model))}
    buffer = io.BytesIO()
    np.savez(buffer, history=np.array(json.dumps(history)), **arrays)
    return buffer.getvalue()


def _variables(model: keras.Model) -> Sequence[Any]:
    """Weights, batch statistics, random state, step count, momenta and moving averages."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]
