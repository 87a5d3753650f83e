"""The command ``python -m training train`` and its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from inference.emotions import CROP_PX
from training import atomic, run
from training.augment import Ranges
from training.charts import curves_svg
from training.command_line import DATA_HELP, examples, tensorflow_import
from training.errors import RunError

_EXAMPLES = examples(
    "python -m training train --data fer2013.zip",
    "python -m training train --data fer2013/ --run runs/long --epochs 60 --minutes 120",
    "python -m training train --run runs/long --resume",
)


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _share_option(name: str, default: float, text: str) -> Callable[[_Function], _Function]:
    """An option that takes a number from 0 to 1."""
    return click.option(name, type=click.FloatRange(0, 1), default=default, show_default=True, help=text)


@click.command("train", epilog=_EXAMPLES)
@click.option("--data", type=click.Path(path_type=Path), help=DATA_HELP)
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run. [default: runs/ARCH]",
)
@click.option("--resume", is_flag=True, help="Continue the run in RUN with the options it was started with.")
@click.option(
    "--arch",
    type=click.Choice(run.ARCHITECTURE_NAMES),
    default="cnn",
    show_default=True,
    help="Network to train.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Length of the schedule in epochs.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Stop after the first epoch that ends later than this many minutes after the start.",
)
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Images per batch.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=0.05,
    show_default=True,
    help="Highest learning rate.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=run.DEFAULT_SEED,
    show_default=True,
    help="Seed of the initial weights, the order of the images, the augmentation and the held-back images.",
)
@_share_option("--votes", 0.0, "Weight of the FER+ votes against FER-2013's own label in the first epoch.")
@_share_option("--votes-end", 0.0, "Weight of the FER+ votes in the last epoch.")
@_share_option("--ease", 1.0, "Share of the augmentation that is left in the last epoch.")
@click.option(
    "--smoothing",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Label smoothing.",
)
@click.option(
    "--average",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    show_default=True,
    help="Time constant of the moving average of the weights, in epochs.",
)
@click.option(
    "--warm-start",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .keras file with the initial weights; weights of cnn also fit deep and teacher.",
)
@click.option(
    "--weights", help="For resnet50 only: imagenet, or a file of Keras weights without the top layer."
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .keras file whose predictions become part of the targets (distillation).",
)
@_share_option("--distil", 0.5, "Weight of the teacher's predictions in the targets.")
@_share_option("--balance", 0.0, "Give rare expressions more weight; at 1 all expressions count the same.")
@_share_option("--codec", 0.0, "Share of images that are blurred, and share that are compressed like video.")
@_share_option("--erase", 0.0, "Share of images with a gray rectangle drawn over them.")
@_share_option("--framed", 0.0, "Share of images cropped the way our own face detector crops faces.")
@click.option(
    "--side",
    type=click.IntRange(24, CROP_PX),
    default=CROP_PX,
    show_default=True,
    help="Side in pixels of the central square that the network uses: 40 costs a third less.",
)
@click.option(
    "--bfloat16",
    is_flag=True,
    help="Compute convolutions in bfloat16: faster on a CPU that supports it (AMX, AVX-512 BF16).",
)
@click.option("--limit", type=click.IntRange(1), help="Train on this many images only, for a quick trial.")
def train_command(
    folder: Path | None, resume: bool, codec: float, erase: float, framed: float, **others: Any
) -> None:
    """Train a network. RUN/best.keras holds the epoch with the best accuracy on PublicTest.

    To continue an interrupted run after its last complete epoch, give the same command again, or --resume
    alone.
    """
    place = folder or Path("runs") / others["arch"]
    if resume:
        context, started = click.get_current_context(), run.resumed(place)
        shares = {"codec": codec, "erase": erase, "framed": framed}
        changed: dict[str, Any] = {
            f"{name}_share": share for name, share in shares.items() if _was_given(context, name)
        }
        # An option given again is passed on, so that run.claim refuses one that differs.
        options = replace(
            started,
            ranges=replace(started.ranges, **changed),
            **{name: value for name, value in others.items() if _was_given(context, name)},
        )
    elif others["data"] is None:
        raise click.UsageError(
            "give --data (the data set to train on), or --resume with the --run to continue"
        )
    else:
        ranges = Ranges(codec_share=codec, erase_share=erase, framed_share=framed)
        options = run.TrainOptions(run=place, ranges=ranges, **others)
    with tensorflow_import():
        from training.train import train
    try:
        train(options)
    except KeyboardInterrupt as exc:
        raise RunError(f"training stopped: continue with --resume --run {options.run}") from exc
    best = run.best_epoch(options.run)
    atomic.write(options.run / "curves.svg", curves_svg(run.read_history(options.run)).encode())
    click.echo(
        f"{options.run / 'best.keras'}: {100 * best.val_accuracy:.2f} % on PublicTest "
        f"(epoch {best.epoch} of {best.epochs_done} completed, {options.epochs} planned). "
        f"Next: python -m training export --run {options.run}"
    )


def _was_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
