"""Training runs: checkpoints, warm starts, and a killed run that ends like one that was never killed."""

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

from training.augment import Ranges  # noqa: E402
from training.dataset import load  # noqa: E402
from training.errors import RunError  # noqa: E402
from training.keras_file import load_keras  # noqa: E402
from training.models import OWN_NETWORKS  # noqa: E402
from training.net2net import deepen_weights, widen_weights  # noqa: E402
from training.run import TrainOptions, best_epoch  # noqa: E402
from training.train import train  # noqa: E402

from . import fer_layouts  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fer_layouts.write_csv(tmp_path_factory.mktemp("data"))


def _options(data: Path, run: Path) -> TrainOptions:
    return TrainOptions(data=data, run=run, epochs=4, batch=8, limit=32)


@pytest.fixture(scope="module")
def finished_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs without an interruption."""
    run = tmp_path_factory.mktemp("finished")
    train(_options(data, run))
    return run


def _assert_same_run(one: Path, other: Path) -> None:
    assert (one / "history.csv").read_text() == (other / "history.csv").read_text()
    pairs = zip(load_keras(one / "best.keras").weights, load_keras(other / "best.keras").weights, strict=True)
    assert all((a.numpy() == b.numpy()).all() for a, b in pairs)
    with np.load(one / "state.npz") as a, np.load(other / "state.npz") as b:
        assert a.files == b.files
        assert all((a[name] == b[name]).all() for name in a.files)


def test_a_run_saves_its_history_and_the_best_weights(finished_run: Path, data: Path) -> None:
    rows = (finished_run / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,accuracy,loss,val_accuracy,val_loss"
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2", "3"]
    best = best_epoch(finished_run)
    validation = load(data, "validation")
    logits = np.asarray(
        load_keras(finished_run / "best.keras")(validation.images[..., np.newaxis] / np.float32(255))
    )
    accuracy = (logits.argmax(axis=1) == validation.labels).mean()
    assert accuracy == pytest.approx(best.val_accuracy, abs=1e-6)


def test_a_longer_average_moves_the_saved_weights_less(
    finished_run: Path, data: Path, tmp_path: Path
) -> None:
    """With an average over very many epochs the saved weights stay at the initial ones."""
    initial = load_keras(finished_run / "best.keras").get_layer("logits").get_weights()[0]
    changes = []
    for name, average in (("short", 0.1), ("long", 1e6)):
        options = replace(_options(data, tmp_path / name), epochs=1, warm_start=finished_run / "best.keras")
        train(replace(options, average=average))
        saved = load_keras(tmp_path / name / "best.keras").get_layer("logits").get_weights()[0]
        changes.append(np.abs(saved - initial).max())
    short, long = changes
    assert short > 10 * long


def test_a_finished_run_is_not_changed_by_the_same_command(finished_run: Path, data: Path) -> None:
    before = {path.name: path.read_bytes() for path in finished_run.iterdir()}
    train(_options(data, finished_run))
    assert {path.name: path.read_bytes() for path in finished_run.iterdir()} == before


@pytest.mark.slow
def test_a_run_interrupted_twice_ends_like_one_without_interruption(
    finished_run: Path, data: Path, tmp_path: Path
) -> None:
    options = _options(data, tmp_path)
    train(replace(options, minutes=1e-6))  # one epoch: the time limit is checked after each
    assert best_epoch(tmp_path).epochs_done == 1
    # As if killed between writing the state and the history, and while writing the next state.
    (tmp_path / "history.csv").unlink()
    (tmp_path / ".state.npz.part").write_bytes(b"half a state")
    train(replace(options, minutes=1e-6))
    assert best_epoch(tmp_path).epochs_done == 2
    train(options)
    _assert_same_run(finished_run, tmp_path)


@pytest.mark.slow
def test_a_killed_run_continues_after_its_last_complete_epoch(
    finished_run: Path, data: Path, tmp_path: Path
) -> None:
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
    _assert_same_run(finished_run, tmp_path)


def test_a_damaged_state_is_reported(finished_run: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path, dirs_exist_ok=True)
    for content in (b"", (finished_run / "state.npz").read_bytes()[:5000]):
        (tmp_path / "state.npz").write_bytes(content)
        with pytest.raises(RunError, match="damaged"):
            train(_options(data, tmp_path))
    np.savez(tmp_path / "state.npz", history=np.array("[]"))
    with pytest.raises(RunError, match=r"damaged|another network"):
        train(_options(data, tmp_path))


def test_framings_are_computed_once_and_cached(data: Path, tmp_path: Path) -> None:
    options = replace(_options(data, tmp_path), epochs=1, ranges=Ranges(framed_share=0.5))
    train(options)
    cached = np.load(tmp_path / "framings.npy")
    assert cached.shape == (32, 3)
    (tmp_path / "framings.npy").write_bytes(b"none")
    with pytest.raises(RunError, match=r"framings\.npy: it is damaged"):
        train(replace(options))


def test_fewer_images_than_one_batch_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="do not fill one batch of 64"):
        train(replace(_options(data, tmp_path / "run"), batch=64))
    assert not (tmp_path / "run").exists()


def test_a_warm_start_uses_the_weights_of_the_file(finished_run: Path, data: Path, tmp_path: Path) -> None:
    """With a learning rate of almost zero the saved weights equal the initial ones."""
    initial = load_keras(finished_run / "best.keras")
    options = replace(_options(data, tmp_path / "run"), epochs=1, rate=1e-12)
    train(replace(options, warm_start=finished_run / "best.keras"))
    saved = load_keras(tmp_path / "run" / "best.keras")
    pairs = list(zip(initial.trainable_weights, saved.trainable_weights, strict=True))
    assert all(np.allclose(a, b, atol=1e-6) for a, b in pairs)
    with pytest.raises(RunError, match="another kind of network"):
        train(replace(options, run=tmp_path / "r", arch="resnet50", warm_start=finished_run / "best.keras"))


def test_a_widened_network_predicts_nearly_the_same_with_copies_that_differ(finished_run: Path) -> None:
    narrow, wide = load_keras(finished_run / "best.keras"), OWN_NETWORKS["teacher"]()
    weights = widen_weights(narrow.get_weights(), [one.shape for one in wide.get_weights()], seed=1)
    assert weights is not None
    wide.set_weights(weights)
    crops = np.random.default_rng(1).random((16, 48, 48, 1)).astype(np.float32)
    narrow_logits, wide_logits = np.asarray(narrow(crops)), np.asarray(wide(crops))
    assert np.abs(wide_logits - narrow_logits).mean() < 0.05 * narrow_logits.std()
    assert not np.allclose(weights[0][..., :32], weights[0][..., 32:])
    assert widen_weights(wide.get_weights(), [one.shape for one in narrow.get_weights()], seed=1) is None


def test_a_deepened_network_predicts_the_same(finished_run: Path) -> None:
    shallow, deep = load_keras(finished_run / "best.keras"), OWN_NETWORKS["deep"]()
    weights = deepen_weights(shallow.get_weights(), deep.get_weights())
    assert weights is not None
    deep.set_weights(weights)
    crops = np.random.default_rng(1).random((16, 48, 48, 1)).astype(np.float32)
    assert np.asarray(deep(crops)) == pytest.approx(np.asarray(shallow(crops)), abs=1e-5)
    assert deep.count_params() > shallow.count_params()
    assert deepen_weights(deep.get_weights(), shallow.get_weights()) is None
    wide = OWN_NETWORKS["teacher"]()
    assert deepen_weights(shallow.get_weights(), wide.get_weights()) is None
    unchanged = deepen_weights(shallow.get_weights(), shallow.get_weights())
    assert unchanged is not None
    assert all(np.array_equal(a, b) for a, b in zip(unchanged, shallow.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"votes": 0.5}, "ferplus_votes.csv"),
        ({"warm_start": Path("absent.keras")}, "absent.keras does not exist"),
        ({"teacher": Path("absent.keras")}, "absent.keras does not exist"),
        ({"weights": "imagenet"}, "is for --arch resnet50"),
        ({"side": 40, "arch": "resnet50"}, "leave --side out"),
        ({"weights": "absent.h5", "arch": "resnet50"}, "cannot load 'absent.h5'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(
    change: dict, message: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=message):
        train(replace(_options(data, tmp_path / "run"), **change))


@pytest.mark.slow
def test_a_run_with_every_option_survives_an_interruption(
    finished_run: Path, data: Path, tmp_path: Path
) -> None:
    options = replace(
        _options(data, tmp_path / "one"), epochs=2, teacher=finished_run / "best.keras", balance=0.5,
        ease=0.3, smoothing=0.05, average=2, warm_start=finished_run / "best.keras", side=40,
        ranges=Ranges(codec_share=0.3, erase_share=0.3, framed_share=0.3),
    )  # fmt: skip
    train(options)
    interrupted = replace(options, run=tmp_path / "two")
    train(replace(interrupted, minutes=1e-6))
    assert best_epoch(interrupted.run).epochs_done == 1
    train(interrupted)
    _assert_same_run(options.run, interrupted.run)
