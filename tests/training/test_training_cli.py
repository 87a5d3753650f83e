"""python -m training: exit codes, one-line errors, help, JSON."""

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
def test_help_shows_commands_to_copy(command: tuple[str, ...]) -> None:
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
def test_a_wrong_use_is_2(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "--data", "absent.zip"), "absent.zip does not exist"),
        (("evaluate", "--data", "absent.zip", "--model", "absent.tflite"), "absent"),
        (("export", "--run", "absent"), "holds no training run"),
        (("train", "--resume", "--run", "absent"), "holds no training run"),
    ],
)
def test_what_goes_wrong_is_1_and_one_line(arguments: tuple[str, ...], said: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1
    assert said in result.output


@pytest.mark.training
@pytest.mark.skipif(NO_TENSORFLOW, reason="TensorFlow is not here")
def test_a_run_is_not_resumed_with_other_augmentation(tmp_path: Path) -> None:
    data = fer_layouts.write_csv(tmp_path)
    begun = (
        "train",
        "--data",
        str(data),
        "--run",
        str(tmp_path / "run"),
        "--epochs",
        "2",
        "--batch",
        "8",
        "--limit",
        "8",
    )
    assert _run(*begun, "--minutes", "0.0001").exit_code == 0
    result = _run("train", "--resume", "--run", str(tmp_path / "run"), "--erase", "0.3")
    assert result.exit_code == 1
    assert "holds a run with another erase_share" in result.output
    assert _run("train", "--resume", "--run", str(tmp_path / "run")).exit_code == 0


@pytest.mark.skipif(not NO_TENSORFLOW, reason="TensorFlow is here")
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "x"),
        ("export", "--model", "x.keras", "--data", "x"),
        ("evaluate", "--model", "x.keras", "--data", "x"),
    ],
)
def test_without_tensorflow_the_way_to_it_is_said(arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "pip install 'classmood[training]'" in result.output


def test_evaluate_as_json_and_as_a_table(tmp_path: Path) -> None:
    data = fer_layouts.write_csv(tmp_path)
    result = _run("evaluate", "--data", data, "--split", "private", "--json")
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert (found["split"], found["images"]) == ("PrivateTest", 28)
    assert [one["support"] for one in found["per_class"].values()] == list(range(1, 8))
    assert list(found["per_class"]) == list(EMOTIONS)
    result = _run("evaluate", "--data", data)
    assert result.exit_code == 0
    assert result.output.startswith("PublicTest: 28 images\naccuracy  ")
