"""The options of a training run and the files in its folder. Needs no TensorFlow.

``config.json``: the options. ``history.csv``: one line per epoch. ``best.keras``: the averaged weights of the
epoch with the best accuracy on PublicTest. ``state.npz``: the state from which the next epoch starts.
``curves.svg``: the history as a chart. ``framings.npy``, with ``--framed`` only: how our face detector frames
the training images.
"""

from __future__ import annotations

import csv
import json
import subprocess
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from inference.emotions import CROP_PX
from training import atomic
from training.augment import Ranges
from training.dataset import Split, hold_back, load
from training.errors import RunError

ARCHITECTURE_NAMES: Final = ("cnn", "deep", "teacher", "resnet50")
"""Values of ``--arch``; ``training.models.ARCHITECTURES`` builds the networks."""

HELD_BACK_SHARE: Final = 0.05
"""Share of the training images that are not trained on; the temperature is fitted on them."""

DEFAULT_SEED: Final = 1
"""Decides the initial weights, the order of the images, and which images are held back."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of a run, saved beside its weights.

    Attributes:
        data: Data set, in a layout of ``training.dataset``.
        run: Folder of the run.
        arch: Name in ``ARCHITECTURE_NAMES``.
        epochs: Length of the whole schedule in epochs.
        minutes: Stop after the first epoch that ends past this many minutes; None for no limit.
        batch: Images per batch.
        rate: Highest learning rate.
        seed: Seed of weights, order and augmentation.
        limit: Train on this many images only (for tests); None for all.
        votes: Weight of the FER+ votes against FER-2013's own label in the first epoch, 0..1.
        votes_end: The same weight in the last epoch; in between it changes linearly.
        ease: Share of the augmentation left in the last epoch, 0..1, reached linearly.
        smoothing: Label smoothing, 0..1.
        average: Time constant of the moving average of the weights, epochs.
        warm_start: ``.keras`` file with the initial weights, of the same network, a narrower or a shallower
            one; None for random weights.
        weights: For ``resnet50``: ``imagenet`` (Keras downloads them), or a file of Keras weights without the
            top layer; None for random weights.
        teacher: ``.keras`` file whose predictions are part of the targets; None for no distillation.
        distil: Weight of the teacher's predictions in the targets, 0..1.
        balance: Extra weight of rare expressions: 0 for none, 1 until all expressions count the same.
        side: Side of the central square that the network uses, pixels of 48.
        bfloat16: Compute convolutions in bfloat16: faster on a CPU that supports it, sums differ in the last
            digits.
        ranges: How strongly images are augmented.
    """

    data: Path
    run: Path
    arch: str = "cnn"
    epochs: int = 30
    minutes: float | None = None
    batch: int = 128
    rate: float = 0.05
    seed: int = DEFAULT_SEED
    limit: int | None = None
    votes: float = 0.0
    votes_end: float = 0.0
    ease: float = 1.0
    smoothing: float = 0.1
    average: float = 0.1
    warm_start: Path | None = None
    weights: str | None = None
    teacher: Path | None = None
    distil: float = 0.5
    balance: float = 0.0
    side: int = CROP_PX
    bfloat16: bool = False
    ranges: Ranges = field(default_factory=Ranges)

    def along(self, epoch: int, first: float, last: float) -> float:
        """Linear interpolation from ``first`` in the first epoch to ``last`` in the last, constant after it.

        Keras prepares batches ahead, also for an epoch after the last.
        """
        return first + (last - first) * min(1.0, epoch / max(1, self.epochs - 1))


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The epoch whose weights are in ``best.keras``.

    Attributes:
        epoch: Number of the epoch, from 1.
        val_accuracy: Accuracy of the epoch on PublicTest, 0..1.
        epochs_done: Epochs of the run completed so far.
    """

    epoch: int
    val_accuracy: float
    epochs_done: int


def training_parts(data: Path, seed: int) -> tuple[Split, Split]:
    """The training images in two disjoint parts: (to train on, held back).

    Training and export both use this function, so the temperature is never fitted on a trained image.

    Raises:
        DatasetError: the data cannot be read.
    """
    return hold_back(load(data, "train"), HELD_BACK_SHARE, seed)


def claim(options: TrainOptions) -> None:
    """Create the run folder, or check that the run in it can be continued.

    Raises:
        RunError: the folder holds a run with other options, or one that cannot be continued.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        key: value for key, value in asdict(options).items() if key not in {"minutes", "run"}
    }
    config["data"] = str(options.data)
    for name in ("warm_start", "teacher"):
        config[name] = None if config[name] is None else str(config[name])
    path = options.run / "config.json"
    if not path.exists():
        revision = _revision()
        atomic.write(path, (json.dumps(config | {"revision": revision}, indent=2) + "\n").encode())
        return
    before, now = (_flat(one) for one in (read_config(options.run), json.loads(json.dumps(config))))
    changed = [key for key, value in now.items() if before.get(key) != value]
    if changed:
        raise RunError(f"name another --run: {options.run} holds a run with another {', '.join(changed)}")
    if (options.run / "history.csv").exists() and not (options.run / "state.npz").exists():
        raise RunError(f"name another --run: the run in {options.run} has no state.npz to continue from")


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """The options with those of ``ranges`` at the same level."""
    ranges = config.get("ranges")
    others = {key: value for key, value in config.items() if key != "ranges"}
    return others | (ranges if isinstance(ranges, dict) else {})


def resumed(run: Path) -> TrainOptions:
    """The options that a run was started with, for continuing it.

    Raises:
        RunError: the folder holds no run, or one started by another version of this program.
    """
    config = read_config(run)
    names = {one.name for one in fields(TrainOptions)} - {"run", "minutes"}
    if not names <= config.keys():
        missing = ", ".join(sorted(names - config.keys()))
        raise RunError(f"name another --run: another version started {run}, without {missing}")
    options = {name: config[name] for name in names}
    for name in ("data", "warm_start", "teacher"):
        options[name] = None if options[name] is None else Path(options[name])
    ranges: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options["ranges"].items()
    }
    options["ranges"] = Ranges(**ranges)
    return TrainOptions(**options, run=run)


def read_config(run: Path) -> dict[str, Any]:
    """The options that a run was started with, as in its ``config.json``.

    Raises:
        RunError: the folder holds no run, or ``config.json`` is damaged.
    """
    try:
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    except OSError as exc:
        raise RunError(f"{run} holds no training run: start one with python -m training train") from exc
    except ValueError as exc:
        raise RunError(f"{run / 'config.json'} is damaged: start again with another --run") from exc
    if not isinstance(config, dict):
        raise RunError(f"{run / 'config.json'} is damaged: start again with another --run")
    return config


def read_history(run: Path) -> list[dict[str, float]]:
    """The epochs of a run from its ``history.csv``: at least one.

    Raises:
        RunError: no epoch of the run was completed, or the file is damaged.
    """
    try:
        with (run / "history.csv").open(newline="", encoding="utf-8") as lines:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    except OSError as exc:
        raise RunError(f"{run} has no completed epoch: let it train longer") from exc
    except (TypeError, ValueError) as exc:
        raise RunError(f"{run / 'history.csv'} is damaged: start again with another --run") from exc
    if not rows:
        raise RunError(f"{run} has no completed epoch: let it train longer")
    if not all("val_accuracy" in row for row in rows):
        raise RunError(f"{run / 'history.csv'} is damaged: start again with another --run")
    return rows


def best_epoch(run: Path) -> BestEpoch:
    """The epoch whose weights are in ``best.keras``, derived from ``history.csv``.

    Raises:
        RunError: no epoch of the run was completed, or the file is damaged.
    """
    accuracies = [row["val_accuracy"] for row in read_history(run)]
    # The first of equal epochs: a later one replaces best.keras only if it is better.
    best = accuracies.index(max(accuracies))
    return BestEpoch(epoch=best + 1, val_accuracy=accuracies[best], epochs_done=len(accuracies))


def _revision() -> str | None:
    """Commit of this code, or None if it is not in a Git checkout."""
    try:
        completed = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return completed.stdout.strip() or None
