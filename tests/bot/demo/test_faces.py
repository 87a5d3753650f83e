"""The drawn faces as the pipeline sees them: the real detector and the real CNN on the Y plane."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, fields, replace

import cv2
import numpy as np
import pytest

from bot.demo.expressions import EXPRESSIONS, Expression
from bot.demo.faces import Painter, Pose
from bot.demo.features import Pixels
from bot.demo.looks import FaceLook
from inference.classifier import DEFAULT_MODEL, CnnClassifier
from inference.crops import crop_faces
from inference.detector import BlazeFace
from inference.emotions import EMOTIONS

LOOKS = 20


def painter(seed: int) -> Painter:
    rng = np.random.default_rng(seed)
    return Painter(FaceLook.draw(rng), rng)


def luma(picture: Pixels) -> Pixels:
    return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)[: picture.shape[0]])


@pytest.fixture(scope="module")
def painters() -> list[Painter]:
    return [painter(seed) for seed in range(LOOKS)]


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace(threshold=0.5)


def test_picture_is_a_small_camera_frame(painters: list[Painter]) -> None:
    picture = painters[0].picture(EXPRESSIONS["neutral"], Pose())
    assert picture.shape == (180, 320, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 20


def test_same_seed_draws_the_same_student_and_others_differ() -> None:
    first, again, other = (painter(seed).picture(EXPRESSIONS["happy"], Pose()) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_looks_vary() -> None:
    looks = [FaceLook.draw(np.random.default_rng(seed)) for seed in range(40)]
    assert {look.hair_style for look in looks} == {0, 1, 2, 3}
    assert {look.features.glasses is None for look in looks} == {True, False}
    assert len({look.features.skin for look in looks}) > 20


def test_camera_noise_is_small_and_never_the_same(painters: list[Painter]) -> None:
    first, second = (painters[1].picture(EXPRESSIONS["neutral"], Pose()).astype(int) for _ in range(2))
    assert 0.5 < np.abs(first - second).mean() < 5


def test_detector_finds_every_face_large_enough(painters: list[Painter], detector: BlazeFace) -> None:
    for each in painters:
        for expression in EXPRESSIONS.values():
            faces = detector.detect(luma(each.picture(expression, Pose())))
            assert len(faces) == 1
            assert faces.scores[0] >= 0.75
            assert faces.sides[0] >= 60


@pytest.mark.parametrize(
    "pose", [Pose(x_px=6, tilt_deg=5, turn=1), Pose(y_px=-4, tilt_deg=-5, turn=-1), Pose(blink=1)]
)
def test_detector_finds_moved_faces(painters: list[Painter], detector: BlazeFace, pose: Pose) -> None:
    for each in painters[:8]:
        faces = detector.detect(luma(each.picture(EXPRESSIONS["neutral"], pose)))
        assert len(faces) == 1
        assert faces.scores[0] >= 0.75


def test_head_moves_as_posed(painters: list[Painter], detector: BlazeFace) -> None:
    def eyes(pose: Pose) -> np.ndarray:
        return detector.detect(luma(painters[2].picture(EXPRESSIONS["neutral"], pose))).landmarks[0, :2]

    rest = eyes(Pose())
    assert np.allclose((eyes(Pose(x_px=10)) - rest).mean(axis=0), (10, 0), atol=2)
    assert np.allclose((eyes(Pose(y_px=8)) - rest).mean(axis=0), (0, 8), atol=2)
    tilted = eyes(Pose(tilt_deg=10))
    drop = np.degrees(np.arctan2(*(tilted[1] - tilted[0])[::-1])) - np.degrees(
        np.arctan2(*(rest[1] - rest[0])[::-1])
    )
    assert drop == pytest.approx(10, abs=4)


def test_a_head_half_out_of_the_picture_is_drawn(painters: list[Painter]) -> None:
    for pose in (Pose(x_px=-150), Pose(x_px=150), Pose(y_px=-70), Pose(y_px=70)):
        assert painters[0].picture(EXPRESSIONS["neutral"], pose).shape == (180, 320, 3)


def test_blink_hides_the_white_of_the_eyes() -> None:
    each = painter(1)
    look = FaceLook.draw(np.random.default_rng(1))

    def contrast(pose: Pose) -> float:
        x, y = round(look.x_px - look.eye_px / 2), round(look.y_px)
        eye = luma(each.picture(EXPRESSIONS["surprise"], pose))[y - 8 : y + 8, x - 8 : x + 8]
        return float(eye.std())

    assert contrast(Pose(blink=1)) < 0.7 * contrast(Pose())


@pytest.mark.skipif(not DEFAULT_MODEL.is_file(), reason="the CNN's model file is not here")
@pytest.mark.parametrize(
    ("label", "least"), [("happy", 0.8), ("surprise", 0.8), ("neutral", 0.6), ("sad", 0.6), ("angry", 0.6)]
)
def test_cnn_reads_what_is_drawn(
    painters: list[Painter], detector: BlazeFace, label: str, least: float
) -> None:
    classifier = CnnClassifier.load()
    read: Counter[str] = Counter()
    for each in painters:
        image = luma(each.picture(EXPRESSIONS[label], Pose()))
        crops = crop_faces(image, detector.detect(image))
        read[EMOTIONS[int(classifier.predict(crops)[0].argmax())]] += 1
    assert read[label] >= least * LOOKS, read


def test_towards_goes_all_the_way_and_half() -> None:
    start, end = EXPRESSIONS["sad"], EXPRESSIONS["happy"]
    first, last = np.array(astuple(start)), np.array(astuple(end))
    assert astuple(start.towards(end, 0.0)) == pytest.approx(first)
    assert astuple(start.towards(end, 1.0)) == pytest.approx(last)
    assert astuple(start.towards(end, 0.5)) == pytest.approx((first + last) / 2)


def test_every_part_of_an_expression_shows(painters: list[Painter]) -> None:
    """No setting is without effect on the picture."""
    base = replace(EXPRESSIONS["neutral"], mouth_open=0.5, eye_open=1.0, lip_press=0.3, squint=0.3)
    rest = painter(3).picture(base, Pose()).astype(int)
    for field in fields(Expression):
        changed = replace(base, **{field.name: getattr(base, field.name) + 0.4})
        picture = painter(3).picture(changed, Pose())
        assert np.abs(picture - rest).max() > 8, field.name
