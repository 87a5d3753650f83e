"""Simulated students in a room of a real LiveKit server, in a separate process, with LiveKit's native SDK.

``LiveKitStudents`` starts this module as a program. The program executes commands, one JSON line each, until
its standard input is closed. Each frame has the student's identity and its number drawn in; the clock alone
determines which frame is sent at which time (``frame_times``).
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.simulation.clips import NUMBERS, ClipSpec, draw_scenes, draw_strip
from benchmarks.simulation.frame_times import FPS, display_name, phase_s
from benchmarks.simulation.livekit_server import make_token

_SCENES = 8
"""Different backgrounds of a student; the strips are drawn for each frame."""

_ANSWERS_WITHIN_S = 60.0


def identity_of(student: int) -> str:
    """The identity of a student on the server."""
    return f"student-{student}"


class LiveKitStudents:
    """The process of the students; ``async with`` starts and ends it."""

    def __init__(
        self, url: str, room: str, *, size: tuple[int, int] = (320, 180), prefix: Sequence[str] = ()
    ) -> None:
        """Set up; nothing runs yet.

        Args:
            url: ``ws://`` address of the server.
            room: Name of the room.
            size: Width and height of the frames, pixels.
            prefix: Start of the command line, to run the process in a network namespace.
        """
        plan = {"url": url, "room": room, "size": size}
        self._command = (*prefix, sys.executable, "-m", __name__, json.dumps(plan))
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill the process: the students disappear without a farewell."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def join(self, student: int, **options: object) -> None:
        """Let a student join; the options are those of ``_Student.join``."""
        await self.command("join", student, options)

    async def command(self, action: str, student: int, options: dict[str, object] | None = None) -> Any:
        """Execute a command (a method of ``_Student``) and return its result.

        Raises:
            RuntimeError: it failed, or the process has ended.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("the students have not started")
        async with self._lock, asyncio.timeout(_ANSWERS_WITHIN_S):
            process.stdin.write(json.dumps([action, student, options or {}]).encode() + b"\n")
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the students has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{action} of student {student}: {answer['error']}")
        return answer["result"]


class _Student:
    """One student, inside the process."""

    def __init__(self, plan: dict[str, Any], number: int) -> None:
        self._url, self._room_name, self._number = plan["url"], plan["room"], number
        self._size = tuple(plan["size"])
        self._room: Any = None
        self._track: Any = None
        self._feeding: asyncio.Task[None] | None = None
        self._texts: list[str] = []
        self._reading: set[asyncio.Task[None]] = set()
        self._joined: dict[str, Any] = {}

    async def join(
        self,
        *,
        publish: bool = True,
        identity: str | None = None,
        name: str | None = None,
        kind: str | None = None,
        passphrase: str | None = None,
        grants: dict[str, Any] | None = None,
        **published: Any,
    ) -> None:
        """Join, and publish a camera; ``published`` are the options of ``publish``."""
        from livekit import rtc

        self._joined = {"publish": publish, "identity": identity, "name": name, **published}
        self._room = rtc.Room()
        self._room.register_text_stream_handler("lk.chat", self._on_text)
        options = rtc.RoomOptions(auto_subscribe=False, dynacast=True)
        if passphrase is not None:
            key = rtc.KeyProviderOptions(shared_key=passphrase.encode())
            options.encryption = rtc.E2EEOptions(key_provider_options=key)
        token = make_token(
            self._room_name,
            identity or identity_of(self._number),
            name=display_name(self._number) if name is None else name,
            kind=kind,
            **(grants or {}),
        )
        await self._room.connect(self._url, token, options)
        if publish:
            await self.publish(**published)

    async def publish(
        self,
        *,
        source: str = "SOURCE_CAMERA",
        codec: str = "VP8",
        simulcast: bool = False,
        size: Sequence[int] | None = None,
        shown: int | None = None,
        face: bool = False,
    ) -> str:
        """Publish a camera and return the identifier of its track.

        Args:
            source: LiveKit's name of what it shows.
            codec: LiveKit's name of the codec.
            simulcast: Whether smaller layers are sent too.
            size: Width and height of its frames.
            shown: The identity drawn into its frames; the student's number by default.
            face: Whether a face is drawn.
        """
        from livekit import rtc

        width, height = size or self._size
        camera = rtc.VideoSource(width, height)
        self._track = rtc.LocalVideoTrack.create_video_track("camera", camera)
        options = rtc.TrackPublishOptions(
            source=getattr(rtc.TrackSource, source),
            simulcast=simulcast,
            video_codec=getattr(rtc.VideoCodec, codec),
            video_encoding=rtc.VideoEncoding(max_framerate=FPS, max_bitrate=250_000 * height // 180),
        )
        identity = self._number % NUMBERS if shown is None else shown
        spec = ClipSpec(identity, width, height, FPS, face=face, noise=0)  # the SDK encodes every frame
        self._stop_feeding()
        self._feeding = asyncio.create_task(self._feed(camera, spec))
        publication = await self._room.local_participant.publish_track(self._track, options)
        return str(publication.sid)

    async def unpublish(self) -> None:
        """Stop publishing the camera."""
        await self._room.local_participant.unpublish_track(self._track.sid)
        self._stop_feeding()

    async def mute(self) -> None:
        """Switch the camera off."""
        self._track.mute()

    async def unmute(self) -> None:
        """Switch the camera on."""
        self._track.unmute()

    async def freeze(self) -> None:
        """Send no more frames, without a word to the server."""
        self._stop_feeding()

    async def leave(self) -> None:
        """Leave the room."""
        self._stop_feeding()
        if self._room is not None:
            await self._room.disconnect()
            self._room = None

    async def reload(self) -> None:
        """Join again under the same identity without leaving first, as a reloaded page may."""
        before = self._room
        self._stop_feeding()
        await self.join(**self._joined)
        await before.disconnect()

    async def say(self, *, text: str, **options: Any) -> None:
        """Write to the chat."""
        await self._room.local_participant.send_text(text, topic="lk.chat", **options)

    async def heard(self) -> list[str]:
        """The messages that arrived in the chat so far."""
        return self._texts

    async def set_attributes(self, **attributes: str) -> None:
        """Set attributes of the participant."""
        await self._room.local_participant.set_attributes(attributes)

    async def forbid(self) -> None:
        """Allow nobody to receive the camera."""
        self._room.local_participant.set_track_subscription_permissions(allow_all_participants=False)

    async def is_connected(self) -> bool:
        """Whether the student is in the room, for example again after the server was lost."""
        from livekit import rtc

        return self._room is not None and self._room.connection_state == rtc.ConnectionState.CONN_CONNECTED

    def _on_text(self, reader: Any, _identity: str) -> None:
        async def read() -> None:
            self._texts.append(await reader.read_all())

        task = asyncio.create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _stop_feeding(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()

    async def _feed(self, camera: Any, spec: ClipSpec) -> None:
        """Capture every frame at its time; none is repeated."""
        from livekit import rtc

        scenes = draw_scenes(spec, _SCENES)
        colours = np.full(2 * ((spec.height + 1) // 2) * ((spec.width + 1) // 2), 128, np.uint8).tobytes()
        phase = phase_s(self._number)
        number = int((time.monotonic() - phase) * FPS)
        while True:
            number = max(number + 1, int((time.monotonic() - phase) * FPS))
            await asyncio.sleep(max(0.0, number / FPS + phase - time.monotonic()))
            luma = scenes[number % _SCENES]
            draw_strip(luma, spec.identity, 0)
            draw_strip(luma, number % NUMBERS, 1)
            data = luma.tobytes() + colours
            camera.capture_frame(rtc.VideoFrame(spec.width, spec.height, rtc.VideoBufferType.I420, data))


async def _run(plan: dict[str, Any]) -> None:
    """Execute commands until standard input is closed."""
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    students: dict[int, _Student] = {}
    while line := await commands.readline():
        action, number, options = json.loads(line)
        student = students.setdefault(number, _Student(plan, number))
        try:
            answer = {"result": await getattr(student, action)(**options)}
        except Exception as exc:  # noqa: BLE001  # reported to the other process
            answer = {"error": repr(exc)}
        print(json.dumps(answer), flush=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(3):
            await asyncio.gather(*(student.leave() for student in students.values()))


if __name__ == "__main__":
    logging.getLogger("livekit").setLevel(logging.ERROR)  # it warns of every connection that is closed
    asyncio.run(_run(json.loads(sys.argv[1])))
