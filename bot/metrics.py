"""The server's metrics for Prometheus, served at /metrics. None of them names a class or a person.

The metrics have a registry of their own, so two servers in one process do not share figures.
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

from bot.webrtc.ice import GuardedStunProtocol
from inference.arrays import Image
from inference.batcher import FaceAnalysis, FaceAnalysisPool

_READING_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_MODEL_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_BEHIND_S = (0.3, 0.5, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        """Start with all metrics at zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.classes = Gauge(
            "classmood_classes_running", "Classes that have not ended.", registry=self.registry
        )
        self.cameras = Gauge("classmood_cameras", "Cameras being analysed.", registry=self.registry)
        self.reading = Histogram(
            "classmood_reading_seconds",
            "From a frame's arrival to its observation.",
            buckets=_READING_S,
            registry=self.registry,
        )
        self.samples = Counter(
            "classmood_samples",
            "Images analysed, by the number of faces detected; failed: a model raised an error.",
            ["faces"],
            registry=self.registry,
        )
        self.waiting = Gauge(
            "classmood_samples_waiting", "Images queued for the models.", registry=self.registry
        )
        self.dropped = Counter(
            "classmood_pictures_dropped",
            "Encoded frames dropped because decoding is too slow or they are damaged.",
            registry=self.registry,
        )
        self.model = Histogram(
            "classmood_model_seconds",
            "Time a model runs: the detector on an image, the classifier on a batch of faces.",
            ["model"],
            buckets=_MODEL_S,
            registry=self.registry,
        )
        self.behind = Histogram(
            "classmood_window_behind_seconds",
            "From a window's end to its event on the live feed.",
            buckets=_BEHIND_S,
            registry=self.registry,
        )
        self.pulses = Counter(
            "classmood_pulses", "Taps on the pulse buttons.", ["kind"], registry=self.registry
        )
        self.unsaved = Gauge(
            "classmood_records_unsaved", "Records in the write queue: not stored yet.", registry=self.registry
        )

        Gauge(
            "classmood_malformed_datagrams", "Malformed STUN datagrams dropped.", registry=self.registry
        ).set_function(lambda: GuardedStunProtocol.dropped)

    def on_model(self, model: str, took_s: float) -> None:
        """Count a run of a model that took ``took_s`` seconds."""
        self.model.labels(model).observe(took_s)

    def on_dropped(self, frames: int) -> None:
        """Count encoded frames that were dropped."""
        self.dropped.inc(frames)


class MeteredReader:
    """Passes images on to a face reader and counts them."""

    def __init__(self, reader: FaceAnalysisPool, metrics: Metrics) -> None:
        """Wrap ``reader``; its images are counted in ``metrics``."""
        self._reader, self._metrics = reader, metrics

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """Queue a (height, width) image, as ``FaceAnalysisPool.submit`` does."""
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
