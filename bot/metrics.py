"""What the server counts, for Prometheus at /metrics. Nothing here names a class or a person.

Comes in: what sessions and the pipeline tell. Goes out: a registry of its own, which ``reports.web``
serves; two servers in one process do not share figures.
"""

from __future__ import annotations

from concurrent.futures import Future

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from inference.arrays import Image
from inference.batcher import FaceAnalysisPool, FaceAnalysis

_READING_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_MODEL_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_BEHIND_S = (0.3, 0.5, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The server's figures."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.classes = Gauge("classmood_classes_running", "Classes that run.", registry=self.registry)
        self.cameras = Gauge("classmood_cameras", "Cameras being looked at.", registry=self.registry)
        self.reading = Histogram(
            "classmood_reading_seconds",
            "From a picture's arrival to its reading.",
            buckets=_READING_S,
            registry=self.registry,
        )
        self.samples = Counter(
            "classmood_samples",
            "Pictures read, by the faces found in them; failed: the models could not read it.",
            ["faces"],
            registry=self.registry,
        )
        self.waiting = Gauge(
            "classmood_samples_waiting", "Pictures handed in and not read yet.", registry=self.registry
        )
        self.dropped = Counter(
            "classmood_pictures_dropped",
            "Encoded pictures thrown away: decoding cannot keep up, or they are damaged.",
            registry=self.registry,
        )
        self.model = Histogram(
            "classmood_model_seconds",
            "Time a model runs: the detector for a picture, the classifier for a batch of faces.",
            ["model"],
            buckets=_MODEL_S,
            registry=self.registry,
        )
        self.behind = Histogram(
            "classmood_window_behind_seconds",
            "From a window's end to its event on the pages.",
            buckets=_BEHIND_S,
            registry=self.registry,
        )
        self.pulses = Counter("classmood_pulses", "Taps of students.", ["kind"], registry=self.registry)
        self.unsaved = Gauge(
            "classmood_records_unsaved", "Records the store has not taken yet.", registry=self.registry
        )

    def on_model(self, model: str, took_s: float) -> None:
        """A model ran."""
        self.model.labels(model).observe(took_s)

    def on_dropped(self, pictures: int) -> None:
        """Encoded pictures were thrown away."""
        self.dropped.inc(pictures)


class MeteredReader:
    """A picture reader that is counted."""

    def __init__(self, reader: FaceAnalysisPool, metrics: Metrics) -> None:
        """Count what ``reader`` reads in ``metrics``."""
        self._reader, self._metrics = reader, metrics

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """As ``FaceAnalysisPool.submit``."""
        future = self._reader.submit(image)
        self._metrics.waiting.inc()
        future.add_done_callback(self._count)
        return future

    def _count(self, future: Future[FaceAnalysis]) -> None:
        self._metrics.waiting.dec()
        if future.cancelled():
            return
        if future.exception() is not None:
            self._metrics.samples.labels("failed").inc()
            return
        faces = len(future.result().faces)
        self._metrics.samples.labels(("none", "one")[faces] if faces < 2 else "several").inc()
