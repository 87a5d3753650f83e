"""Face detection on empty images, noise and real clips, with and without tiles."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference.arrays import Image
from inference.detector import LANDMARKS, BlazeFace, Faces, overlap
from inference.engine import Engine
from inference.errors import ModelError
from inference.tiling import TiledDetector


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace()


def frames(clip: Path, width: int, height: int, every: int = 10) -> list[Image]:
    with av.open(str(clip)) as container:
        return [
            np.asarray(frame.reformat(width, height, "gray").to_ndarray(), np.uint8)
            for number, frame in enumerate(container.decode(video=0))
            if number % every == 0
        ]


def same_faces(one: Faces, other: Faces) -> bool:
    return len(one) == len(other) and bool(np.allclose(one.boxes, other.boxes, atol=2))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (180, 320), (3, 2000)])
def test_an_empty_or_black_image_has_no_face(detector: BlazeFace, shape: tuple[int, int]) -> None:
    faces = detector.detect(np.zeros(shape, np.uint8))
    assert len(faces) == 0
    assert faces.boxes.shape == (0, 4)
    assert faces.landmarks.shape == (0, len(LANDMARKS), 2)


def test_noise_has_no_face(detector: BlazeFace) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        assert len(detector.detect(rng.integers(0, 256, (180, 320), dtype=np.uint8))) == 0


def test_a_webcam_face_is_found_in_every_frame(detector: BlazeFace, faces: Path) -> None:
    for clip in ("single_face.mp4", "WolfgangLanger_Pexels.mp4"):
        for image in frames(faces / clip, 320, 180):
            found = detector.detect(image)
            assert len(found) == 1
            x0, y0, x1, y1 = found.boxes[0]
            assert 0 <= x0 < x1 <= 320
            assert 0 <= y0 < y1 <= 180
            right_eye, left_eye, _, mouth = found.landmarks[0, :4]
            assert right_eye[0] < left_eye[0], "the person's right eye is on the left of the image"
            assert mouth[1] > max(right_eye[1], left_eye[1])


def test_the_detection_does_not_depend_on_the_size_of_the_image(detector: BlazeFace, faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 640, 360)
    small = np.asarray(cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)
    large, little = detector.detect(image), detector.detect(small)
    assert np.allclose(large.boxes, little.boxes * 2, atol=4)


def test_landmarks_move_with_the_face(detector: BlazeFace, faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    shifted = np.asarray(cv2.warpAffine(image, np.array([[1, 0, 20], [0, 1, 5.0]]), (320, 180)), np.uint8)
    before, after = detector.detect(image), detector.detect(shifted)
    assert np.allclose(after.landmarks[0, :4] - before.landmarks[0, :4], (20, 5), atol=3)


def test_a_clip_without_a_face_has_no_detections(detector: BlazeFace, faces: Path) -> None:
    live = TiledDetector(detector, (1.0,), only_if_empty=True)
    for image in frames(faces / "no_face.mp4", 320, 180, every=3):
        assert len(live.detect(image)) == 0


def test_small_faces_are_found_only_in_tiles(detector: BlazeFace, faces: Path) -> None:
    image = np.asarray(cv2.imread(str(faces / "multi_face.jpg"), cv2.IMREAD_GRAYSCALE), np.uint8)
    assert len(detector.detect(image)) == 0
    found = TiledDetector(detector, (1.0, 0.5), only_if_empty=False).detect(image)
    assert len(found) in (4, 5)
    for index in range(len(found)):
        others = np.delete(found.boxes, index, axis=0)
        assert overlap(found.boxes[index], others).max() < 0.3


def test_tiles_are_skipped_if_the_whole_image_has_a_face(detector: BlazeFace, faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    live = TiledDetector(detector, (1.0,), only_if_empty=True)
    assert same_faces(live.detect(image), detector.detect(image))


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([0, 0, 10, 10], np.float32)
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert overlap(box, boxes) == pytest.approx([1, 1 / 3, 0])


def test_a_missing_or_damaged_model_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    with pytest.raises(ModelError, match="card"):
        Engine(model)
    model.with_suffix(".json").write_text('{"sha256": "00"}')
    with pytest.raises(ModelError, match="cannot be read"):
        Engine(model)
    model.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="damaged or was replaced"):
        Engine(model)
    model.with_suffix(".json").write_text("[]")
    with pytest.raises(ModelError, match="not a JSON object"):
        Engine(model)


def test_a_small_face_in_the_centre_is_whole_in_one_tile(detector: BlazeFace, faces: Path) -> None:
    (image, *_) = frames(faces / "single_face.mp4", 320, 180)
    x0, y0, x1, y1 = (int(edge) for edge in detector.detect(image).boxes[0])
    side = 40
    head = np.asarray(cv2.resize(image[max(0, y0 - 20) : y1 + 10, x0 - 15 : x1 + 15], (side + 15, side + 15)))
    canvas = np.full((180, 320), 110, np.uint8)
    canvas[60 : 60 + side + 15, 160 - (side + 15) // 2 : 160 + (side + 16) // 2] = head
    live = TiledDetector(detector, (1.0,), only_if_empty=True)
    (box,) = live.detect(canvas).boxes
    assert (box[0] + box[2]) / 2 == pytest.approx(160, abs=8)
