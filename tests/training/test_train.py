"""Training: pictures keep their labels, exposure does not matter, a killed run goes on as if never killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.training

from inference.emotions import EMOTIONS  # noqa: E402
from training.augment import Ranges  # noqa: E402
from training.checkpoint import gather_statistics  # noqa: E402
from training.dataset import Split, load  # noqa: E402
from training.errors import RunError  # noqa: E402
from training.export import load_keras, multiply_adds  # noqa: E402
from training.models import ARCHITECTURES, OWN, Middle, deepened, widened  # noqa: E402
from training.run import ARCHITECTURE_NAMES, TrainOptions, best_epoch  # noqa: E402
from training.train import AugmentedBatches, train  # noqa: E402

from . import fer_layouts as made  # noqa: E402

STILL = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)


def test_the_command_line_names_the_networks_there_are() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES


@pytest.mark.parametrize("name", ARCHITECTURE_NAMES)
def test_a_network_gives_seven_logits_whatever_the_exposure(name: str) -> None:
    network = ARCHITECTURES[name]()
    crops = np.random.default_rng(1).random((3, 48, 48, 1)).astype(np.float32)
    logits = np.asarray(network(crops))
    assert logits.shape == (3, len(EMOTIONS))
    near = max(0.02, 0.01 * float(np.abs(logits).max()))
    assert np.asarray(network(0.5 * crops + 0.2)) == pytest.approx(logits, abs=near)
    assert np.abs(np.asarray(network(1 - crops)) - logits).max() > 0.02


@pytest.mark.parametrize("name", OWN)
def test_a_network_for_the_middle_sees_nothing_else(name: str) -> None:
    network = OWN[name](40)
    rng = np.random.default_rng(1)
    crops = rng.random((2, 48, 48, 1)).astype(np.float32)
    framed = crops.copy()
    # Another order of the same pixels: mean and deviation of the picture stay.
    framed[:, :4] = framed[:, 3::-1]
    assert np.asarray(network(framed)) == pytest.approx(np.asarray(network(crops)), abs=1e-4)
    assert (np.asarray(Middle(40)(crops)) == crops[:, 4:44, 4:44]).all()
    assert multiply_adds(network) < 0.8 * multiply_adds(OWN[name]())


def test_an_epoch_shows_every_picture_once_with_its_own_label(tmp_path: Path) -> None:
    labels = np.arange(64) % 7
    images = np.repeat(np.arange(64, dtype=np.uint8), 48 * 48).reshape(64, 48, 48)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=16, ranges=STILL)
    batches = AugmentedBatches(Split(images, labels), options)

    def epoch() -> list[int]:
        numbers: list[int] = []
        for step in range(len(batches)):
            pictures, one_hot = batches[step]
            shown = (pictures[:, 0, 0, 0] * 255).round().astype(int)
            assert one_hot.argmax(axis=1).tolist() == labels[shown].tolist()
            assert one_hot.sum(axis=1).tolist() == [1] * 16
            numbers += shown.tolist()
        return numbers

    first = epoch()
    batches.on_epoch_end()
    second = epoch()
    assert sorted(first) == sorted(second) == list(range(64))
    assert first != second
    batches = AugmentedBatches(Split(images, labels), options, first_epoch=1)
    assert epoch() == second


def _batch(options: TrainOptions, split: Split, epoch: int, teacher: object = None) -> tuple:
    return AugmentedBatches(split, options, epoch, teacher)[0]  # type: ignore[arg-type]


def test_votes_give_way_to_the_label_from_the_first_epoch_to_the_last(tmp_path: Path) -> None:
    votes = np.zeros((8, 7), np.float32)
    votes[:, 4] = 10
    split = Split(np.zeros((8, 48, 48), np.uint8), np.zeros(8, np.int64), votes)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, epochs=3, votes=0.6, votes_end=0.2)
    for epoch, weight in enumerate((0.6, 0.4, 0.2)):
        aim = _batch(options, split, epoch)[1]
        assert aim[:, 4] == pytest.approx(weight)
        assert aim[:, 0] == pytest.approx(1 - weight)


def test_a_teacher_is_asked_about_the_pictures_shown_and_their_mirror_images(tmp_path: Path) -> None:
    images = np.repeat(np.arange(8, dtype=np.uint8), 48 * 48).reshape(8, 48, 48)
    images[:, :, -1] += 1
    split = Split(images, np.zeros(8, np.int64))
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, distil=0.25, ranges=STILL)

    def teacher(pictures: np.ndarray) -> np.ndarray:
        return np.eye(7, dtype=np.float32)[(pictures[:, 0, 0, 0] * 255).round().astype(int) % 7]

    pictures, aim = _batch(options, split, 0, teacher)
    both = (teacher(pictures) + teacher(pictures[:, :, ::-1])) / 2
    assert (both.max(axis=1) == 0.5).all()
    assert aim == pytest.approx(0.75 * np.eye(7)[[0] * 8] + 0.25 * both)


def test_a_teacher_sees_the_pictures_as_fer_2013_framed_them(tmp_path: Path) -> None:
    images = np.zeros((8, 48, 48), np.uint8)
    images[:, 20:28, 20:28] = 255
    split = Split(images, np.zeros(8, np.int64))
    ranges = replace(STILL, framed_share=1.0, codec_share=1.0)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, ranges=ranges)
    seen: list[np.ndarray] = []

    def teacher(pictures: np.ndarray) -> np.ndarray:
        seen.append(pictures)
        return np.full((len(pictures), 7), 1 / 7, np.float32)

    framings = np.tile(np.array([0.5, 0, 0], np.float32), (8, 1))
    pictures, _ = AugmentedBatches(split, options, 0, teacher, framings)[0]
    assert (seen[0] > 0.5).sum(axis=(1, 2, 3)).tolist() == [64] * 16
    assert ((pictures > 0.5).sum(axis=(1, 2, 3)) > 150).all()


def test_balance_weighs_rare_expressions_more_and_all_together_alike(tmp_path: Path) -> None:
    split = Split(np.zeros((8, 48, 48), np.uint8), np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, balance=1.0)
    _, aim, weights = _batch(options, split, 0)
    labels = aim.argmax(axis=1)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)
    assert len(_batch(replace(options, balance=0.0), split, 0)) == 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write_csv(tmp_path_factory.mktemp("data"))


def _options(data: Path, run: Path) -> TrainOptions:
    return TrainOptions(data=data, run=run, epochs=4, batch=8, limit=32)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole")
    train(_options(data, run))
    return run


def _same(one: Path, other: Path) -> None:
    assert (one / "history.csv").read_text() == (other / "history.csv").read_text()
    pairs = zip(load_keras(one / "best.keras").weights, load_keras(other / "best.keras").weights, strict=True)
    assert all((a.numpy() == b.numpy()).all() for a, b in pairs)
    with np.load(one / "state.npz") as a, np.load(other / "state.npz") as b:
        assert a.files == b.files
        assert all((a[name] == b[name]).all() for name in a.files)


def test_a_run_leaves_its_epochs_and_the_best_weights(whole: Path, data: Path) -> None:
    rows = (whole / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,accuracy,loss,val_accuracy,val_loss"
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2", "3"]
    best = best_epoch(whole)
    validation = load(data, "validation")
    logits = np.asarray(
        load_keras(whole / "best.keras")(validation.images[..., np.newaxis] / np.float32(255))
    )
    found = (logits.argmax(axis=1) == validation.labels).mean()
    assert found == pytest.approx(best.val_accuracy, abs=1e-6)


def test_the_average_reaches_back_as_far_as_told(whole: Path, data: Path, tmp_path: Path) -> None:
    """Far enough back, and what comes out is what went in, though training moved on."""
    given = load_keras(whole / "best.keras").get_layer("logits").get_weights()[0]
    moved = []
    for name, average in (("near", 0.1), ("far", 1e6)):
        options = replace(_options(data, tmp_path / name), epochs=1, warm_start=whole / "best.keras")
        train(replace(options, average=average))
        moved.append(
            np.abs(
                load_keras(tmp_path / name / "best.keras").get_layer("logits").get_weights()[0] - given
            ).max()
        )
    near, far = moved
    assert near > 10 * far


def test_statistics_are_the_means_over_the_pictures_shown() -> None:
    network = OWN["cnn"]()
    usual = [one.momentum for one in network.layers if isinstance(one, keras.layers.BatchNormalization)]
    rng = np.random.default_rng(1)
    batches = [rng.random((16, 48, 48, 1)).astype(np.float32) for _ in range(3)]
    first = next(one for one in network.layers if isinstance(one, keras.layers.BatchNormalization))
    before = keras.Model(network.input, first.input)
    gather_statistics(network, batches)
    means = np.mean([np.asarray(before(batch)).mean(axis=(0, 1, 2)) for batch in batches], axis=0)
    assert first.moving_mean.numpy() == pytest.approx(means, abs=1e-5)
    # For a batch alike, answers are the same as in training but for the dropout.
    gather_statistics(network, batches[:1])
    inner = keras.Model(network.input, network.get_layer(index=-3).output)
    assert np.asarray(inner(batches[0])) == pytest.approx(
        np.asarray(inner(batches[0], training=True)), abs=1e-3
    )
    layers = [one for one in network.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert [one.momentum for one in layers] == usual


def test_a_complete_run_is_left_alone(whole: Path, data: Path) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    train(_options(data, whole))
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


@pytest.mark.slow
def test_a_run_in_three_sittings_ends_as_one(whole: Path, data: Path, tmp_path: Path) -> None:
    options = _options(data, tmp_path)
    train(replace(options, minutes=1e-6))  # one epoch, for the bound is looked at after each
    assert best_epoch(tmp_path).epochs_done == 1
    # As if killed between the state and the history, and while the next state was being written.
    (tmp_path / "history.csv").unlink()
    (tmp_path / ".state.npz.part").write_bytes(b"half a state")
    train(replace(options, minutes=1e-6))
    assert best_epoch(tmp_path).epochs_done == 2
    train(options)
    _same(whole, tmp_path)


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_whole_epoch(whole: Path, data: Path, tmp_path: Path) -> None:
    options = _options(data, tmp_path)
    command = [sys.executable, "-m", "training", "train", "--data", data, "--run", tmp_path]
    command += ["--epochs", options.epochs, "--batch", options.batch, "--limit", options.limit]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    history = tmp_path / "history.csv"
    end_s = time.monotonic() + 120
    while not (history.exists() and len(history.read_text().splitlines()) >= 3):
        assert process.poll() is None
        assert time.monotonic() < end_s
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert best_epoch(tmp_path).epochs_done < options.epochs
    train(options)
    _same(whole, tmp_path)


def test_a_damaged_state_is_said(whole: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    for content in (b"", (whole / "state.npz").read_bytes()[:5000]):
        (tmp_path / "state.npz").write_bytes(content)
        with pytest.raises(RunError, match="damaged"):
            train(_options(data, tmp_path))
    np.savez(tmp_path / "state.npz", history=np.array("[]"))
    with pytest.raises(RunError, match=r"damaged|another network"):
        train(_options(data, tmp_path))


def test_framings_are_found_once_and_kept(data: Path, tmp_path: Path) -> None:
    options = replace(_options(data, tmp_path), epochs=1, ranges=Ranges(framed_share=0.5))
    train(options)
    kept = np.load(tmp_path / "framings.npy")
    assert kept.shape == (32, 3)
    (tmp_path / "framings.npy").write_bytes(b"none")
    with pytest.raises(RunError, match=r"framings\.npy is damaged"):
        train(replace(options))


def test_too_few_pictures_for_a_batch(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="do not fill one batch of 64"):
        train(replace(_options(data, tmp_path / "run"), batch=64))
    assert not (tmp_path / "run").exists()


def test_a_warm_start_begins_with_the_weights_given(whole: Path, data: Path, tmp_path: Path) -> None:
    """At no learning rate to speak of, what comes out is what went in."""
    given = load_keras(whole / "best.keras")
    options = replace(_options(data, tmp_path / "run"), epochs=1, rate=1e-12)
    train(replace(options, warm_start=whole / "best.keras"))
    found = load_keras(tmp_path / "run" / "best.keras")
    pairs = list(zip(given.trainable_weights, found.trainable_weights, strict=True))
    assert all(np.allclose(a, b, atol=1e-6) for a, b in pairs)
    with pytest.raises(RunError, match="another kind of network"):
        train(replace(options, run=tmp_path / "r", arch="resnet50", warm_start=whole / "best.keras"))


def test_a_teacher_begun_with_its_student_answers_alike_and_its_copies_are_none(whole: Path) -> None:
    student, wide = load_keras(whole / "best.keras"), OWN["teacher"]()
    weights = widened(student.get_weights(), [one.shape for one in wide.get_weights()], seed=1)
    assert weights is not None
    wide.set_weights(weights)
    crops = np.random.default_rng(1).random((16, 48, 48, 1)).astype(np.float32)
    asked, told = np.asarray(student(crops)), np.asarray(wide(crops))
    assert np.abs(told - asked).mean() < 0.05 * asked.std()
    assert not np.allclose(weights[0][..., :32], weights[0][..., 32:])
    assert widened(wide.get_weights(), [one.shape for one in student.get_weights()], seed=1) is None


def test_a_deeper_network_begins_with_the_answers_of_the_shallow_one(whole: Path) -> None:
    shallow, deep = load_keras(whole / "best.keras"), OWN["deep"]()
    weights = deepened(shallow.get_weights(), deep.get_weights())
    assert weights is not None
    deep.set_weights(weights)
    crops = np.random.default_rng(1).random((16, 48, 48, 1)).astype(np.float32)
    assert np.asarray(deep(crops)) == pytest.approx(np.asarray(shallow(crops)), abs=1e-5)
    assert deep.count_params() > shallow.count_params()
    assert deepened(deep.get_weights(), shallow.get_weights()) is None
    wide = OWN["teacher"]()
    assert deepened(shallow.get_weights(), wide.get_weights()) is None
    alike = deepened(shallow.get_weights(), shallow.get_weights())
    assert alike is not None
    assert all(np.array_equal(a, b) for a, b in zip(alike, shallow.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"votes": 0.5}, "ferplus_votes.csv"),
        ({"warm_start": Path("absent.keras")}, "absent.keras does not exist"),
        ({"teacher": Path("absent.keras")}, "absent.keras does not exist"),
        ({"weights": "imagenet"}, "are for --arch resnet50"),
        ({"side": 40, "arch": "resnet50"}, "leave --side out"),
        ({"weights": "absent.h5", "arch": "resnet50"}, "no weights from 'absent.h5'"),
    ],
)
def test_what_is_not_there_is_said(change: dict, said: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=said):
        train(replace(_options(data, tmp_path / "run"), **change))


@pytest.mark.slow
def test_every_option_at_once_survives_a_break(whole: Path, data: Path, tmp_path: Path) -> None:
    options = replace(
        _options(data, tmp_path / "one"), epochs=2, teacher=whole / "best.keras", balance=0.5, ease=0.3,
        smoothing=0.05, average=2, warm_start=whole / "best.keras", side=40,
        ranges=Ranges(codec_share=0.3, erase_share=0.3, framed_share=0.3),
    )  # fmt: skip
    train(options)
    broken = replace(options, run=tmp_path / "two")
    train(replace(broken, minutes=1e-6))
    assert best_epoch(broken.run).epochs_done == 1
    train(broken)
    _same(options.run, broken.run)
