"""What the server counts, for Prometheus at /metrics. Nothing here names a class or a person.

Comes in: what sessions and the pipeline tell. Goes out: a registry of its own, which ``reports.web``
serves; two servers in one process do not share figures.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_READING_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
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
        self.behind = Histogram(
            "classmood_window_behind_seconds",
            "From a window's end to its event on the pages.",
            buckets=_BEHIND_S,
            registry=self.registry,
        )
        self.pulses = Counter("classmood_pulses", "Taps of students.", ["kind"], registry=self.registry)
        self.unsaved = Gauge(
            "classmood_windows_unsaved", "Windows the store has not taken yet.", registry=self.registry
        )
