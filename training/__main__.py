"""The command line of training: ``python -m training train|export|evaluate|compare|live``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from inference.classifier import DEFAULT_MODEL
from inference.emotions import CROP_PX
from inference.engine import MODELS
from inference.errors import InferenceError
from inference.native_noise import muted
from training import atomic, run
from training.augment import Ranges
from training.charts import confusion_svg, curves_svg
from training.compare import compare, page, text
from training.dataset import SPLITS
from training.errors import RunError, TrainingError
from training.evaluate import SPLIT_TITLES, evaluate, table

_DATA_HELP = "FER-2013: fer2013.csv, a folder, or a zip of one of them."


def _examples(*commands: str) -> str:
    """For the end of a --help, one command a line (click would fill the lines without the mark)."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


_GROUP_EXAMPLES = _examples(
    "python -m training train --data fer2013.zip",
    "python -m training export --run runs/cnn",
    "python -m training evaluate --data fer2013.zip --split validation",
)
_TRAIN_EXAMPLES = _examples(
    "python -m training train --data fer2013.zip",
    "python -m training train --data fer2013/ --run runs/long --epochs 60 --minutes 120",
    "python -m training train --run runs/long --resume",
)
_EXPORT_EXAMPLES = _examples(
    "python -m training export --run runs/cnn",
    "python -m training export --model best.keras --data fer2013.zip --out exported",
)
_EVALUATE_EXAMPLES = _examples(
    "python -m training evaluate --data fer2013.zip",
    "python -m training evaluate --data fer2013.csv --split private --json",
)
_COMPARE_EXAMPLES = _examples(
    "python -m training compare old/fer_cnn.tflite --data fer2013.zip",
    "python -m training compare a/fer_cnn.tflite b/fer_cnn.tflite --data fer2013.zip --html compare.html",
)
_LIVE_EXAMPLES = _examples(
    "python -m training live --data fer2013.zip",
    "python -m training live --data fer2013.zip --model exported/fer_cnn.tflite --limit 1000 --json",
)


class _OneLineErrors(click.Group):
    """Says what went wrong in one line: exit code 1; a wrong use of the command line is 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and translate its errors."""
        try:
            return super().invoke(ctx)
        except (TrainingError, InferenceError) as exc:
            raise click.ClickException(str(exc)) from exc
        except OSError as exc:
            raise click.ClickException(f"{exc.filename or 'file'}: {exc.strerror or exc}") from exc


@click.group(cls=_OneLineErrors, epilog=_GROUP_EXAMPLES)
def main() -> None:
    """Train, export and measure the CNN that reads expressions."""


@main.command("train", epilog=_TRAIN_EXAMPLES)
@click.option("--data", type=click.Path(path_type=Path), help=_DATA_HELP)
@click.option(
    "--run", "folder", type=click.Path(path_type=Path, file_okay=False), help="[default: runs/ARCH]"
)
@click.option("--resume", is_flag=True, help="Go on with the run in RUN, with the options it was begun with.")
@click.option("--arch", type=click.Choice(run.ARCHITECTURE_NAMES), default="cnn", show_default=True)
@click.option(
    "--epochs", type=click.IntRange(1), default=30, show_default=True, help="Length of the schedule."
)
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), help="Stop after the epoch that passes this."
)
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Pictures a step.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=0.05,
    show_default=True,
    help="Top learning rate.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--votes",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Weight of FER+'s votes against FER-2013's own label, first epoch.",
)
@click.option(
    "--votes-end", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="The same, last epoch."
)
@click.option(
    "--ease",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the augmentation left in the last epoch.",
)
@click.option(
    "--smoothing", type=click.FloatRange(0, 1, max_open=True), default=0.1, show_default=True,
    help="Label smoothing.",
)  # fmt: skip
@click.option(
    "--average", type=click.FloatRange(0, min_open=True), default=0.1, show_default=True,
    help="How many epochs the average of the weights reaches back.",
)  # fmt: skip
@click.option(
    "--warm-start",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .keras file whose weights to begin with; those of cnn do for deep and for teacher.",
)
@click.option("--weights", help="For resnet50: imagenet, or a file of Keras' weights without the top.")
@click.option(
    "--teacher", type=click.Path(path_type=Path, dir_okay=False), help="A .keras file to learn from as well."
)
@click.option(
    "--distil", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Weight of its answers."
)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Weigh rare expressions more; 1: all alike.",
)
@click.option(
    "--codec",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of pictures blurred, and share packed as a poor codec does it.",
)
@click.option(
    "--erase",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of pictures with a gray rectangle laid over.",
)
@click.option(
    "--framed",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of pictures framed as our own detector frames them.",
)
@click.option(
    "--side",
    type=click.IntRange(24, CROP_PX),
    default=CROP_PX,
    show_default=True,
    help="Pixels of the middle the network looks at: 40 costs a third less.",
)
@click.option(
    "--bfloat16", is_flag=True, help="Convolve in bfloat16: faster on a CPU that has it (AMX, AVX-512 BF16)."
)
@click.option("--limit", type=click.IntRange(1), help="Train on so many pictures only, to try things out.")
def _train(
    folder: Path | None, resume: bool, codec: float, erase: float, framed: float, **others: Any
) -> None:
    """Train a network; the epoch best on PublicTest is kept in RUN/best.keras.

    A run that was cut off goes on from its last whole epoch when the same command is given again, or with
    --resume alone.
    """
    place = folder or Path("runs") / others["arch"]
    if resume:
        context, begun = click.get_current_context(), run.resumed(place)
        shares = {"codec": codec, "erase": erase, "framed": framed}
        changed: dict[str, Any] = {
            f"{name}_share": share for name, share in shares.items() if _given(context, name)
        }
        options = replace(
            begun,
            ranges=replace(begun.ranges, **changed),
            **{name: value for name, value in others.items() if _given(context, name)},
        )
    elif others["data"] is None:
        raise click.UsageError(
            "--data is missing: the data set to train on (or --resume, with a --run begun)"
        )
    else:
        ranges = Ranges(codec_share=codec, erase_share=erase, framed_share=framed)
        options = run.TrainOptions(run=place, ranges=ranges, **others)
    with _tensorflow():
        from training.train import train
    try:
        train(options)
    except KeyboardInterrupt as exc:
        raise RunError(f"stopped; --resume --run {options.run} goes on") from exc
    best = run.best_epoch(options.run)
    atomic.write(options.run / "curves.svg", curves_svg(run.read_history(options.run)).encode())
    click.echo(
        f"{options.run / 'best.keras'}: {100 * best.val_accuracy:.2f} % on PublicTest "
        f"(epoch {best.epoch} of {best.epochs_done} done, {options.epochs} planned). "
        f"Next: python -m training export --run {options.run}"
    )


@main.command("export", epilog=_EXPORT_EXAMPLES)
@click.option("--run", "folder", type=click.Path(path_type=Path, file_okay=False), help="Run to export.")
@click.option(
    "--model", type=click.Path(path_type=Path, dir_okay=False), help="A .keras file instead of a run."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help=f"{_DATA_HELP} The one it was trained on. [default: the run's]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=MODELS,
    show_default="inference/models",
    help="Folder for fer_cnn.tflite and its card fer_cnn.json.",
)
def _export(folder: Path | None, model: Path | None, data: Path | None, out: Path) -> None:
    """Write the best weights as a calibrated LiteRT model with its card, measured on PublicTest."""
    if (folder is None) == (model is None):
        raise click.UsageError("give either --run DIR or --model FILE.keras")
    if data is None:
        if folder is None:
            raise click.UsageError("--model needs --data: the data set it was trained on")
        data = Path(run.read_config(folder)["data"])
    with _tensorflow():
        from training.export import export
    exported = export(model or (folder or Path()) / "best.keras", data, out)
    card, metrics = exported.card, exported.card["metrics"]
    click.echo(
        f"{exported.model}: {card['bytes'] / 1e6:.1f} MB, temperature {card['temperature']}, "
        f"{100 * metrics['accuracy']:.2f} % on {metrics['images']} images of PublicTest"
    )


@main.command("evaluate", epilog=_EVALUATE_EXAMPLES)
@click.option("--data", type=click.Path(path_type=Path), required=True, help=_DATA_HELP)
@click.option("--split", type=click.Choice(SPLITS), default="validation", show_default=True)
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exported .tflite with its card, or a run's .keras (needs TensorFlow). [default: the shipped model]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write the confusion matrix there."
)
def _evaluate(data: Path, split: str, model: Path | None, as_json: bool, svg: Path | None) -> None:
    """Measure a model: accuracy with its 95 % interval, macro-F1, recall, confusion, calibration.

    validation is FER-2013's PublicTest, private its PrivateTest. Needs no TensorFlow for a .tflite.
    """
    metrics = evaluate(data, split, model)
    title = SPLIT_TITLES[split]
    if svg is not None:
        atomic.write(svg, confusion_svg(metrics, title).encode())
    if as_json:
        click.echo(json.dumps({"split": title, **metrics.as_json()}))
    else:
        click.echo(table(metrics, title))


@main.command("compare", epilog=_COMPARE_EXAMPLES)
@click.argument("first", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("second", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_MODEL)
@click.option("--data", type=click.Path(path_type=Path), required=True, help=_DATA_HELP)
@click.option("--split", type=click.Choice(SPLITS), default="validation", show_default=True)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page there as well.")
def _compare(first: Path, second: Path, data: Path, split: str, html: Path | None) -> None:
    """Measure two exported models on the same pictures; the SECOND is the shipped one unless named."""
    one, other = compare(data, split, (first, second))
    if html is not None:
        atomic.write(html, page(one, other, split).encode())
    click.echo(text(one, other, split))


@main.command("live", epilog=_LIVE_EXAMPLES)
@click.option("--data", type=click.Path(path_type=Path), required=True, help=_DATA_HELP)
@click.option("--split", type=click.Choice(SPLITS), default="validation", show_default=True)
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exported .tflite with its card. [default: the shipped model]",
)
@click.option("--limit", type=click.IntRange(1), help="So many pictures only.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def _live(data: Path, split: str, model: Path | None, limit: int | None, as_json: bool) -> None:
    """Measure what faces lose that our own detector finds and cuts, before and after VP8."""
    from training import live  # here: only this command needs a video codec

    figures = live.measure_live(data, split, model, limit)
    if as_json:
        click.echo(json.dumps({"split": SPLIT_TITLES[split], "ways": [one.as_json() for one in figures]}))
    else:
        click.echo(live.text(figures))


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


@contextmanager
def _tensorflow() -> Iterator[None]:
    """Around a first import of TensorFlow: without its chatter, and with a word on how to get it."""
    try:
        with muted():
            yield
    except ImportError as exc:
        raise RunError(f"this needs TensorFlow ({exc}): pip install 'classmood[training]'") from exc


if __name__ == "__main__":
    main(prog_name="python -m training")
