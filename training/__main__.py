"""The command line of training: ``python -m training train|export|evaluate|compare|live``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from inference.classifier import DEFAULT_MODEL
from inference.engine import MODELS
from training import atomic, run
from training.charts import confusion_svg
from training.command_line import DATA_HELP, OneLineErrors, examples, tensorflow_import
from training.compare import compare, page, text
from training.dataset import SPLITS
from training.evaluate import SPLIT_TITLES, evaluate, table
from training.train_command import train_command

_GROUP_EXAMPLES = examples(
    "python -m training train --data fer2013.zip",
    "python -m training export --run runs/cnn",
    "python -m training evaluate --data fer2013.zip --split validation",
)
_EXPORT_EXAMPLES = examples(
    "python -m training export --run runs/cnn",
    "python -m training export --model best.keras --data fer2013.zip --out exported",
)
_EVALUATE_EXAMPLES = examples(
    "python -m training evaluate --data fer2013.zip",
    "python -m training evaluate --data fer2013.csv --split private --json",
)
_COMPARE_EXAMPLES = examples(
    "python -m training compare old/fer_cnn.tflite --data fer2013.zip",
    "python -m training compare a/fer_cnn.tflite b/fer_cnn.tflite --data fer2013.zip --html compare.html",
)
_LIVE_EXAMPLES = examples(
    "python -m training live --data fer2013.zip",
    "python -m training live --data fer2013.zip --model exported/fer_cnn.tflite --limit 1000 --json",
)

_data_option = click.option("--data", type=click.Path(path_type=Path), required=True, help=DATA_HELP)
_split_option = click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="validation",
    show_default=True,
    help="validation is FER-2013's PublicTest, private its PrivateTest.",
)


@click.group(cls=OneLineErrors, epilog=_GROUP_EXAMPLES)
def main() -> None:
    """Train, export and measure the CNN that classifies facial expressions."""


main.add_command(train_command)


@main.command("export", epilog=_EXPORT_EXAMPLES)
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run whose best weights are exported.",
)
@click.option(
    "--model", type=click.Path(path_type=Path, dir_okay=False), help="A .keras file to export, without a run."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help=f"The data set that the model was trained on. {DATA_HELP} [default: the run's]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=MODELS,
    show_default="inference/models",
    help="Folder for fer_cnn.tflite and its card, fer_cnn.json and fer_cnn.md.",
)
def _export(folder: Path | None, model: Path | None, data: Path | None, out: Path) -> None:
    """Write the best weights as a calibrated LiteRT model with its card, measured on PublicTest."""
    if (folder is None) == (model is None):
        raise click.UsageError("give either --run DIR or --model FILE.keras")
    if data is None:
        if folder is None:
            raise click.UsageError("give --data with --model: the data set that the model was trained on")
        data = Path(run.read_config(folder)["data"])
    with tensorflow_import():
        from training.export import export
    exported = export(model or (folder or Path()) / "best.keras", data, out)
    card, metrics = exported.card, exported.card["metrics"]
    click.echo(
        f"{exported.model}: {card['bytes'] / 1e6:.1f} MB, temperature {card['temperature']}, "
        f"{100 * metrics['accuracy']:.2f} % on {metrics['images']} images of PublicTest"
    )


@main.command("evaluate", epilog=_EVALUATE_EXAMPLES)
@_data_option
@_split_option
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exported .tflite with its card, or a run's .keras (needs TensorFlow). [default: the shipped model]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the confusion matrix to this file as well.",
)
def _evaluate(data: Path, split: str, model: Path | None, as_json: bool, svg: Path | None) -> None:
    """Measure a model: accuracy with its 95 % interval, macro-F1, recall, confusion, calibration.

    A .tflite file needs no TensorFlow.
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
@_data_option
@_split_option
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the comparison to this file as a page as well.",
)
def _compare(first: Path, second: Path, data: Path, split: str, html: Path | None) -> None:
    """Measure two exported models on the same images. SECOND is the shipped model by default."""
    one, other = compare(data, split, (first, second))
    if html is not None:
        atomic.write(html, page(one, other, split).encode())
    click.echo(text(one, other, split))


@main.command("live", epilog=_LIVE_EXAMPLES)
@_data_option
@_split_option
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exported .tflite with its card. [default: the shipped model]",
)
@click.option("--limit", type=click.IntRange(1), help="Measure this many images only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def _live(data: Path, split: str, model: Path | None, limit: int | None, as_json: bool) -> None:
    """Measure the accuracy lost when our own detector crops the faces, before and after VP8."""
    from training import live  # imported here: only this command needs a video codec

    figures = live.measure_live(data, split, model, limit)
    if as_json:
        click.echo(json.dumps({"split": SPLIT_TITLES[split], "ways": [one.as_json() for one in figures]}))
    else:
        click.echo(live.text(figures))


if __name__ == "__main__":
    main(prog_name="python -m training")
