"""Simulated students in a room of a real Janus, in a process of their own: plain RTP, no connection each.

``JanusClass`` is the near end. The far end is this module run as a program: it adds the students to the room
(``add_remote_publisher``), sends, adds them anew when Janus was lost, and obeys orders by lines of JSON until
its standard input is closed. Which picture is sent when follows from the clock alone, so that whoever sees a
picture knows how old it is (``age_s``).
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.simulation.clips import LAYER_PATTERN, NUMBERS, Clip, ClipSpec, make_clip
from benchmarks.simulation.janus_server import SECRET
from benchmarks.simulation.rtp import Packetiser
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import PLUGIN

FPS: Final = 15
_NAME: Final = "Student"
_FIRST_SSRC: Final = 1000
"""By which Janus knows a remote publisher's first stream."""

_ORIENTATION_ID: Final = 13
_CONNECT_TIMEOUT_S: Final = 2.0
_AGAIN_S: Final = 0.3
_READY_WITHIN_S: Final = 120.0


def name_of(student: int) -> str:
    """What a student is called in the room."""
    return f"{_NAME} {student}"


def student_called(name: str | None) -> int | None:
    """The student of a name."""
    return int(name.split()[1]) if name is not None and name.startswith(_NAME) else None


def age_s(student: int, number: int, at_s: float) -> float:
    """How old a picture is, modulo the 17 s of a clip.

    Args:
        student: Who sent it.
        number: What is drawn into it.
        at_s: Now, monotonic seconds.
    """
    return (at_s - _phase_s(student) - number / FPS) % (NUMBERS / FPS)


def picture_of(student: int, number: int, at_s: float) -> int:
    """The newest of a student's pictures that shows a number, counted over all turns of the clip.

    Args:
        student: Who sent it.
        number: What is drawn into it.
        at_s: Now, monotonic seconds.
    """
    newest = math.floor((at_s - _phase_s(student)) * FPS)
    return newest - (newest - number) % NUMBERS


def pictures_between(student: int, from_s: float, until_s: float, layers: int) -> list[int]:
    """The pictures a student sends in a time, counted as by ``picture_of``.

    Args:
        student: Who sends.
        from_s: Monotonic seconds.
        until_s: Likewise.
        layers: How many temporal layers, from the lowest on; the pictures of those above are left out.
    """
    first, behind = (math.ceil((at_s - _phase_s(student)) * FPS) for at_s in (from_s, until_s))
    turn = len(LAYER_PATTERN)
    return [picture for picture in range(first, behind) if LAYER_PATTERN[picture % turn] < layers]


def _phase_s(student: int) -> float:
    """So that they do not all send at the same moment."""
    return student * 0.618 % 1 / FPS


class JanusClass:
    """The near end; ``async with`` brings the students into the room and takes them out."""

    def __init__(
        self,
        socket_url: str,
        room: int,
        students: int,
        *,
        size: tuple[int, int] = (320, 180),
        faces: bool = False,
        turns: int | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Set up; nothing runs yet.

        Args:
            socket_url: Of Janus.
            room: Which room.
            students: How many; their identities are 0, 1, 2 and so on.
            size: Of their pictures.
            faces: Whether faces are drawn.
            turns: Quarter turns clockwise that set the pictures upright, said as a telephone says it; None
                for cameras that say nothing of it.
            prefix: Words before the command line, to run it elsewhere.
        """
        plan = {
            "url": socket_url,
            "room": room,
            "students": students,
            "size": size,
            "faces": faces,
            "turns": turns,
        }
        self._command = (*prefix, sys.executable, "-m", __name__, json.dumps(plan))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start, and wait until they are in the room."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        await asyncio.wait_for(self._heard(), _READY_WITHIN_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, and with it the students."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def tell(self, student: int, what: str) -> None:
        """``leave``, ``join``, ``mute``, ``unmute``, ``stall`` or ``resume``; waits until it is done."""
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the class has not begun")
        self._process.stdin.write(json.dumps([student, what]).encode() + b"\n")
        await self._heard()

    async def _heard(self) -> None:
        if self._process is None or self._process.stdout is None or not await self._process.stdout.readline():
            raise RuntimeError("the process of the students ended")


class _Student:
    """One of them, at the far end."""

    def __init__(self, number: int, clip: Clip, turns: int | None) -> None:
        self.number, self.here = number, True
        self._clip = clip
        self._orientation = {} if turns is None else {"videoorient_ext_id": _ORIENTATION_ID}
        self._packets = Packetiser(
            _FIRST_SSRC,
            None,
            layered=clip.layers > 1,
            orientation_id=None if turns is None else _ORIENTATION_ID,
        )
        self._packets.turns = turns or 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._target: tuple[str, int] | None = None
        self._muted = False
        self._stalled: list[bytes] | None = None  # what the network holds back
        self._begun = False  # whether all pictures since a key frame were sent

    def mute(self, muted: bool) -> None:
        self._muted, self._begun = muted, False

    def stall(self) -> None:
        self._stalled = self._stalled or []

    def resume(self) -> None:
        stalled, self._stalled = self._stalled or [], None
        self._put(stalled)

    async def enter(self, session: JanusSession, handle: int, room: int) -> None:
        stream = {"type": "video", "mindex": 0, "mid": "0", "codec": "vp8", **self._orientation}
        reply = await session.request(
            handle,
            {
                "request": "add_remote_publisher",
                "room": room,
                "secret": SECRET,
                "id": self.number + 1,
                "display": name_of(self.number),
                "iface": "127.0.0.1",
                "port": 0,
                "streams": [stream],
            },
        )
        self._target, self._begun = ("127.0.0.1", int(reply.data["port"])), False

    async def leave(self, session: JanusSession, handle: int, room: int) -> None:
        self._target = None
        await session.request(
            handle,
            {"request": "remove_remote_publisher", "room": room, "secret": SECRET, "id": self.number + 1},
        )

    async def play(self) -> None:
        """Send for ever, each picture at its time; all of them, since each builds on the one before."""
        phase_s = _phase_s(self.number)
        number = int((time.monotonic() - phase_s) * FPS)
        while True:
            number += 1
            await asyncio.sleep(max(0.0, number / FPS + phase_s - time.monotonic()))
            self._send(number)

    def _send(self, number: int) -> None:
        picture = self._clip.pictures[number % NUMBERS]
        self._begun = self._begun or picture.key
        if self._target is None or self._muted or not self._begun:
            return
        packets = self._packets.packets(picture, number / FPS + _phase_s(self.number))
        if self._stalled is None:
            self._put(packets)
        else:
            self._stalled += packets

    def _put(self, packets: list[bytes]) -> None:
        for packet in packets:
            if self._target is not None:
                with suppress(BlockingIOError, ConnectionError):  # Janus is halted, or gone
                    self._socket.sendto(packet, self._target)


async def _attend(plan: dict[str, Any]) -> None:
    """The far end, until standard input is closed."""
    width, height = plan["size"]
    students = []
    for number in range(plan["students"]):
        spec = ClipSpec(
            number % NUMBERS, width, height, FPS, NUMBERS / FPS, face=plan["faces"], numbered=True
        )
        students.append(_Student(number, make_clip(spec), plan["turns"]))
    async with asyncio.TaskGroup() as group:
        playing = [group.create_task(student.play()) for student in students]
        staying = group.create_task(_stay(plan, students))
        await asyncio.wait([staying])
        for task in playing:
            task.cancel()


async def _stay(plan: dict[str, Any], students: list[_Student]) -> None:
    """Be in the room with everybody, again after each loss; obey."""
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    order = asyncio.create_task(orders.readline())
    told = False
    while not order.done() or order.result():
        try:
            async with JanusSession(plan["url"], _CONNECT_TIMEOUT_S) as session:
                handle = await session.attach(PLUGIN, lambda _: None)
                for student in students:
                    if student.here:
                        await _again(student, session, handle, plan["room"])
                if not told:
                    told = True
                    print(flush=True)
                while not session.lost.done():
                    either: list[asyncio.Future[Any]] = [order, session.lost]
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                    if not order.done():
                        break
                    if not order.result():
                        return
                    number, what = json.loads(order.result())
                    await _obey(students[number], what, session, handle, plan["room"])
                    print(flush=True)
                    order = asyncio.create_task(orders.readline())
        except JanusError:
            await asyncio.sleep(_AGAIN_S)
    order.cancel()


async def _again(student: _Student, session: JanusSession, handle: int, room: int) -> None:
    """Come in, unless a Janus that was only halted or cut off still has the student."""
    with suppress(JanusRefused):
        await student.enter(session, handle, room)


async def _obey(student: _Student, what: str, session: JanusSession, handle: int, room: int) -> None:
    match what:
        case "leave":
            student.here = False
            await student.leave(session, handle, room)
        case "join":
            student.here = True
            await student.enter(session, handle, room)
        case "mute" | "unmute":
            student.mute(what == "mute")
        case "stall":
            student.stall()
        case "resume":
            student.resume()
        case unknown:
            raise ValueError(f"no such order: {unknown}")


if __name__ == "__main__":
    asyncio.run(_attend(json.loads(sys.argv[1])))
