"""``benchmarks soak --livekit``: students of a real LiveKit room join, leave, mute, reload and publish anew.

Every frame is checked for the right student, and every student whose camera is on for the time without a
frame. At the end the room is left, and the benchmark counts what remains of memory, threads, tasks and
sockets.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.resources import open_sockets, resident_mb, threads_now
from benchmarks.simulation.clips import NUMBERS, read_identity, read_number
from benchmarks.simulation.frame_times import age_s, student_of_name
from benchmarks.simulation.livekit_server import API_KEY, API_SECRET, LiveKitServer
from benchmarks.simulation.livekit_students import LiveKitStudents
from benchmarks.soak import tasks_left
from bot.config import LiveKitSettings, WebrtcSettings
from bot.pipeline.observation import is_black
from bot.rooms import contract
from bot.rooms.livekit.adapter import parse_url
from bot.rooms.livekit.room import LiveKitRoom
from bot.tracks import TrackEnded, VideoTrack

_ROOM: Final = "soak"
_STEP_S: Final = 0.5
_STARVED_S: Final = 3.0
_SAMPLES_PER_S: Final = 2.0
_PROBE_S: Final = 0.01
_MAX_MISTAKEN: Final = 20


@dataclass(slots=True)
class _Seen:
    """What was seen.

    Attributes:
        pictures: Frames shown.
        wrong: Frames that show another student.
        black: Black frames, which count as a camera that is off.
        unreadable: Frames whose identity cannot be read, because the encoder blurred it.
        mistaken: The first of the wrong frames: the student, and whom the frame shows.
        last_s: When each student whose camera is on had the last frame, or was switched on.
        longest_s: The longest time without a frame of each student, seconds.
        ages_ms: Age of every tenth frame.
        busy_ms: Times for which the event loop did other work, in CPU time and so without waiting.
    """

    pictures: int = 0
    wrong: int = 0
    black: int = 0
    unreadable: int = 0
    mistaken: list[tuple[int, int]] = field(default_factory=list)
    last_s: dict[int, float] = field(default_factory=dict)
    longest_s: dict[int, float] = field(default_factory=dict)
    ages_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    def switch(self, student: int, on: bool) -> None:
        """A student's camera was switched on, or will be switched off."""
        if on:
            self.last_s[student] = time.monotonic()
        else:
            self.check(student)
            self.last_s.pop(student, None)

    def check(self, student: int) -> None:
        """Record for how long a student has been without a frame."""
        if student in self.last_s:
            without_s = time.monotonic() - self.last_s[student]
            self.longest_s[student] = max(without_s, self.longest_s.get(student, 0.0))


class _Class:
    """The students, and the changes to them."""

    def __init__(self, students: LiveKitStudents, seen: _Seen) -> None:
        self.changes: Counter[str] = Counter()
        self._students, self._seen = students, seen
        self._present: list[int] = []
        self._muted: set[int] = set()
        self._number = 0
        self._rng = random.Random(1)

    async def fill(self, tracks: int) -> None:
        while len(self._present) < tracks:
            self._number += 1
            await self._students.join(self._number)
            self._present.append(self._number)
            self._seen.switch(self._number, True)
            self.changes["joins"] += 1

    async def step(self, tracks: int) -> None:
        """Apply one random change to a random student."""
        student = self._rng.choice(self._present)
        changes: dict[str, Callable[[int], Awaitable[None]]] = {
            "leaves": self._leave,
            "swaps": self._leave,
            "mutes": self._mute,
            "reloads": self._reload,
            "republished": self._republish,
        }
        name = self._rng.choice(list(changes))
        await changes[name](student)
        self.changes[name] += 1
        for muted in [muted for muted in self._muted if self._rng.random() < 0.2]:
            self._muted.discard(muted)
            await self._students.command("unmute", muted)
            self._seen.switch(muted, True)
        if name == "leaves":
            await asyncio.sleep(_STEP_S)  # otherwise the newcomer takes over the place at once
        await self.fill(tracks)

    async def _leave(self, student: int) -> None:
        self._seen.switch(student, False)
        self._present.remove(student)
        self._muted.discard(student)
        await self._students.command("leave", student)

    async def _mute(self, student: int) -> None:
        if student not in self._muted:
            self._muted.add(student)
            self._seen.switch(student, False)
            await self._students.command("mute", student)

    async def _reload(self, student: int) -> None:
        await self._publish_again(student, "reload")

    async def _republish(self, student: int) -> None:
        await self._publish_again(student, "unpublish", "publish")

    async def _publish_again(self, student: int, *commands: str) -> None:
        self._seen.switch(student, False)
        for command in commands:
            await self._students.command(command, student)
        self._muted.discard(student)
        self._seen.switch(student, True)


async def churn(tracks: int, seconds: float, size: tuple[int, int]) -> dict[str, Any]:
    """Fill the class, apply changes, leave, and count what remains.

    Args:
        tracks: Number of students at a time.
        seconds: Duration. Memory is compared from the end of the first third on.
        size: Width and height of the frames, pixels.

    Raises:
        NoLiveKit: the server cannot be built here.
    """
    settings = LiveKitSettings.model_validate({"api_key": API_KEY, "api_secret": API_SECRET})
    seen = _Seen()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            LiveKitServer(Path(folder)) as server,
            LiveKitStudents(server.url, _ROOM, size=size) as students,
        ):
            class_ = _Class(students, seen)
            tasks, sockets = asyncio.all_tasks(), open_sockets()
            address, access = await asyncio.to_thread(parse_url, server.room_url(_ROOM), settings)
            room = LiveKitRoom(address, access, WebrtcSettings(), samples_per_s=_SAMPLES_PER_S)
            async with room:
                watching = asyncio.create_task(_watch(room, seen))
                await class_.fill(tracks)
                probing = asyncio.create_task(_probe(seen))
                start_mb, start_threads = await _run_changes(class_, tracks, seconds / 3)
                end_mb, end_threads = await _run_changes(class_, tracks, seconds * 2 / 3)
                await asyncio.sleep(_STARVED_S)
                for student in list(seen.last_s):
                    seen.check(student)
            await watching
            probing.cancel()
            left = await tasks_left(tasks)
            sockets_left = open_sockets() - sockets
    without = sorted(seen.longest_s.values())
    return {
        "tracks": tracks,
        "seconds": seconds,
        "changes": sum(class_.changes.values()),
        **class_.changes,
        "pictures": seen.pictures,
        "wrong": seen.wrong,
        "mistaken": seen.mistaken,
        "black": seen.black,
        "unreadable": seen.unreadable,
        "students": len(without),
        "starved": sum(without_s > _STARVED_S for without_s in without),
        "longest_without_s": round(without[-1], 2),
        "age_ms": percentiles(seen.ages_ms),
        "longest_busy_ms": round(max(seen.busy_ms), 1),
        "rss_mb": {"start": round(start_mb, 1), "end": round(end_mb, 1)},
        "rss_growth": round(end_mb / start_mb - 1, 3) if start_mb else None,
        "threads": {"start": start_threads, "end": end_threads},
        "tasks_left": len(left),
        "sockets_left": sockets_left,
        "left": left,
    }


async def _run_changes(class_: _Class, tracks: int, seconds: float) -> tuple[float, int]:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        await asyncio.sleep(min(_STEP_S, left_s))
        await class_.step(tracks)
    return resident_mb(), threads_now()


async def _watch(room: LiveKitRoom, seen: _Seen) -> None:
    """Follow the room and check every frame."""
    students: dict[str, int] = {}
    async with asyncio.TaskGroup() as group:
        async for event in room.events():
            match event:
                case contract.Joined(participant_id, name):
                    students[participant_id] = student_of_name(name) or 0
                case contract.TrackAdded(track):
                    group.create_task(_read(track, students[track.participant_id], seen))


async def _read(track: VideoTrack, student: int, seen: _Seen) -> None:
    try:
        while True:
            frame = await track.recv()
            if frame.av_frame is None:
                continue
            luma, now_s = frame.luma(), time.monotonic()
            seen.pictures += 1
            if is_black(luma):  # LiveKit's library sends such frames while it switches a camera off
                seen.black += 1
            else:
                _check_identity(read_identity(luma), student, seen)
            seen.check(student)
            if student in seen.last_s:
                seen.last_s[student] = now_s
            if seen.pictures % 10 == 0:
                seen.ages_ms.append(age_s(student, read_number(luma), now_s) * 1000)
    except TrackEnded:
        return


def _check_identity(shown: int, student: int, seen: _Seen) -> None:
    if shown < 0:
        seen.unreadable += 1
    elif shown != student % NUMBERS:
        seen.wrong += 1
        seen.mistaken = [*seen.mistaken, (student, shown)][:_MAX_MISTAKEN]


async def _probe(seen: _Seen) -> None:
    """Measure how much CPU time other callbacks take between two wake-ups of this task."""
    while True:
        before_s = time.thread_time()
        await asyncio.sleep(_PROBE_S)
        seen.busy_ms.append((time.thread_time() - before_s) * 1000)
        if len(seen.busy_ms) > 1000:
            seen.busy_ms = [max(seen.busy_ms)]
