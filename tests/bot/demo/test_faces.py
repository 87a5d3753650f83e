"""The drawn faces, analysed by the real detector and the real CNN on the Y plane, as in the pipeline."""

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


def make_painter(seed: int) -> Painter:
    rng = np.random.default_rng(seed)
    return Painter(FaceLook.random(rng), rng)


def luma(frame: Pixels) -> Pixels:
    return np.ascontiguousarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)[: frame.shape[0]])


@pytest.fixture(scope="module")
def painters() -> list[Painter]:
    return [make_painter(seed) for seed in range(LOOKS)]


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace(threshold=0.5)


def test_a_frame_is_bgr_with_320_by_180_pixels(painters: list[Painter]) -> None:
    frame = painters[0].frame(EXPRESSIONS["neutral"], Pose())
    assert frame.shape == (180, 320, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 20


def test_the_same_seed_draws_the_same_student_and_another_seed_another() -> None:
    first, again, other = (make_painter(seed).frame(EXPRESSIONS["happy"], Pose()) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_looks_vary() -> None:
    looks = [FaceLook.random(np.random.default_rng(seed)) for seed in range(40)]
    assert {look.hair_style for look in looks} == {0, 1, 2, 3}
    assert {look.features.glasses is None for look in looks} == {True, False}
    assert len({look.features.skin for look in looks}) > 20


def test_camera_noise_is_small_and_differs_between_frames(painters: list[Painter]) -> None:
    first, second = (painters[1].frame(EXPRESSIONS["neutral"], Pose()).astype(int) for _ in range(2))
    assert 0.5 < np.abs(first - second).mean() < 5


def test_the_detector_finds_every_face(painters: list[Painter], detector: BlazeFace) -> None:
    for painter in painters:
        for expression in EXPRESSIONS.values():
            faces = detector.detect(luma(painter.frame(expression, Pose())))
            assert len(faces) == 1
            assert faces.scores[0] >= 0.75
            assert faces.sides[0] >= 60


@pytest.mark.parametrize(
    "pose", [Pose(x_px=6, tilt_deg=5, turn=1), Pose(y_px=-4, tilt_deg=-5, turn=-1), Pose(blink=1)]
)
def test_the_detector_finds_moved_and_tilted_faces(
    painters: list[Painter], detector: BlazeFace, pose: Pose
) -> None:
    for painter in painters[:8]:
        faces = detector.detect(luma(painter.frame(EXPRESSIONS["neutral"], pose)))
        assert len(faces) == 1
        assert faces.scores[0] >= 0.75


def test_the_head_moves_and_tilts_with_the_pose(painters: list[Painter], detector: BlazeFace) -> None:
    def eyes(pose: Pose) -> np.ndarray:
        return detector.detect(luma(painters[2].frame(EXPRESSIONS["neutral"], pose))).landmarks[0, :2]

    rest = eyes(Pose())
    assert np.allclose((eyes(Pose(x_px=10)) - rest).mean(axis=0), (10, 0), atol=2)
    assert np.allclose((eyes(Pose(y_px=8)) - rest).mean(axis=0), (0, 8), atol=2)
    tilted = eyes(Pose(tilt_deg=10))
    angle_deg = np.degrees(np.arctan2(*(tilted[1] - tilted[0])[::-1])) - np.degrees(
        np.arctan2(*(rest[1] - rest[0])[::-1])
    )
    assert angle_deg == pytest.approx(10, abs=4)


def test_a_head_partly_outside_the_frame_is_drawn(painters: list[Painter]) -> None:
    for pose in (Pose(x_px=-150), Pose(x_px=150), Pose(y_px=-70), Pose(y_px=70)):
        assert painters[0].frame(EXPRESSIONS["neutral"], pose).shape == (180, 320, 3)


def test_a_blink_hides_the_white_of_the_eyes() -> None:
    painter = make_painter(1)
    look = FaceLook.random(np.random.default_rng(1))

    def contrast(pose: Pose) -> float:
        x, y = round(look.x_px - look.eye_px / 2), round(look.y_px)
        eye = luma(painter.frame(EXPRESSIONS["surprise"], pose))[y - 8 : y + 8, x - 8 : x + 8]
        return float(eye.std())

    assert contrast(Pose(blink=1)) < 0.7 * contrast(Pose())


@pytest.mark.skipif(not DEFAULT_MODEL.is_file(), reason="the CNN's model file is missing")
@pytest.mark.parametrize(
    ("label", "least"), [("happy", 0.8), ("surprise", 0.8), ("neutral", 0.6), ("sad", 0.6), ("angry", 0.6)]
)
def test_the_cnn_recognises_the_drawn_expression(
    painters: list[Painter], detector: BlazeFace, label: str, least: float
) -> None:
    classifier = CnnClassifier.load()
    predicted: Counter[str] = Counter()
    for painter in painters:
        image = luma(painter.frame(EXPRESSIONS[label], Pose()))
        crops = crop_faces(image, detector.detect(image))
        predicted[EMOTIONS[int(classifier.predict(crops)[0].argmax())]] += 1
    assert predicted[label] >= least * LOOKS, predicted


def test_expressions_blend_in_proportion() -> None:
    start, end = EXPRESSIONS["sad"], EXPRESSIONS["happy"]
    first, last = np.array(astuple(start)), np.array(astuple(end))
    assert astuple(start.towards(end, 0.0)) == pytest.approx(first)
    assert astuple(start.towards(end, 1.0)) == pytest.approx(last)
    assert astuple(start.towards(end, 0.5)) == pytest.approx((first + last) / 2)


def test_every_part_of_an_expression_changes_the_frame(painters: list[Painter]) -> None:
    base = replace(EXPRESSIONS["neutral"], mouth_open=0.5, eye_open=1.0, lip_press=0.3, squint=0.3)
    rest = make_painter(3).frame(base, Pose()).astype(int)
    for field in fields(Expression):
        changed = replace(base, **{field.name: getattr(base, field.name) + 0.4})
        frame = make_painter(3).frame(changed, Pose())
        assert np.abs(frame - rest).max() > 8, field.name
