"""A training run's folder and the options that decide it; known without TensorFlow.

``config.json`` (the options), ``history.csv`` (one line an epoch), ``best.keras`` (the averaged weights
of the epoch best on PublicTest), ``state.npz`` (what the next epoch starts from),
``curves.svg`` (the history to look at) and, with ``--framed``, ``framings.npy`` (how our detector frames
the pictures).
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
"""What ``--arch`` takes; ``training.models.ARCHITECTURES`` builds them."""

HELD_BACK_SHARE: Final = 0.05
"""Share of the training images kept out of training, on which the temperature is fitted."""

DEFAULT_SEED: Final = 1
"""Decides the initial weights, the order of pictures, and which are held back."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What decides a run; kept beside its weights.

    Attributes:
        data: Data set, in a layout of ``training.dataset``.
        run: Folder of the run.
        arch: Name in ``ARCHITECTURE_NAMES``.
        epochs: Length of the whole schedule, epochs.
        minutes: Stop after the epoch that passes this many minutes; None for no bound.
        batch: Pictures a step.
        rate: Highest learning rate.
        seed: Seed of weights, order and augmentation.
        limit: Train on so many pictures only (for tests); None for all.
        votes: Weight of FER+'s votes against FER-2013's own label in the first epoch, 0..1.
        votes_end: The same in the last epoch; in between it goes evenly from one to the other.
        ease: Share of the augmentation left in the last epoch, 0..1, evenly reached.
        smoothing: Label smoothing, 0..1.
        average: How far back the average of the weights reaches, epochs.
        warm_start: ``.keras`` file to begin with, of the same network, a narrower or a shallower one; None
            for random weights.
        weights: For ``resnet50``: ``imagenet`` (Keras fetches them), or a file of Keras' weights without the
            top; None for random ones.
        teacher: ``.keras`` file whose answers are part of the targets; None for none.
        distil: Weight of the teacher's answers, 0..1.
        balance: How far rare expressions weigh more: 0 not at all, 1 until all weigh alike.
        side: How much of the middle the network looks at, pixels of 48.
        bfloat16: Convolve in bfloat16: faster on a CPU that has it, other sums in the last places.
        ranges: How far pictures are changed.
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
        """A figure that goes evenly from its value in the first epoch to that in the last, and stays.

        Keras draws batches ahead, of the epoch after the last as well.
        """
        return first + (last - first) * min(1.0, epoch / max(1, self.epochs - 1))


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The epoch whose weights are in ``best.keras``.

    Attributes:
        epoch: Its number, from 1.
        val_accuracy: Its accuracy on PublicTest, 0..1.
        epochs_done: Epochs of the run so far.
    """

    epoch: int
    val_accuracy: float
    epochs_done: int


def training_parts(data: Path, seed: int) -> tuple[Split, Split]:
    """The training images in two parts that share none: (to train on, held back).

    Training and export both ask here, so that the temperature is never fitted on a trained image.

    Raises:
        DatasetError: the data cannot be read.
    """
    return hold_back(load(data, "train"), HELD_BACK_SHARE, seed)


def claim(options: TrainOptions) -> None:
    """Make the run folder, or take up the run in it.

    Raises:
        RunError: the folder holds a run with other options, or one that cannot be gone on with.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        key: value for key, value in asdict(options).items() if key not in {"minutes", "run"}
    }
    config["data"] = str(options.data)
    for name in ("warm_start", "teacher"):
        config[name] = None if config[name] is None else str(config[name])
    kept = options.run / "config.json"
    if not kept.exists():
        revision = _revision()
        atomic.write(kept, (json.dumps(config | {"revision": revision}, indent=2) + "\n").encode())
        return
    before, now = (_flat(one) for one in (read_config(options.run), json.loads(json.dumps(config))))
    changed = [key for key, value in now.items() if before.get(key) != value]
    if changed:
        raise RunError(f"{options.run} holds a run with another {', '.join(changed)}: name another --run")
    if (options.run / "history.csv").exists() and not (options.run / "state.npz").exists():
        raise RunError(f"{options.run} holds a run without its state.npz to go on from: name another --run")


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    ranges = config.get("ranges")
    others = {key: value for key, value in config.items() if key != "ranges"}
    return others | (ranges if isinstance(ranges, dict) else {})


def resumed(run: Path) -> TrainOptions:
    """The options a run was started with, to go on with it.

    Raises:
        RunError: there is no run in the folder, or one of another version of this program.
    """
    config = read_config(run)
    names = {one.name for one in fields(TrainOptions)} - {"run", "minutes"}
    if not names <= config.keys():
        missing = ", ".join(sorted(names - config.keys()))
        raise RunError(f"{run} was begun without {missing}, by another version: name another --run")
    kept = {name: config[name] for name in names}
    for name in ("data", "warm_start", "teacher"):
        kept[name] = None if kept[name] is None else Path(kept[name])
    ranges: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept["ranges"].items()
    }
    kept["ranges"] = Ranges(**ranges)
    return TrainOptions(**kept, run=run)


def read_config(run: Path) -> dict[str, Any]:
    """The options a run was started with.

    Raises:
        RunError: there is no run in the folder.
    """
    try:
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    except OSError as exc:
        raise RunError(f"{run} holds no training run: python -m training train makes one") from exc
    except ValueError as exc:
        raise RunError(f"{run / 'config.json'} is damaged: train anew in another --run") from exc
    if not isinstance(config, dict):
        raise RunError(f"{run / 'config.json'} is damaged: train anew in another --run")
    return config


def read_history(run: Path) -> list[dict[str, float]]:
    """The epochs of a run, as ``history.csv`` has them: at least one.

    Raises:
        RunError: no epoch of the run was completed.
    """
    try:
        with (run / "history.csv").open(newline="", encoding="utf-8") as lines:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    except OSError as exc:
        raise RunError(f"{run} has no completed epoch: let it train longer") from exc
    except (TypeError, ValueError) as exc:
        raise RunError(f"{run / 'history.csv'} is damaged: train anew in another --run") from exc
    if not rows:
        raise RunError(f"{run} has no completed epoch: let it train longer")
    if not all("val_accuracy" in row for row in rows):
        raise RunError(f"{run / 'history.csv'} is damaged: train anew in another --run")
    return rows


def best_epoch(run: Path) -> BestEpoch:
    """Which epoch is in ``best.keras``, from ``history.csv``.

    Raises:
        RunError: no epoch of the run was completed.
    """
    accuracies = [row["val_accuracy"] for row in read_history(run)]
    # The first of equals: a later epoch replaces best.keras only if it is better.
    best = accuracies.index(max(accuracies))
    return BestEpoch(epoch=best + 1, val_accuracy=accuracies[best], epochs_done=len(accuracies))


def _revision() -> str | None:
    """Commit of this code, or None where it is not a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return found.stdout.strip() or None
