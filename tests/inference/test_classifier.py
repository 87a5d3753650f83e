"""The shipped CNN and the threads that use it."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from inference.batcher import FaceAnalysisPool
from inference.classifier import DEFAULT_MODEL, CnnClassifier
from inference.crops import crop_faces
from inference.detector import BlazeFace
from inference.emotions import EMOTIONS
from inference.errors import ModelError
from tests.inference.test_detector import frames


@pytest.fixture(scope="module")
def classifier() -> CnnClassifier:
    return CnnClassifier()


def test_without_crops_there_are_no_rows(classifier: CnnClassifier) -> None:
    assert classifier.predict(np.zeros((0, 48, 48, 1), np.float32)).shape == (0, 7)


def test_rows_are_probabilities_and_do_not_depend_on_the_batch_size(classifier: CnnClassifier) -> None:
    crops = np.random.default_rng(1).random((9, 48, 48, 1), dtype=np.float32)
    together = classifier.predict(crops)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-4)
    assert together.min() >= 0
    for number in (1, 3, 9):
        assert np.allclose(classifier.predict(crops[:number]), together[:number], atol=1e-4)


def test_exposure_changes_the_probabilities_little(classifier: CnnClassifier, faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    crops = crop_faces(image, BlazeFace().detect(image))
    plain, dark = classifier.predict(crops), classifier.predict(crops * 0.5)
    assert np.abs(plain - dark).max() < 0.05


def test_crops_of_another_shape_are_refused(classifier: CnnClassifier) -> None:
    with pytest.raises(ValueError, match="48, 48, 1"):
        classifier.predict(np.zeros((1, 40, 40, 1), np.float32))


def test_other_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(DEFAULT_MODEL.read_bytes())
    card = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    card["labels"] = card["labels"][::-1]
    (tmp_path / "m.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="its labels are not angry"):
        CnnClassifier(tmp_path / "m.tflite")


def test_a_smiling_man_is_classified_as_happy(faces: Path) -> None:
    pool = FaceAnalysisPool(BlazeFace, CnnClassifier, workers=2)
    try:
        futures = [pool.submit(image) for image in frames(faces / "single_face.mp4", 320, 180, every=4)]
        probs = np.concatenate([future.result(10).probs for future in futures])
    finally:
        pool.close()
    assert len(probs) == len(futures)
    assert EMOTIONS[int(probs.mean(axis=0).argmax())] == "happy"


def test_an_image_of_the_wrong_shape_fails_alone_and_close_ends_the_threads(faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    pool = FaceAnalysisPool(BlazeFace, CnnClassifier, workers=1)
    futures = [pool.submit(one) for one in (image, np.zeros((4, 4, 4), np.uint8), image)]
    pool.close()
    assert isinstance(futures[1].exception(0), ValueError)
    for good in (futures[0], futures[2]):
        assert len(good.result(0).faces) == 1
        assert good.result(0).probs.shape == (1, 7)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("face-analysis")]


def test_a_cancelled_image_is_skipped(faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    pool = FaceAnalysisPool(BlazeFace, CnnClassifier, workers=1)
    futures = [pool.submit(image) for _ in range(20)]
    cancelled = futures[-1].cancel()
    pool.close()
    assert futures[-1].cancelled() is cancelled
    assert all(len(future.result(0).faces) == 1 for future in futures[:-1])
