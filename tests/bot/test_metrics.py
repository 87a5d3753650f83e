"""The metrics of face analysis and of dropped frames, from a real reader and a real decoder."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bot.config import WebrtcSettings
from bot.metrics import MeteredReader, Metrics
from bot.tracks import LatestFrameTrack
from bot.webrtc.decoding import MAX_BACKLOG, FrameDecoder
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.receive_options import ReceiveOptions
from inference.arrays import Floats, Image
from inference.batcher import FaceAnalysisPool
from inference.detector import Faces


class CountingDetector:
    """Detects as many faces as the first pixel says; raises an error for 99."""

    def detect(self, image: Image) -> Faces:
        count = int(image[0, 0])
        if count == 99:
            raise ValueError("damaged image")
        boxes = np.tile(np.array([[0.0, 0.0, 8.0, 8.0]], np.float32), (count, 1))
        ones = np.ones(count, np.float32)
        return Faces(boxes, ones, np.full((count, 6, 2), 4, np.float32), 8 * ones)


class NeutralClassifier:
    """Classifies every face as neutral."""

    def predict(self, crops: Floats) -> Floats:
        return np.eye(7, dtype=np.float32)[np.full(len(crops), 6)]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_images_model_runs_and_failures_are_counted() -> None:
    metrics = Metrics()
    reader = FaceAnalysisPool(CountingDetector, NeutralClassifier, 1, metrics.on_model)
    metered = MeteredReader(reader, metrics)
    futures = [metered.submit(np.full((16, 16), count, np.uint8)) for count in (0, 1, 1, 3, 99)]
    reader.close()
    assert [len(future.result().faces) for future in futures[:4]] == [0, 1, 1, 3]
    with pytest.raises(ValueError, match="damaged image"):
        futures[4].result()
    counted = {
        faces: value(metrics, "classmood_samples_total", faces=faces)
        for faces in ("none", "one", "several", "failed")
    }
    assert counted == {"none": 1, "one": 2, "several": 1, "failed": 1}
    assert value(metrics, "classmood_samples_waiting") == 0
    assert value(metrics, "classmood_model_seconds_count", model="detector") == 4
    batches = value(metrics, "classmood_model_seconds_count", model="classifier")
    assert batches is not None
    assert 1 <= batches <= 4


async def test_dropped_frames_are_counted() -> None:
    metrics = Metrics()
    release = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(release.wait, 5)
        options = ReceiveOptions(WebrtcSettings(), threads, on_dropped=metrics.on_dropped)
        decoder = FrameDecoder(LatestFrameTrack("t", "p"), options, lambda: None)
        for number in range(MAX_BACKLOG + 1):
            decoder.push("VP8", EncodedFrame(b"\x11", number, False, 0.0))
        assert value(metrics, "classmood_pictures_dropped_total") == MAX_BACKLOG + 1
        release.set()
        decoder.push("VP8", EncodedFrame(b"not a frame", 1, True, 0.0))
        async with asyncio.timeout(5):
            while value(metrics, "classmood_pictures_dropped_total") == MAX_BACKLOG + 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        decoder.close()
    assert value(metrics, "classmood_pictures_dropped_total") == MAX_BACKLOG + 2
