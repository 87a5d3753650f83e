"""``benchmarks soak``: students come, go, vanish, mute, stall and are replaced on the same line, without end.

Each picture is checked against whose it must be. At the end everything is closed and counted: memory,
threads, tasks and open files.
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
_CLOCK: Final = 90_000
_OLD_S: Final = 2.0
_REST_S: Final = 5.0


@dataclass(slots=True)
class _Counts:
    """What happened.

    Attributes:
        joins: Students who came.
        leaves: Students who left.
        vanished: Students who left without a word.
        reuses: Streams replaced on the same line.
        pauses: Cameras muted, or networks stalled, and back.
        pictures: Pictures shown.
        wrong: Of them, those of another student.
        old: Of them, those taken more than 2 s before.
        behind: Connections given up for being behind.
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
class _Seat:
    """A student as received.

    Attributes:
        number: To the senders.
        peer: Receives them.
        shown: Whose pictures must come.
        next: Who has been put on the same line and may come from now on; then nobody else.
        paused: How the student's pictures were stopped, if they are.
    """

    number: int
    peer: ReceivingPeer
    shown: int
    next: int | None = None
    paused: str | None = None
    reader: asyncio.Task[None] | None = field(default=None)


class _Class:
    """The seats, and what happens to them."""

    def __init__(
        self, clip: ClipSpec, loss: float, senders: SenderProcess, threads: ThreadPoolExecutor
    ) -> None:
        self.counts = _Counts()
        self.seats: list[_Seat] = []
        self._clip, self._loss, self._senders = clip, loss, senders
        self._options = ReceiveOptions(WebrtcSettings(), threads, BatchTicks(), _WANTED_FPS)
        self._dice = random.Random(1)
        self._number = 0

    async def join(self) -> None:
        self._number += 1
        number, identity = self._number, self._number % _IDENTITIES
        peer = ReceivingPeer(LatestFrameTrack(str(number), str(number)), self._options, self._told)
        offer = await self._senders.add(number, self._clip_of(identity), Faults(loss=self._loss, seed=number))
        await self._senders.accept(number, await peer.answer(offer))
        seat = _Seat(number, peer, identity)
        seat.reader = asyncio.create_task(self._read(seat))
        self.seats.append(seat)
        self.counts.joins += 1

    async def leave(self, seat: _Seat, *, vanish: bool = False) -> None:
        self.seats.remove(seat)
        if vanish:
            await self._senders.tell(seat.number, "vanish")
            self.counts.vanished += 1
        else:
            self.counts.leaves += 1
        await seat.peer.close()
        await self._senders.tell(seat.number, "leave")
        if seat.reader is not None:
            await seat.reader

    async def step(self, tracks: int) -> None:
        """Something happens to somebody."""
        seat = self._dice.choice(self.seats)
        match self._dice.choice(("swap", "swap", "vanish", "reuse", "mute", "stall")):
            case "reuse" if seat.paused is None and seat.next is None:
                seat.next = (seat.shown + 1) % _IDENTITIES
                self.counts.reuses += 1
                await self._senders.change(
                    seat.number, self._clip_of(seat.next), 1_000_000 + self.counts.reuses
                )
            case "mute" | "stall" as how if seat.paused is None:
                seat.paused = "unmute" if how == "mute" else "resume"
                self.counts.pauses += 1
                await self._senders.tell(seat.number, how)
            case what:
                await self.leave(seat, vanish=what == "vanish")
        for paused in [seat for seat in self.seats if seat.paused is not None]:
            if self._dice.random() < 0.1 and paused.paused is not None:
                await self._senders.tell(paused.number, paused.paused)
                paused.paused = None
        while len(self.seats) < tracks:
            await self.join()

    def _clip_of(self, identity: int) -> ClipSpec:
        return replace(self._clip, identity=identity)

    def _told(self, _peer: ReceivingPeer, state: PeerState) -> None:
        self.counts.behind += state is PeerState.BEHIND

    async def _read(self, seat: _Seat) -> None:
        try:
            while True:
                frame = await seat.peer.camera.recv()
                identity = read_identity(frame.luma())
                if identity == seat.next:
                    seat.shown, seat.next = identity, None
                age_s = ((int(time.monotonic() * _CLOCK) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF) / _CLOCK
                self.counts.pictures += 1
                self.counts.wrong += identity != seat.shown
                self.counts.old += age_s > _OLD_S
        except TrackEnded:
            return


async def churn(clip: ClipSpec, tracks: int, seconds: float, loss: float) -> dict[str, Any]:
    """Fill the class, let things happen, empty it, count.

    Args:
        clip: What each sends, under an identity of their own.
        tracks: Students at a time.
        seconds: How long things happen; the first third is the warm-up of the memory.
        loss: Share of packets lost.
    """
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    counts, rss_mb, threads = await _attend(clip, tracks, seconds, loss)
    left = await _tasks_left(tasks)
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


async def _attend(
    clip: ClipSpec, tracks: int, seconds: float, loss: float
) -> tuple[_Counts, tuple[float, float], tuple[int, int]]:
    with ThreadPoolExecutor(2, thread_name_prefix="decode") as pool:
        async with SenderProcess() as senders:
            class_ = _Class(clip, loss, senders, pool)
            for _ in range(tracks):
                await class_.join()
            warm_mb, warm_threads = await _happen(class_, tracks, seconds / 3)
            end_mb, end_threads = await _happen(class_, tracks, seconds * 2 / 3)
            for seat in list(class_.seats):
                await class_.leave(seat)
    return class_.counts, (warm_mb, end_mb), (warm_threads, end_threads)


async def _happen(class_: _Class, tracks: int, seconds: float) -> tuple[float, int]:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        await asyncio.sleep(min(_STEP_S, left_s))
        await class_.step(tracks)
    return resident_mb(), threads_now()


async def _tasks_left(before: set[asyncio.Task[Any]]) -> list[str]:
    """What runs in new tasks that do not end by themselves, as those that see a connection out do."""
    until_s = time.monotonic() + _REST_S
    while left := asyncio.all_tasks() - before:
        if (rest_s := until_s - time.monotonic()) <= 0:
            break
        await asyncio.wait(left, timeout=rest_s)  # again: a task that ends may have begun another
    return sorted(f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', '?')}" for task in left)
