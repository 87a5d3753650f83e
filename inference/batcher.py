"""From pictures to readings on worker threads, whatever is waiting taken together.

Comes in: grayscale pictures of many cameras. Goes out: a ``FaceAnalysis`` each, as a future. A worker takes
what is queued, up to a batch, and never waits for more: detection runs picture by picture (the model
takes one), the crops of all of them go through the classifier at once. The models release the GIL.

The queue needs no bound of its own: a camera hands in one picture at a time and waits for its reading.
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
"""Most pictures a worker takes at once."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """What one picture shows.

    Attributes:
        faces: N faces, best first.
        probs: (N, 7) probabilities in the order of ``EMOTIONS``.
    """

    faces: Faces
    probs: Floats


class FaceAnalysisPool:
    """A few threads, each with a detector and a classifier of its own."""

    def __init__(
        self,
        make_detector: Callable[[], FaceDetector],
        make_classifier: Callable[[], EmotionClassifier],
        workers: int = 2,
        on_model: Callable[[str, float], None] = lambda _model, _took_s: None,
    ) -> None:
        """Load the models and start the threads.

        Args:
            make_detector: Makes each thread's detector.
            make_classifier: Makes each thread's classifier.
            workers: How many threads.
            on_model: Told on a thread which model ran (``detector`` a picture, ``classifier`` a batch)
                and for how long, seconds.

        Raises:
            ModelError: a model cannot be loaded.
        """
        self._jobs: queue.SimpleQueue[tuple[Image, Future[FaceAnalysis]] | None] = queue.SimpleQueue()
        self._on_model = on_model
        self._threads = [
            threading.Thread(
                target=self._work, args=(make_detector(), make_classifier()), name=f"face-reader-{number}"
            )
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """Queue a (height, width) picture; it must not change until the reading is there."""
        future: Future[FaceAnalysis] = Future()
        self._jobs.put((image, future))
        return future

    def close(self) -> None:
        """Finish what is queued and end the threads. Blocks for as long as that takes."""
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
            wanted = [(image, future) for image, future in jobs if future.set_running_or_notify_cancel()]
            self._read(wanted, detector, classifier)
            if last:
                return

    def _read(
        self,
        jobs: list[tuple[Image, Future[FaceAnalysis]]],
        detector: FaceDetector,
        classifier: EmotionClassifier,
    ) -> None:
        """Settle every future: a picture that cannot be read fails alone, the others go on."""
        found: list[tuple[Faces, Floats, Future[FaceAnalysis]]] = []
        for image, future in jobs:
            try:
                began_s = time.perf_counter()
                faces = detector.detect(image)
                self._on_model("detector", time.perf_counter() - began_s)
                found.append((faces, crop_faces(image, faces), future))
            except Exception as exc:  # noqa: BLE001  # whatever it is, it is the caller's to hear
                future.set_exception(exc)
        if not found:
            return
        try:
            began_s = time.perf_counter()
            probs = classifier.predict(np.concatenate([crops for _, crops, _ in found]))
            self._on_model("classifier", time.perf_counter() - began_s)
        except Exception as exc:  # noqa: BLE001  # whatever it is, it is the callers' to hear
            for _, _, future in found:
                future.set_exception(exc)
            return
        start = 0
        for faces, crops, future in found:
            future.set_result(FaceAnalysis(faces, probs[start : start + len(crops)]))
            start += len(crops)
