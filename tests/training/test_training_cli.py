"""``python -m training``: exit codes, one-line errors, help texts and JSON."""

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inference.emotions import EMOTIONS
from training.__main__ import main

from . import fer_layouts

NO_TENSORFLOW = importlib.util.find_spec("tensorflow") is None


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", [(), ("train",), ("export",), ("evaluate",), ("compare",), ("live",)])
def test_help_shows_example_commands(command: tuple[str, ...]) -> None:
    result = _run(*command, "--help")
    assert result.exit_code == 0
    examples = result.output.split("Examples:")[1].strip().splitlines()
    assert len(examples) >= 2
    assert all(line.strip().startswith("python -m training ") for line in examples)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate",),
        ("evaluate", "--data", "x", "--split", "test"),
        ("train",),
        ("train", "--data", "x", "--arch", "resnet9000"),
        ("train", "--data", "x", "--epochs", "0"),
        ("export",),
        ("export", "--run", "a", "--model", "b.keras"),
        ("export", "--model", "b.keras"),
        ("fly",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "--data", "absent.zip"), "absent.zip does not exist"),
        (("evaluate", "--data", "absent.zip", "--model", "absent.tflite"), "absent"),
        (("export", "--run", "absent"), "holds no training run"),
        (("train", "--resume", "--run", "absent"), "holds no training run"),
    ],
)
def test_an_error_is_one_line_and_exits_with_1(arguments: tuple[str, ...], message: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1
    assert message in result.output


@pytest.mark.training
@pytest.mark.skipif(NO_TENSORFLOW, reason="TensorFlow is not installed")
def test_a_run_cannot_be_resumed_with_other_augmentation(tmp_path: Path) -> None:
    data = fer_layouts.write_csv(tmp_path)
    folder = tmp_path / "run"
    options = ("--epochs", 2, "--batch", 8, "--limit", 8, "--minutes", 0.0001)
    assert _run("train", "--data", data, "--run", folder, *options).exit_code == 0
    result = _run("train", "--resume", "--run", folder, "--erase", 0.3)
    assert result.exit_code == 1
    assert "holds a run with another erase_share" in result.output
    assert _run("train", "--resume", "--run", folder).exit_code == 0


@pytest.mark.skipif(not NO_TENSORFLOW, reason="TensorFlow is installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "x"),
        ("export", "--model", "x.keras", "--data", "x"),
        ("evaluate", "--model", "x.keras", "--data", "x"),
    ],
)
def test_without_tensorflow_the_error_says_how_to_install_it(arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "pip install 'classmood[training]'" in result.output


def test_evaluate_prints_json_or_a_table(tmp_path: Path) -> None:
    data = fer_layouts.write_csv(tmp_path)
    result = _run("evaluate", "--data", data, "--split", "private", "--json")
    assert result.exit_code == 0
    figures = json.loads(result.output)
    assert (figures["split"], figures["images"]) == ("PrivateTest", 28)
    assert [one["support"] for one in figures["per_class"].values()] == list(range(1, 8))
    assert list(figures["per_class"]) == list(EMOTIONS)
    result = _run("evaluate", "--data", data)
    assert result.exit_code == 0
    assert result.output.startswith("PublicTest: 28 images\naccuracy  ")
