"""Framings: what our own crop cuts from a call is what they say; no face leaves a picture as it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.crops import crop_faces
from training.augment import Ranges, augment, to_floats
from training.dataset import load
from training.framing import detector_framings
from training.scenes import central, scene, watching

STILL = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)


def test_a_picture_without_a_face_stays_as_it_is() -> None:
    framings = detector_framings(np.full((2, 48, 48), 90, np.uint8), seed=1)
    assert framings.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_a_framed_picture_is_what_would_be_cut_from_a_call(fer2013: Path) -> None:
    images = load(fer2013, "validation").images[:60]
    framings = detector_framings(images, seed=1)
    found = (framings != (1, 0, 0)).any(axis=1)
    assert found.mean() > 0.8
    assert framings[found, 0].mean() == pytest.approx(1, abs=0.1)
    images, framings = images[found], framings[found]

    framed = replace(STILL, framed_share=1.0)
    detector = watching()
    gaps: dict[str, list[float]] = {"framed": [], "as it is": []}
    for image, framing in zip(images, framings, strict=True):
        # Large in its frame, so that the cut is as sharp as the picture; found a little otherwise there.
        whole = scene(image, (640, 360), 144)
        faces = central(detector.detect(whole), 640)
        if not len(faces):
            continue
        cut = crop_faces(whole, faces)[0]
        for mirror in (1, 2, 3, 4):  # half of the draws are mirrored
            made = augment(image[np.newaxis], np.random.default_rng(mirror), framed, framing[np.newaxis])[0]
            plain = to_floats(image[np.newaxis])[0]
            if np.abs(made - cut).mean() < np.abs(made[:, ::-1] - cut).mean():
                gaps["framed"].append(np.abs(made - cut).mean())
                gaps["as it is"].append(np.abs(plain - cut).mean())
                break
    assert len(gaps["framed"]) > 30
    assert np.median(gaps["framed"]) < 0.7 * np.median(gaps["as it is"])
