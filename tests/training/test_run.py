"""The folder of a run: created, continued, refused, and read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import atomic, run
from training.augment import Ranges
from training.dataset import load
from training.errors import RunError

from . import fer_layouts


def _options(tmp_path: Path) -> run.TrainOptions:
    return run.TrainOptions(data=tmp_path / "fer2013.zip", run=tmp_path / "runs" / "cnn")


def test_a_new_folder_gets_the_options_and_can_be_claimed_again(tmp_path: Path) -> None:
    options = _options(tmp_path)
    run.claim(options)
    config = run.read_config(options.run)
    assert (config["arch"], config["epochs"], config["seed"]) == ("cnn", 30, 1)
    assert config["ranges"]["scale"] == [0.87, 1.18]
    before = (options.run / "config.json").read_bytes()
    run.claim(replace(options, minutes=5.0))  # the time limit is not an option of the run
    assert (options.run / "config.json").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 2}, {"rate": 0.1}, {"limit": 9}, {"data": Path("other.csv")}])
def test_a_changed_option_is_refused_and_named(change: dict[str, object], tmp_path: Path) -> None:
    options = _options(tmp_path)
    run.claim(options)
    with pytest.raises(RunError, match=f"another {next(iter(change))}"):
        run.claim(replace(options, **change))  # type: ignore[arg-type]


def test_a_run_is_resumed_with_the_options_it_was_started_with(tmp_path: Path) -> None:
    ranges = Ranges(scale=(0.5, 2.0), erase_share=0.25)
    options = replace(_options(tmp_path), rate=0.02, warm_start=tmp_path / "a.keras", side=40, ranges=ranges)
    run.claim(options)
    assert run.resumed(options.run) == options
    run.claim(run.resumed(options.run))
    config = json.loads((options.run / "config.json").read_text())
    del config["side"]
    (options.run / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"another version started .*, without side"):
        run.resumed(options.run)


def test_a_run_without_its_state_is_not_overwritten(tmp_path: Path) -> None:
    options = _options(tmp_path)
    run.claim(options)
    (options.run / "history.csv").write_text("epoch,val_accuracy\n0,0.5\n")
    with pytest.raises(RunError, match=r"state\.npz"):
        run.claim(options)


def test_a_folder_without_a_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no training run"):
        run.read_config(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(RunError, match="damaged"):
            run.read_config(tmp_path)


def test_of_equal_epochs_the_first_is_the_best(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no completed epoch"):
        run.best_epoch(tmp_path)
    history = tmp_path / "history.csv"
    history.write_text("epoch,accuracy,loss,val_accuracy,val_loss\n")
    with pytest.raises(RunError, match="no completed epoch"):
        run.best_epoch(tmp_path)
    history.write_text(history.read_text() + "0,.2,2,.3,2\n1,.3,2,.6,1\n2,.4,1,.6,1\n3,.5,1,.5,1\n")
    assert run.best_epoch(tmp_path) == run.BestEpoch(epoch=2, val_accuracy=0.6, epochs_done=4)
    assert run.read_history(tmp_path)[3] == {
        "epoch": 3, "accuracy": 0.5, "loss": 1, "val_accuracy": 0.5, "val_loss": 1
    }  # fmt: skip
    history.write_text("epoch,accuracy\n0,.5\n")
    with pytest.raises(RunError, match="damaged"):
        run.read_history(tmp_path)
    history.write_text("epoch,val_accuracy\n0\n")
    with pytest.raises(RunError, match="damaged"):
        run.best_epoch(tmp_path)


def test_held_back_images_are_training_images_that_are_not_trained_on(tmp_path: Path) -> None:
    for number in range(40):
        image = fer_layouts.uniform_image(number % 2, "train")
        image[0, 0] = number  # makes every image unique
        fer_layouts.write_image(
            tmp_path / "train" / ("angry", "disgust")[number % 2] / f"{number}.png", image
        )
    fer_layouts.write_image(
        tmp_path / "test" / "angry" / "PublicTest_1.png", fer_layouts.uniform_image(0, "validation")
    )
    training, held_back = run.training_parts(tmp_path, seed=1)
    trained, unseen = ({*part.images[:, 0, 0].tolist()} for part in (training, held_back))
    assert not trained & unseen
    assert trained | unseen == set(range(40))
    assert len(unseen) == 2
    assert {
        split
        for _, split in fer_layouts.labels_and_splits(np.concatenate([training.images, held_back.images]))
    } == {"train"}
    assert len(load(tmp_path, "validation")) == 1


def test_an_atomic_write_replaces_the_file_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "config.json"
    atomic.write(target, b"old")
    atomic.write(target, json.dumps({"a": 1}).encode())
    assert json.loads(target.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(OSError):
        atomic.write(tmp_path / "absent" / "config.json", b"")


def test_along_changes_linearly_to_the_last_value_and_stays_there(tmp_path: Path) -> None:
    options = replace(_options(tmp_path), epochs=3)
    assert [options.along(epoch, 1.0, 0.2) for epoch in range(5)] == pytest.approx([1, 0.6, 0.2, 0.2, 0.2])
    assert replace(options, epochs=1).along(0, 0.6, 0.1) == 0.6
