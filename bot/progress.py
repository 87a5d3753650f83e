"""The progress of one class at the terminal: a bar, windows as JSON lines, and the closing figures."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import click
import structlog
from tqdm import tqdm

from bot.sessions.class_timings import ClassTimings
from reports.store import Store, StoreError
from reports.summary.windows import WindowSummary
from reports.web.feed import RESYNC, Subscription

_log = structlog.get_logger()

_WARM_S: Final = 30.0
"""When memory is first measured, seconds after the start: models and decoders are loaded by then."""


class WindowFollower:
    """Follows the windows of a class on the live feed, and prints them as JSON lines if asked for.

    Attributes:
        last: The newest window, as on the feed; None before the first.
    """

    def __init__(self, store: Store, class_id: str, print_windows: bool) -> None:
        """Set up; ``store`` is read only if the feed dropped events."""
        self._store, self._class_id, self._print_windows = store, class_id, print_windows
        self.last: dict[str, Any] | None = None

    async def follow(self, events: Subscription) -> None:
        """Process every window until the feed of the class is closed."""
        missed = False
        async for event in events:
            if missed or event.event == RESYNC:
                missed = not await self._read_store()
            if event.event == "summary" and not missed:
                self._add(event.data)
        if missed:
            await self._read_store()

    async def _read_store(self) -> bool:
        """Process the stored windows that are newer than the last; whether the store could be read."""
        try:
            windows = await self._store.windows(
                self._class_id, 0.0 if self.last is None else self.last["start_s"]
            )
        except StoreError as exc:
            _log.warning("windows cannot be read, trying again", reason=str(exc))
            return False
        for window in windows:
            self._add(window.to_json())
        return True

    def _add(self, window: dict[str, Any]) -> None:
        if self.last is not None and window["start_s"] <= self.last["start_s"]:
            return  # already read from the store
        self.last = window
        if self._print_windows:
            click.echo(json.dumps(window))


async def show_progress(
    follower: WindowFollower,
    ended: asyncio.Event,
    minutes: float | None,
    stop: asyncio.Event,
) -> float | None:
    """Show the progress of a class until it ends, its time is over or ``stop`` is set.

    Args:
        follower: Has the newest window.
        ended: Set when the class has ended.
        minutes: Length of the class, minutes; None if it is not limited.
        stop: Set when the person at the terminal wants it to end.

    Returns:
        Memory of the process after ``_WARM_S`` seconds, MiB; None if the class was shorter or it is unknown.
    """
    loop = asyncio.get_running_loop()
    began_s, shown_s, first_mib = loop.time(), 0.0, None
    length_s = None if minutes is None else minutes * 60
    terminal = sys.stderr.isatty()
    with tqdm(
        total=None if length_s is None else round(length_s), unit="s", file=sys.stderr, leave=False,
        mininterval=0.5 if terminal else 15, ncols=100 if terminal else 80,
    ) as bar:  # fmt: skip
        while not ended.is_set() and not stop.is_set():
            if follower.last is not None:
                bar.set_postfix_str(_in_words(follower.last), refresh=False)
            now_s = loop.time() - began_s
            bar.update(int(now_s) - int(shown_s))
            shown_s = now_s
            if first_mib is None and now_s >= _WARM_S:
                first_mib = _resident_mib()
            if length_s is not None and now_s >= length_s:
                break
            await _wait(stop, min(1.0, (length_s or now_s + 1) - now_s))
    return first_mib


def closing_figures(
    timings: ClassTimings, windows: list[WindowSummary], students: int, first_mib: float | None
) -> str:
    """The closing line: what was analysed, how quickly, in how much memory.

    Args:
        timings: Timings of the class.
        windows: All windows of the class.
        students: How many students were expected; 0 if unknown.
        first_mib: Memory near the beginning, MiB, if it was measured.
    """
    parts = [f"{len(windows)} windows, {timings.samples} frames analysed"]
    if students:
        complete = sum(window.analysed >= students for window in windows)
        parts.append(f"all {count_students(students)} analysed in {complete} windows")
    sample_s, window_s = timings.sample_p95_s(), timings.window_p95_s()
    if sample_s is not None and window_s is not None:
        parts.append(
            f"95 % of frames analysed within {sample_s:.2f} s of arriving, "
            f"95 % of windows on the page within {window_s:.2f} s of their end"
        )
    last_mib = _resident_mib()
    if first_mib is not None and last_mib is not None:
        parts.append(f"memory {first_mib:.0f} MiB after {_WARM_S:.0f} s, {last_mib:.0f} MiB at the end")
    return "; ".join(parts) + "."


def count_students(count: int) -> str:
    """``1 student``, ``2 students``."""
    return f"{count} student{'' if count == 1 else 's'}"


def _in_words(window: dict[str, Any]) -> str:
    """A window in a few words, for the progress bar."""
    coverage = f"{window['analysed']} of {window['participants']} faces"
    if window["expressions"] is None:
        return coverage
    label, share = max(window["expressions"].items(), key=lambda item: item[1])
    return f"{coverage}, {label} {share:.0%}"


def _resident_mib() -> float | None:
    """Resident memory of this process, MiB; None where the system has no /proc."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) / 1024 if lines else None


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        return
