"""The options with which all cameras of a room are received."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from bot.config import WebrtcSettings
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.pixel_budget import PixelBudget


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """How cameras are received; one object for all cameras of a room.

    Attributes:
        settings: ICE servers and timeouts.
        threads: Where frames are decoded.
        batch_ticks: When packets are processed; None to process each packet as it arrives.
        wanted_fps: Frames a second that can be used of each camera. Temporal layers that would give more are
            not decoded, and the remaining frames are decoded in batches. None for all frames.
        on_dropped: Called on the event loop with the number of encoded frames that were dropped.
        budget: Limits the frame sizes of the room.
    """

    settings: WebrtcSettings
    threads: Executor
    batch_ticks: BatchTicks | None = None
    wanted_fps: float | None = None
    on_dropped: Callable[[int], None] = lambda _frames: None
    budget: PixelBudget = field(default_factory=PixelBudget)
