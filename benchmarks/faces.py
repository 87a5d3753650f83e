"""``benchmarks faces``: the CPU time of each step in the analysis of one image, on one thread.

Every image shows one drawn face. The times come from the CPU clock of the thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import cv2
import numpy as np

from benchmarks.figures import percentiles
from bot.app import make_live_detector
from bot.config import AnalysisSettings
from bot.demo.expressions import EXPRESSIONS
from bot.demo.faces import Painter, Pose
from bot.demo.looks import FaceLook
from inference.arrays import Image
from inference.classifier import CnnClassifier
from inference.crops import crop_faces

_IMAGES: Final = 24
_WARM_UPS: Final = 5

_Result = TypeVar("_Result")


def measure(width: int, height: int, seconds: float) -> dict[str, Any]:
    """Detect, crop and classify faces for a number of seconds.

    Raises:
        ModelError: a model is missing or damaged.
    """
    images = _draw_images(width, height)
    detector, classifier = make_live_detector(AnalysisSettings()), CnnClassifier()
    spent: dict[str, list[float]] = {"detect": [], "crop": [], "classify": []}
    faces_found = analysed = 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s or analysed < _WARM_UPS + 1:
        image = images[analysed % len(images)]
        faces, detect_ms = _timed(partial(detector.detect, image))
        crops, crop_ms = _timed(partial(crop_faces, image, faces))
        _, classify_ms = _timed(partial(classifier.predict, crops))
        analysed += 1
        faces_found += len(faces)
        if analysed > _WARM_UPS:
            spent["detect"].append(detect_ms)
            spent["crop"].append(crop_ms)
            spent["classify"].append(classify_ms)
    totals = [sum(steps) for steps in zip(*spent.values(), strict=True)]
    return {
        "size": f"{width}x{height}",
        "seconds": seconds,
        "pictures": analysed,
        "faces_found": faces_found,
        "ms": {step: percentiles(values) for step, values in spent.items()},
        "total_ms": percentiles(totals),
    }


def _timed(step: Callable[[], _Result]) -> tuple[_Result, float]:
    began = time.thread_time()
    result = step()
    return result, (time.thread_time() - began) * 1000


def _draw_images(width: int, height: int) -> list[Image]:
    rng = np.random.default_rng(7)
    drawn = []
    for number in range(_IMAGES):
        painter = Painter(FaceLook.random(rng), rng)
        expression = list(EXPRESSIONS.values())[number % len(EXPRESSIONS)]
        grey = cv2.cvtColor(painter.frame(expression, Pose()), cv2.COLOR_BGR2GRAY)
        drawn.append(np.asarray(cv2.resize(grey, (width, height)), np.uint8))
    return drawn
