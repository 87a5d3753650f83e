"""The demo's class: drawn students who join an embedded room as browsers do, over real WebRTC.

Comes in: the server's address and the room's code. Goes out: an offer, video and pulses for each student.
Also a program of its own, so that drawing and encoding take nothing from the bot's process:
``python -m bot.demo.students --server http://127.0.0.1:8765 --code CODE --students 6``. It leaves when it
is told to end, or when its standard input is closed because the parent is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final

import aiohttp
import click
import cv2
import numpy as np
import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from bot.demo.camera import DrawnCamera
from bot.demo.faces import Painter
from bot.demo.looks import FaceLook
from bot.demo.story import StudentStory, tell_story
from bot.logs import set_up_logs

_log = structlog.get_logger()

_STAGGER_S: Final = 0.3
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 8.0
_REQUEST_S: Final = aiohttp.ClientTimeout(total=15)
_REPORT_S: Final = 5.0
_LEAVE_S: Final = 1.2
"""How long leaving may take; a server that is gone must not hold the students up."""


class _Refused(Exception):
    """The server does not take the student.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with status {status}")
        self.status = status


async def run_students(
    server: str, code: str, count: int, seed: int, stop: asyncio.Event, *, begin_s: float = 0.0
) -> None:
    """Let drawn students attend a class until told to stop; refusals and breaks are tried again.

    Args:
        server: Address of the server, as ``http://127.0.0.1:8765``.
        code: The embedded room's code.
        count: How many students.
        seed: Their looks and their story.
        stop: Set to make them leave.
        begin_s: Where in the story to begin, seconds.
    """
    loop = asyncio.get_running_loop()
    start_s = loop.time() - begin_s
    api = f"{server.rstrip('/')}/api/companion/{code}"
    # One thread draws for all: drawing takes a fraction of the time there is.
    executor = ThreadPoolExecutor(1, "drawing")
    try:
        async with aiohttp.ClientSession(timeout=_REQUEST_S) as http, asyncio.TaskGroup() as tasks:
            attending = []
            for index, story in enumerate(tell_story(seed, count)):
                rng = np.random.default_rng([seed, index])
                student = _Student(
                    f"Student {index + 1}", api, http, stop, story, lambda: loop.time() - start_s, executor
                )
                attending.append(tasks.create_task(student.attend(rng, index * _STAGGER_S)))
            await stop.wait()
            # Whoever is caught in a slow request or handshake does not hold the others up.
            _, late = await asyncio.wait(attending, timeout=_LEAVE_S)
            for task in late:
                task.cancel()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


class _Student:
    """One student, joining again whenever the connection breaks."""

    def __init__(
        self,
        name: str,
        api: str,
        http: aiohttp.ClientSession,
        stop: asyncio.Event,
        story: StudentStory,
        now_s: Callable[[], float],
        executor: Executor,
    ) -> None:
        self._name = name
        self._api = api
        self._http = http
        self._stop = stop
        self._story = story
        self._now_s = now_s
        self._executor = executor
        self._token: str | None = None

    async def attend(self, rng: np.random.Generator, delay_s: float) -> None:
        """Join after a delay, stay, come back after a break, leave when told to."""
        loop = asyncio.get_running_loop()
        painter = await loop.run_in_executor(self._executor, lambda: Painter(FaceLook.draw(rng), rng))
        wait_s = delay_s
        next_wait_s = _FIRST_WAIT_S
        while not await self._stopped_within(wait_s):
            try:
                await self._sit_in(painter)
                next_wait_s = _FIRST_WAIT_S
            except _Refused as refusal:
                # The room may be another one by now, where the old token means nothing.
                self._token = None
                _log.info("drawn student refused, trying again", status=refusal.status, wait_s=next_wait_s)
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.info("server out of reach, trying again", error=type(error).__name__, wait_s=next_wait_s)
            wait_s, next_wait_s = next_wait_s, min(2 * next_wait_s, _LONGEST_WAIT_S)

    async def _sit_in(self, painter: Painter) -> None:
        """Join and stay until the connection breaks or it is time to go.

        Raises:
            _Refused: the server does not take the student.
            aiohttp.ClientError, TimeoutError: the server is out of reach.
        """
        camera = DrawnCamera(painter, self._story, self._now_s, self._executor)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        over = asyncio.Event()

        @peer.on("connectionstatechange")
        def _() -> None:
            if peer.connectionState in ("failed", "closed"):
                over.set()

        try:
            received = await self._connect(peer, camera)
            async with asyncio.TaskGroup() as tasks:
                busy = [tasks.create_task(self._tap())]
                if not received:
                    busy.append(tasks.create_task(self._report(over)))
                await _first_of(over, self._stop)
                for task in busy:
                    task.cancel()
        finally:
            camera.stop()
            await asyncio.gather(self._leave(), peer.close())

    async def _connect(self, peer: RTCPeerConnection, camera: DrawnCamera) -> bool:
        """Join; whether the class receives the camera."""
        transceiver = peer.addTransceiver(camera, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences(sorted(codecs, key=lambda codec: codec.mimeType != "video/VP8"))
        await peer.setLocalDescription(await peer.createOffer())
        answer = await self._post(
            "offer",
            sdp=peer.localDescription.sdp,
            type=peer.localDescription.type,
            name=self._name,
            consent=True,
            individual=False,
            **({} if self._token is None else {"token": self._token}),
        )
        self._token = answer["token"]
        if answer["sdp"] is None:  # under the profile eu-education
            return False
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        return True

    async def _report(self, over: asyncio.Event) -> None:
        """Say now and then, where no connection does, that the student is there, without a camera."""
        try:
            while True:
                await self._post("camera", token=self._token, on=False)
                await asyncio.sleep(_REPORT_S)
        except (_Refused, aiohttp.ClientError, TimeoutError) as error:
            _log.info("no longer in the class", error=type(error).__name__)
            over.set()

    async def _tap(self) -> None:
        """Tap pulses as the story has it; one that is not taken is let go."""
        for at_s, kind in self._story.taps_after(self._now_s()):
            await asyncio.sleep(at_s - self._now_s())
            try:
                await self._post("pulse", token=self._token, kind=kind.value)
            except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                _log.info("pulse not taken", error=type(error).__name__)

    async def _leave(self) -> None:
        """Say goodbye, if it is time to go; after a break the student comes back as the same instead."""
        if self._token is None or not self._stop.is_set():
            return
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._post("leave", token=self._token)
        except (_Refused, aiohttp.ClientError, TimeoutError) as error:
            _log.info("left without a goodbye", error=type(error).__name__)

    async def _post(self, what: str, **fields: object) -> dict[str, Any]:
        """Ask the room for something.

        Raises:
            _Refused: it will not.
            aiohttp.ClientError, TimeoutError: the server is out of reach.
        """
        async with self._http.post(f"{self._api}/{what}", json=fields) as response:
            if response.status != 200:
                raise _Refused(response.status)
            answer: dict[str, Any] = await response.json()
            return answer

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True


async def _first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _stop_when_orphaned(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input is closed; a thread watches it, as loops cannot watch files."""

    def watch() -> None:
        # Not sys.stdin: a daemon thread holding its lock would break the interpreter's shutdown.
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            _log.info("standard input cannot be read: leaving")
        with contextlib.suppress(RuntimeError):  # the loop is closed: the students have left
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


async def _run(server: str, code: str, students: int, seed: int, begin_s: float) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _stop_when_orphaned(loop, stop)
    await run_students(server, code, students, seed, stop, begin_s=begin_s)


@click.command(epilog="Example: python -m bot.demo.students --server http://127.0.0.1:8765 --code abc-def")
@click.option("--server", required=True, help="Address of the server.")
@click.option("--code", required=True, help="The embedded room's code.")
@click.option("--students", type=click.IntRange(1, 50), default=6, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Their looks and story.")
@click.option("--begin", type=click.FloatRange(0), default=0.0, help="Where in the story to begin, seconds.")
@click.option("--verbose", is_flag=True, help="Log joining and trouble.")
def main(server: str, code: str, students: int, seed: int, begin: float, verbose: bool) -> None:
    """Let drawn students attend a class until ended, or until standard input is closed."""
    set_up_logs("info" if verbose else "warning", json_lines=False)
    cv2.setNumThreads(1)
    asyncio.run(_run(server, code, students, seed, begin))


if __name__ == "__main__":
    main()
