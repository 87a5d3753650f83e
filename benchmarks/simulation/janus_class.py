"""Simulated students in a room of a real Janus, in a separate process, sending plain RTP.

``JanusClass`` starts this module as a program. The program adds the students to the room as remote publishers
(``add_remote_publisher``), sends their frames, and adds them again after it has lost Janus. It executes
commands, one JSON line each, until its standard input is closed.

The clock alone determines which frame is sent at which time (``frame_times``).
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.simulation.clips import NUMBERS, Clip, ClipSpec, make_clip
from benchmarks.simulation.frame_times import FPS, display_name, phase_s
from benchmarks.simulation.janus_server import SECRET
from benchmarks.simulation.rtp import Packetiser
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import PLUGIN

_REMOTE_SSRC: Final = 1000
"""The SSRC that Janus expects for the first stream of a remote publisher."""

_ORIENTATION_ID: Final = 13
_CONNECT_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.3
_READY_WITHIN_S: Final = 120.0


class JanusClass:
    """The students; ``async with`` adds them to the room and removes them."""

    def __init__(
        self,
        socket_url: str,
        room: int,
        students: int,
        *,
        size: tuple[int, int] = (320, 180),
        faces: bool = False,
        rotation: int | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Set up; nothing runs yet.

        Args:
            socket_url: URL of Janus.
            room: Identifier of the room.
            students: Number of students; their identities are 0, 1, 2 and so on.
            size: Width and height of their frames, pixels.
            faces: Whether faces are drawn.
            rotation: Quarter turns clockwise that set the frames upright, signalled as phones do; None for
                cameras that signal no rotation.
            prefix: Start of the command line, to run the process in a network namespace.
        """
        plan = {
            "url": socket_url,
            "room": room,
            "students": students,
            "size": size,
            "faces": faces,
            "rotation": rotation,
        }
        self._command = (*prefix, sys.executable, "-m", __name__, json.dumps(plan))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start the process and wait until the students are in the room."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        await asyncio.wait_for(self._wait_for_line(), _READY_WITHIN_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def command(self, student: int, action: str) -> None:
        """Send one of the commands of ``_execute`` to a student and wait until it is done."""
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the class has not started")
        self._process.stdin.write(json.dumps([student, action]).encode() + b"\n")
        await self._wait_for_line()

    async def _wait_for_line(self) -> None:
        if self._process is None or self._process.stdout is None or not await self._process.stdout.readline():
            raise RuntimeError("the process of the students has ended")


class _Student:
    """One student, inside the process."""

    def __init__(self, number: int, clip: Clip, rotation: int | None) -> None:
        self.number, self.present = number, True
        self._clip = clip
        self._orientation = {} if rotation is None else {"videoorient_ext_id": _ORIENTATION_ID}
        self._packets = Packetiser(
            _REMOTE_SSRC,
            None,
            layered=clip.layers > 1,
            orientation_id=None if rotation is None else _ORIENTATION_ID,
        )
        self._packets.rotation = rotation or 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._target: tuple[str, int] | None = None
        self._muted = False
        self._stalled: list[bytes] | None = None  # packets that the network holds back
        self._decodable = False  # whether all frames since a key frame were sent

    def mute(self, muted: bool) -> None:
        self._muted, self._decodable = muted, False

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
                "display": display_name(self.number),
                "iface": "127.0.0.1",
                "port": 0,
                "streams": [stream],
            },
        )
        self._target, self._decodable = ("127.0.0.1", int(reply.data["port"])), False

    async def leave(self, session: JanusSession, handle: int, room: int) -> None:
        self._target = None
        await session.request(
            handle,
            {"request": "remove_remote_publisher", "room": room, "secret": SECRET, "id": self.number + 1},
        )

    async def send_all(self) -> None:
        """Send every frame at its time, for ever; none is skipped, since each depends on the one before."""
        offset_s = phase_s(self.number)
        number = int((time.monotonic() - offset_s) * FPS)
        while True:
            number += 1
            await asyncio.sleep(max(0.0, number / FPS + offset_s - time.monotonic()))
            self._send(number)

    def _send(self, number: int) -> None:
        frame = self._clip.frames[number % NUMBERS]
        self._decodable = self._decodable or frame.key
        if self._target is None or self._muted or not self._decodable:
            return
        packets = self._packets.packets(frame, number / FPS + phase_s(self.number))
        if self._stalled is None:
            self._put(packets)
        else:
            self._stalled += packets

    def _put(self, packets: list[bytes]) -> None:
        for packet in packets:
            if self._target is not None:
                with suppress(BlockingIOError, ConnectionError):  # Janus is suspended or has ended
                    self._socket.sendto(packet, self._target)


async def _run_students(plan: dict[str, Any]) -> None:
    """Run the students until standard input is closed."""
    width, height = plan["size"]
    students = []
    for number in range(plan["students"]):
        spec = ClipSpec(
            number % NUMBERS, width, height, FPS, NUMBERS / FPS, face=plan["faces"], numbered=True
        )
        students.append(_Student(number, make_clip(spec), plan["rotation"]))
    async with asyncio.TaskGroup() as group:
        sending = [group.create_task(student.send_all()) for student in students]
        attending = group.create_task(_attend_room(plan, students))
        await asyncio.wait([attending])
        for task in sending:
            task.cancel()


async def _attend_room(plan: dict[str, Any], students: list[_Student]) -> None:
    """Keep the students in the room, also after Janus was lost, and execute commands."""
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    command = asyncio.create_task(commands.readline())
    announced = False
    while not command.done() or command.result():
        try:
            async with JanusSession(plan["url"], _CONNECT_TIMEOUT_S) as session:
                handle = await session.attach(PLUGIN, lambda _: None)
                for student in students:
                    if student.present:
                        await _enter_if_absent(student, session, handle, plan["room"])
                if not announced:
                    announced = True
                    print(flush=True)
                while not session.lost.done():
                    either: list[asyncio.Future[Any]] = [command, session.lost]
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                    if not command.done():
                        break
                    if not command.result():
                        return
                    number, action = json.loads(command.result())
                    await _execute(students[number], action, session, handle, plan["room"])
                    print(flush=True)
                    command = asyncio.create_task(commands.readline())
        except JanusError:
            await asyncio.sleep(_RETRY_S)
    command.cancel()


async def _enter_if_absent(student: _Student, session: JanusSession, handle: int, room: int) -> None:
    """Enter the room, unless Janus still has the student because it was only suspended or cut off."""
    with suppress(JanusRefused):
        await student.enter(session, handle, room)


async def _execute(student: _Student, action: str, session: JanusSession, handle: int, room: int) -> None:
    match action:
        case "leave":
            student.present = False
            await student.leave(session, handle, room)
        case "join":
            student.present = True
            await student.enter(session, handle, room)
        case "mute" | "unmute":
            student.mute(action == "mute")
        case "stall":
            student.stall()
        case "resume":
            student.resume()
        case unknown:
            raise ValueError(f"unknown command: {unknown}")


if __name__ == "__main__":
    asyncio.run(_run_students(json.loads(sys.argv[1])))
