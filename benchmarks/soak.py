"""``benchmarks soak``: students join, leave, disappear, mute, stall and replace each other for a long time.

Every frame is checked for the right student. At the end all connections are closed, and the benchmark counts
what remains of memory, threads, tasks and sockets.
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from benchmarks.resources import open_sockets, resident_mb, threads_now
from benchmarks.simulation.clips import ClipSpec, read_identity
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.senders import SenderProcess
from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack, TrackEnded
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.peer import PeerState, ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions

_STEP_S: Final = 0.5
_IDENTITIES: Final = 256
_WANTED_FPS: Final = 4.0
_CLOCK_HZ: Final = 90_000
_OLD_AFTER_S: Final = 2.0
_TASK_TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class _Counts:
    """Counts of what happened; the names of the fields are keys of the output.

    Attributes:
        joins: Students who joined.
        leaves: Students who left.
        vanished: Students who disappeared without closing the connection.
        reuses: Streams replaced on the same media line.
        pauses: Cameras muted and networks stalled.
        pictures: Frames shown.
        wrong: Frames that show another student.
        old: Frames that were more than 2 s old.
        behind: Connections closed because they had fallen behind.
    """

    joins: int = 0
    leaves: int = 0
    vanished: int = 0
    reuses: int = 0
    pauses: int = 0
    pictures: int = 0
    wrong: int = 0
    old: int = 0
    behind: int = 0


@dataclass(slots=True, eq=False)
class _Student:
    """A student and the connection that receives it.

    Attributes:
        number: The student's number in the sender process.
        peer: The receiving connection.
        shown: The identity that its frames must show.
        next: The identity of the stream that has replaced it; once seen, it becomes ``shown``.
        resume_command: The command that ends a pause; None if the student is not paused.
    """

    number: int
    peer: ReceivingPeer
    shown: int
    next: int | None = None
    resume_command: str | None = None
    reader: asyncio.Task[None] | None = field(default=None)


class _Class:
    """The students, and the changes to them."""

    def __init__(
        self, clip: ClipSpec, loss: float, senders: SenderProcess, threads: ThreadPoolExecutor
    ) -> None:
        self.counts = _Counts()
        self.students: list[_Student] = []
        self._clip, self._loss, self._senders = clip, loss, senders
        self._options = ReceiveOptions(WebrtcSettings(), threads, BatchTicks(), _WANTED_FPS)
        self._rng = random.Random(1)
        self._number = 0

    async def join(self) -> None:
        self._number += 1
        number, identity = self._number, self._number % _IDENTITIES
        peer = ReceivingPeer(LatestFrameTrack(str(number), str(number)), self._options, self._on_state)
        offer = await self._senders.add(number, self._clip_of(identity), Faults(loss=self._loss, seed=number))
        await self._senders.accept(number, await peer.answer(offer))
        student = _Student(number, peer, identity)
        student.reader = asyncio.create_task(self._read(student))
        self.students.append(student)
        self.counts.joins += 1

    async def leave(self, student: _Student, *, vanish: bool = False) -> None:
        self.students.remove(student)
        if vanish:
            await self._senders.command(student.number, "vanish")
            self.counts.vanished += 1
        else:
            self.counts.leaves += 1
        await student.peer.close()
        await self._senders.command(student.number, "leave")
        if student.reader is not None:
            await student.reader

    async def step(self, tracks: int) -> None:
        """Apply one random change to a random student, and let paused students resume at random."""
        student = self._rng.choice(self.students)
        match self._rng.choice(("swap", "swap", "vanish", "reuse", "mute", "stall")):
            case "reuse" if student.resume_command is None and student.next is None:
                student.next = (student.shown + 1) % _IDENTITIES
                self.counts.reuses += 1
                await self._senders.replace_stream(
                    student.number, self._clip_of(student.next), 1_000_000 + self.counts.reuses
                )
            case "mute" | "stall" as fault if student.resume_command is None:
                student.resume_command = "unmute" if fault == "mute" else "resume"
                self.counts.pauses += 1
                await self._senders.command(student.number, fault)
            case change:
                await self.leave(student, vanish=change == "vanish")
        for paused in [student for student in self.students if student.resume_command is not None]:
            if self._rng.random() < 0.1 and paused.resume_command is not None:
                await self._senders.command(paused.number, paused.resume_command)
                paused.resume_command = None
        while len(self.students) < tracks:
            await self.join()

    def _clip_of(self, identity: int) -> ClipSpec:
        return replace(self._clip, identity=identity)

    def _on_state(self, _peer: ReceivingPeer, state: PeerState) -> None:
        self.counts.behind += state is PeerState.BEHIND

    async def _read(self, student: _Student) -> None:
        try:
            while True:
                frame = await student.peer.camera.recv()
                if frame.av_frame is None:
                    continue
                identity = read_identity(frame.luma())
                if identity == student.next:
                    student.shown, student.next = identity, None
                age_s = (
                    (int(time.monotonic() * _CLOCK_HZ) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF
                ) / _CLOCK_HZ
                self.counts.pictures += 1
                self.counts.wrong += identity != student.shown
                self.counts.old += age_s > _OLD_AFTER_S
        except TrackEnded:
            return


async def churn(clip: ClipSpec, tracks: int, seconds: float, loss: float) -> dict[str, Any]:
    """Fill the class, apply changes, close everything, and count what remains.

    Args:
        clip: The clip that each student sends, with the student's own identity.
        tracks: Number of students at a time.
        seconds: Duration. Memory is compared from the end of the first third on.
        loss: Share of packets lost.
    """
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    counts, rss_mb, threads = await _run_class(clip, tracks, seconds, loss)
    left = await tasks_left(tasks)
    return {
        "tracks": tracks,
        "seconds": seconds,
        "loss": loss,
        "changes": counts.joins + counts.leaves + counts.vanished + counts.reuses,
        **{name: getattr(counts, name) for name in _Counts.__slots__},
        "rss_mb": {"start": round(rss_mb[0], 1), "end": round(rss_mb[1], 1)},
        "rss_growth": round(rss_mb[1] / rss_mb[0] - 1, 3) if rss_mb[0] else None,
        "threads": {"start": threads[0], "end": threads[1]},
        "tasks_left": len(left),
        "sockets_left": open_sockets() - sockets,
        "left": left,
    }


async def _run_class(
    clip: ClipSpec, tracks: int, seconds: float, loss: float
) -> tuple[_Counts, tuple[float, float], tuple[int, int]]:
    with ThreadPoolExecutor(2, thread_name_prefix="decode") as pool:
        async with SenderProcess() as senders:
            class_ = _Class(clip, loss, senders, pool)
            for _ in range(tracks):
                await class_.join()
            warm_mb, warm_threads = await _run_changes(class_, tracks, seconds / 3)
            end_mb, end_threads = await _run_changes(class_, tracks, seconds * 2 / 3)
            for student in list(class_.students):
                await class_.leave(student)
    return class_.counts, (warm_mb, end_mb), (warm_threads, end_threads)


async def _run_changes(class_: _Class, tracks: int, seconds: float) -> tuple[float, int]:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        await asyncio.sleep(min(_STEP_S, left_s))
        await class_.step(tracks)
    return resident_mb(), threads_now()


async def tasks_left(before: set[asyncio.Task[Any]]) -> list[str]:
    """Names of new tasks that do not end within 5 s; tasks that close a connection do."""
    until_s = time.monotonic() + _TASK_TIMEOUT_S
    while left := asyncio.all_tasks() - before:
        if (rest_s := until_s - time.monotonic()) <= 0:
            break
        await asyncio.wait(left, timeout=rest_s)  # repeated: a task that ends may have started another
    return sorted(f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', '?')}" for task in left)
