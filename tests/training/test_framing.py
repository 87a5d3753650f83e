"""Framings describe the crops that our own code makes in a call; without a face the image is unchanged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.crops import crop_faces
from training.augment import Ranges, augment, to_floats
from training.dataset import load
from training.framing import detector_framings
from training.synthetic_frames import call_detector, most_central_face, place_in_frame

UNCHANGED = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)


def test_an_image_without_a_face_keeps_its_framing() -> None:
    framings = detector_framings(np.full((2, 48, 48), 90, np.uint8), seed=1)
    assert framings.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_a_framed_image_resembles_the_crop_made_in_a_call(fer2013: Path) -> None:
    images = load(fer2013, "validation").images[:60]
    framings = detector_framings(images, seed=1)
    detected = (framings != (1, 0, 0)).any(axis=1)
    assert detected.mean() > 0.8
    assert framings[detected, 0].mean() == pytest.approx(1, abs=0.1)
    images, framings = images[detected], framings[detected]

    ranges = replace(UNCHANGED, framed_share=1.0)
    detector = call_detector()
    errors: dict[str, list[float]] = {"framed": [], "original": []}
    for image, framing in zip(images, framings, strict=True):
        # Large in its frame, so that the crop is as sharp as the image; the detected box differs slightly.
        frame = place_in_frame(image, (640, 360), 144)
        faces = most_central_face(detector.detect(frame), 640)
        if not len(faces):
            continue
        crop = crop_faces(frame, faces)[0]
        for seed in (1, 2, 3, 4):  # half of the seeds mirror the image
            framed = augment(image[np.newaxis], np.random.default_rng(seed), ranges, framing[np.newaxis])[0]
            original = to_floats(image[np.newaxis])[0]
            if np.abs(framed - crop).mean() < np.abs(framed[:, ::-1] - crop).mean():
                errors["framed"].append(np.abs(framed - crop).mean())
                errors["original"].append(np.abs(original - crop).mean())
                break
    assert len(errors["framed"]) > 30
    assert np.median(errors["framed"]) < 0.7 * np.median(errors["original"])
