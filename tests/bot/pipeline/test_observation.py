"""Observations from the analysis of a frame, and black frames."""

import numpy as np
import pytest

from bot.pipeline.observation import ReadingLimits, is_black, observe
from inference.batcher import FaceAnalysis
from inference.detector import Faces
from inference.emotions import EMOTIONS
from reports.summary.windows import NotAnalysed
from tests.fakes import no_face, one_face

LIMITS = ReadingLimits(min_face_px=24, min_confidence=0.3)


def test_a_frame_without_a_face_is_not_classified() -> None:
    observation = observe("a", 1.0, no_face(), LIMITS)
    assert (observation.faces, observation.probs, observation.reason) == (0, None, NotAnalysed.NO_FACE)


def test_a_face_is_classified() -> None:
    observation = observe("a", 1.0, one_face("happy"), LIMITS)
    assert observation.reason is None
    assert observation.probs is not None
    assert EMOTIONS[int(observation.probs.argmax())] == "happy"


@pytest.mark.parametrize(("side", "reason"), [(23.9, NotAnalysed.TOO_SMALL), (24.0, None)])
def test_a_face_below_the_least_size_is_not_classified(side: float, reason: NotAnalysed | None) -> None:
    assert observe("a", 1.0, one_face("happy", side=side), LIMITS).reason is reason


def test_probabilities_below_the_least_confidence_are_not_used() -> None:
    assert observe("a", 1.0, one_face("sad", share=0.29), LIMITS).reason is NotAnalysed.LOW_CONFIDENCE
    assert observe("a", 1.0, one_face("sad", share=0.31), LIMITS).reason is None


def test_of_several_faces_the_largest_one_counts() -> None:
    faces = Faces(
        np.zeros((2, 4), np.float32), np.array([0.99, 0.6], np.float32),
        np.zeros((2, 6, 2), np.float32), np.array([30, 90], np.float32),
    )  # fmt: skip
    probs = np.eye(7, dtype=np.float32)[[EMOTIONS.index("angry"), EMOTIONS.index("happy")]]
    observation = observe("a", 1.0, FaceAnalysis(faces, probs), LIMITS)
    assert observation.faces == 2
    assert observation.probs is not None
    assert observation.probs[EMOTIONS.index("happy")] == 1


def test_facing_is_known_only_for_large_classified_faces() -> None:
    assert observe("a", 1.0, one_face("happy", side=47), LIMITS).facing is None
    assert observe("a", 1.0, one_face("happy", side=48), LIMITS).facing is True
    assert observe("a", 1.0, one_face("happy", side=48, turned=True), LIMITS).facing is False
    assert observe("a", 1.0, one_face("happy", share=0.2), LIMITS).facing is None


def test_empty_and_black_frames_are_black_and_dark_ones_are_not() -> None:
    assert is_black(np.zeros((0, 0), np.uint8))
    assert is_black(np.full((180, 320), 16, np.uint8))
    assert not is_black(np.full((180, 320), 60, np.uint8))
    dark = np.full((180, 320), 16, np.uint8)
    dark[60:120, 100:200] = 90
    assert not is_black(dark)
