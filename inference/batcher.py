"""Analyses the images of many cameras on worker threads, in batches.

A worker takes the images that are queued, at most ``BATCH``, and never waits for more. It detects faces image
by image, because BlazeFace accepts only one, and classifies all their crops in one call. The models release
the GIL.

The queue needs no size limit: each camera submits one image at a time and waits for the result.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.arrays import Floats, Image
from inference.classifier import EmotionClassifier
from inference.crops import crop_faces
from inference.detector import FaceDetector, Faces

BATCH: Final = 8
"""Most images in one batch."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """The faces of one image and their expressions.

    Attributes:
        faces: N faces, highest score first.
        probs: (N, 7) probabilities in the order of ``EMOTIONS``.
    """

    faces: Faces
    probs: Floats


class FaceAnalysisPool:
    """Worker threads, each with its own detector and classifier."""

    def __init__(
        self,
        make_detector: Callable[[], FaceDetector],
        make_classifier: Callable[[], EmotionClassifier],
        workers: int = 2,
        on_model: Callable[[str, float], None] = lambda _model, _took_s: None,
    ) -> None:
        """Load the models and start the threads.

        Args:
            make_detector: Called once per thread.
            make_classifier: Called once per thread.
            workers: Number of threads.
            on_model: Called on a worker thread after each run of a model, with the model (``detector`` for an
                image, ``classifier`` for a batch) and its time in seconds.

        Raises:
            ModelError: a model cannot be loaded.
        """
        self._jobs: queue.SimpleQueue[tuple[Image, Future[FaceAnalysis]] | None] = queue.SimpleQueue()
        self._on_model = on_model
        self._threads = [
            threading.Thread(
                target=self._work, args=(make_detector(), make_classifier()), name=f"face-analysis-{number}"
            )
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """Queue a (height, width) image; do not change it before the future is done."""
        future: Future[FaceAnalysis] = Future()
        self._jobs.put((image, future))
        return future

    def close(self) -> None:
        """Analyse what is queued, then end the threads; blocks until then."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, detector: FaceDetector, classifier: EmotionClassifier) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            last = False
            while len(jobs) < BATCH:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                jobs.append(more)
            active = [(image, future) for image, future in jobs if future.set_running_or_notify_cancel()]
            self._analyse(active, detector, classifier)
            if last:
                return

    def _analyse(
        self,
        jobs: list[tuple[Image, Future[FaceAnalysis]]],
        detector: FaceDetector,
        classifier: EmotionClassifier,
    ) -> None:
        """Complete every future; an image that cannot be analysed fails only its own."""
        detected: list[tuple[Faces, Floats, Future[FaceAnalysis]]] = []
        for image, future in jobs:
            try:
                start_s = time.perf_counter()
                faces = detector.detect(image)
                self._on_model("detector", time.perf_counter() - start_s)
                detected.append((faces, crop_faces(image, faces), future))
            except Exception as exc:  # noqa: BLE001  # every error belongs to the caller of submit
                future.set_exception(exc)
        if not detected:
            return
        try:
            start_s = time.perf_counter()
            probs = classifier.predict(np.concatenate([crops for _, crops, _ in detected]))
            self._on_model("classifier", time.perf_counter() - start_s)
        except Exception as exc:  # noqa: BLE001  # as above
            for _, _, future in detected:
                future.set_exception(exc)
            return
        start = 0
        for faces, crops, future in detected:
            future.set_result(FaceAnalysis(faces, probs[start : start + len(crops)]))
            start += len(crops)
