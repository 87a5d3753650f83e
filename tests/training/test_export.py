"""Export: a network with known predictions makes the same predictions in LiteRT."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.training

from inference.classifier import CnnClassifier  # noqa: E402
from inference.emotions import EMOTIONS  # noqa: E402
from inference.engine import MODELS  # noqa: E402
from training.augment import to_floats  # noqa: E402
from training.calibration import fit_temperature, probabilities  # noqa: E402
from training.card import markdown  # noqa: E402
from training.errors import RunError  # noqa: E402
from training.evaluate import evaluate  # noqa: E402
from training.export import export, load_keras, multiply_adds  # noqa: E402
from training.models import ARCHITECTURES  # noqa: E402
from training.run import TrainOptions, claim, training_parts  # noqa: E402

from . import fer_layouts  # noqa: E402

LEVELS = np.array([(30 * label + 15) / 255 for label in range(7)], np.float32)


def _brightness_network(sharpness: float = 400.0) -> "keras.Model":
    """Logits sharpness * (2 c x - c c): largest for the label whose brightness c is nearest to x."""
    images = keras.Input((48, 48, 1))
    dense = keras.layers.Dense(7, name="logits")
    network = keras.Model(images, dense(keras.layers.GlobalAveragePooling2D()(images)))
    dense.set_weights([2 * sharpness * LEVELS[np.newaxis], -sharpness * LEVELS**2])
    return network


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 training images per label, one of which is held back; validation and private of ``fer_layouts``."""
    folder = tmp_path_factory.mktemp("data")
    for label, emotion in enumerate(EMOTIONS):
        for number in range(20):
            fer_layouts.write_image(
                folder / "train" / emotion / f"Training_{number}.png",
                fer_layouts.uniform_image(label, "train"),
            )
    return fer_layouts.write_prefixed(folder, ("validation", "private"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    claim(TrainOptions(data=data, run=folder, seed=3))
    _brightness_network().save(folder / "best.keras")
    return folder


def test_the_exported_model_predicts_the_same_as_the_network(run: Path, data: Path, tmp_path: Path) -> None:
    exported = export(run / "best.keras", data, tmp_path / "out")
    for split in ("train", "validation", "private"):
        assert evaluate(data, split, exported.model).accuracy == 1.0
        assert evaluate(data, split, run / "best.keras").accuracy == 1.0
    classifier = CnnClassifier.load(exported.model)
    crops = to_floats(np.stack([fer_layouts.uniform_image(label, "private") for label in range(7)]))
    assert classifier.predict(crops).argmax(axis=1).tolist() == list(range(7))
    # Any batch size gives the same predictions.
    for size in (1, 3, 7):
        assert classifier.predict(crops[:size]) == pytest.approx(classifier.predict(crops)[:size], abs=1e-6)
    network = load_keras(run / "best.keras")
    expected = probabilities(np.asarray(network(crops)), exported.card["temperature"])
    assert classifier.predict(crops) == pytest.approx(expected, abs=0.05)  # 8 bits


def test_the_exported_model_averages_the_mirror_image(data: Path, tmp_path: Path) -> None:
    """A network that sees only the left half gives the same answer to an image and its mirror image."""
    images = keras.Input((48, 48, 1))
    dense = keras.layers.Dense(7)
    network = keras.Model(images, dense(keras.layers.GlobalAveragePooling2D()(images[:, :, :24])))
    dense.set_weights([2 * 400 * LEVELS[np.newaxis], -400 * LEVELS**2])
    network.save(tmp_path / "left.keras")
    classifier = CnnClassifier.load(export(tmp_path / "left.keras", data, tmp_path / "out").model)
    crops = np.zeros((1, 48, 48, 1), np.float32)
    crops[:, :, :24] = LEVELS[6]
    assert classifier.predict(crops) == pytest.approx(classifier.predict(crops[:, :, ::-1]), abs=1e-3)


def test_the_temperature_is_fitted_on_the_held_back_images(run: Path, data: Path, tmp_path: Path) -> None:
    card = export(run / "best.keras", data, tmp_path).card
    _, held_back = training_parts(data, seed=3)
    assert len(held_back) == 7
    logits = np.asarray(load_keras(run / "best.keras")(to_floats(held_back.images)))
    assert card["temperature"] == pytest.approx(fit_temperature(logits, held_back.labels), rel=0.05)


def test_the_command_in_the_card_has_every_option_of_the_run(run: Path, data: Path, tmp_path: Path) -> None:
    other_run = tmp_path / "other"
    other_run.mkdir()
    (other_run / "best.keras").write_bytes((run / "best.keras").read_bytes())
    config = json.loads((run / "config.json").read_text())
    config |= {"side": 40, "balance": 0.5, "teacher": "/home/somebody/best.keras"}
    config["ranges"] |= {"codec_share": 0.1, "erase_share": 0.2, "framed_share": 0.3}
    (other_run / "config.json").write_text(json.dumps(config))
    command = export(other_run / "best.keras", data, tmp_path / "out").card["command"]
    for option in (
        "--side 40",
        "--balance 0.5",
        "--teacher best.keras",
        "--codec 0.1",
        "--erase 0.2",
        "--framed 0.3",
    ):
        assert f" {option}" in command


def test_the_card_describes_the_export_and_contains_no_path(run: Path, data: Path, tmp_path: Path) -> None:
    exported = export(run / "best.keras", data, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "fer_cnn.json",
        "fer_cnn.md",
        "fer_cnn.tflite",
    ]
    text = (tmp_path / "out" / "fer_cnn.json").read_text()
    card = json.loads(text)
    assert card == exported.card
    assert card["labels"] == list(EMOTIONS)
    assert (card["parameters"], card["multiply_adds"]) == (14, 14)
    assert card["command"].startswith(
        "python -m training train --data fer2013.zip --run runs/cnn --arch cnn --epochs 30 --batch 128 "
        "--rate 0.05 --seed 3 && python -m training export "
    )
    assert (card["run"]["seed"], card["run"]["data"]) == (3, "fer2013.zip")
    assert (card["metrics"]["images"], card["metrics"]["accuracy"]) == (28, 1.0)
    assert [one["support"] for one in card["metrics"]["per_class"].values()] == list(range(1, 8))
    page = (tmp_path / "out" / "fer_cnn.md").read_text()
    assert page == markdown(card)
    for path in (run, data, tmp_path):
        assert str(path) not in text
        assert str(path) not in page


def test_the_card_for_people_lists_the_most_frequent_mistake_first() -> None:
    shipped = json.loads((MODELS / "fer_cnn.json").read_text())
    page = markdown(shipped)
    assert f"SHA-256\n`{shipped['sha256']}`" in page
    assert f"**Accuracy.** {100 * shipped['metrics']['accuracy']:.1f} % on PublicTest (3,589 images" in page
    mistakes = {
        (label, predicted): count / sum(row)
        for label, row in zip(EMOTIONS, shipped["metrics"]["confusion"], strict=True)
        for predicted, count in zip(EMOTIONS, row, strict=True)
        if predicted != label
    }
    label, predicted = max(mistakes, key=lambda pair: mistakes[pair])
    first = page.split("**Most frequent mistakes**\n\n")[1].splitlines()[0]
    assert first == f"- {label}: {100 * mistakes[label, predicted]:.1f} % are classified as {predicted}."


def test_the_keras_file_contains_the_weights_of_the_shipped_model() -> None:
    weights = load_keras(MODELS.parents[1] / "training" / "fer_cnn.keras")
    crops = np.random.default_rng(1).random((8, 48, 48, 1)).astype(np.float32)
    temperature = json.loads((MODELS / "fer_cnn.json").read_text())["temperature"]
    logits = (np.asarray(weights(crops)) + np.asarray(weights(crops[:, :, ::-1]))) / 2
    assert CnnClassifier.load().predict(crops) == pytest.approx(probabilities(logits, temperature), abs=0.05)


def test_the_shipped_model_matches_both_cards() -> None:
    shipped = json.loads((MODELS / "fer_cnn.json").read_text())
    assert hashlib.sha256((MODELS / "fer_cnn.tflite").read_bytes()).hexdigest() == shipped["sha256"]
    assert (MODELS / "fer_cnn.md").read_text() == markdown(shipped)


def test_a_keras_file_without_its_run_can_be_exported(run: Path, data: Path, tmp_path: Path) -> None:
    keras_file = tmp_path / "other.keras"
    keras_file.write_bytes((run / "best.keras").read_bytes())
    card = export(keras_file, data, tmp_path / "out").card
    assert card["run"] is None
    assert card["command"] == "python -m training export --model best.keras --data fer2013.zip"


def test_another_kind_of_network_is_refused_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    images = keras.Input((48, 48, 1))
    keras.Model(images, keras.layers.Dense(3)(keras.layers.Flatten()(images))).save(tmp_path / "three.keras")
    (tmp_path / "damaged.keras").write_bytes(b"not an archive")
    for name, message in (
        ("three", "another kind"),
        ("damaged", "not a Keras file"),
        ("absent", "does not exist"),
    ):
        with pytest.raises(RunError, match=message):
            export(tmp_path / f"{name}.keras", data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_training_images_are_refused(run: Path, tmp_path: Path) -> None:
    few = fer_layouts.write_prefixed(tmp_path / "few", ("train", "validation"))
    with pytest.raises(RunError, match="too few training images"):
        export(run / "best.keras", few, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_returns_nan_is_refused(data: Path, tmp_path: Path) -> None:
    network = _brightness_network()
    network.layers[-1].set_weights([np.full((1, 7), np.nan, np.float32), np.zeros(7, np.float32)])
    network.save(tmp_path / "nan.keras")
    with pytest.raises(RunError, match="not finite"):
        export(tmp_path / "nan.keras", data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_multiply_adds_equal_a_calculation_by_hand() -> None:
    images = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(images)  # 24*24 positions of 3*3*1*4
    x = keras.layers.Conv2D(8, 1)(x)  # 24*24 positions of 4*8
    x = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x))  # 8*7
    assert multiply_adds(keras.Model(images, x)) == 24 * 24 * 36 + 24 * 24 * 32 + 56


def test_the_network_stays_within_its_budget() -> None:
    network = ARCHITECTURES["cnn"]()
    assert 30e6 < multiply_adds(network) < 50e6
    assert 1.4e6 < network.count_params() < 1.6e6
