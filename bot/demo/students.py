"""The demo's students: they join an embedded room over real WebRTC, as browsers do.

The module is also a program, so that drawing and encoding do not slow down the bot's process:
``python -m bot.demo.students --server http://127.0.0.1:8765 --code CODE --students 6``. The students leave on
SIGTERM or SIGINT, and when the parent process ends, which closes their standard input.
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

_JOIN_INTERVAL_S: Final = 0.3
"""Seconds between the joins of two students."""

_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 8.0
_REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)  # a page waits 20 s for a question
_REPORT_S: Final = 5.0
_FIRST_THOUGHT_S, _LONGEST_THOUGHT_S = 0.2, 9.0
"""How long students think before they answer a question, seconds."""

_ANSWERS_WITHIN_S: Final = 7.0
"""Students who would think longer than this do not answer, seconds."""

_LEAVE_TIMEOUT_S: Final = 1.2
"""How long leaving may take, even if the server does not answer."""


class _Refused(Exception):
    """The server refused a request.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with status {status}")
        self.status = status


async def run_students(
    server: str, code: str, count: int, seed: int, stop: asyncio.Event, *, begin_s: float = 0.0
) -> None:
    """Let drawn students attend a class until ``stop`` is set.

    A student whose join is refused or whose connection breaks tries again.

    Args:
        server: Address of the server, such as ``http://127.0.0.1:8765``.
        code: The embedded room's code.
        count: Number of students.
        seed: Determines their looks and their story.
        stop: Set to make them leave.
        begin_s: Where the story starts, seconds.
    """
    loop = asyncio.get_running_loop()
    start_s = loop.time() - begin_s
    api = f"{server.rstrip('/')}/api/companion/{code}"
    # One thread is enough: drawing takes a small part of the time between frames.
    executor = ThreadPoolExecutor(1, "drawing")
    try:
        async with aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http, asyncio.TaskGroup() as tasks:
            attending = []
            for index, story in enumerate(tell_story(seed, count)):
                rng = np.random.default_rng([seed, index])
                slowness = np.random.default_rng([seed, index, 1]).uniform()
                student = _Student(
                    f"Student {index + 1}",
                    api,
                    http,
                    stop,
                    story,
                    lambda: loop.time() - start_s,
                    executor,
                    _FIRST_THOUGHT_S + _LONGEST_THOUGHT_S * float(slowness) ** 2,
                )
                attending.append(tasks.create_task(student.attend(rng, index * _JOIN_INTERVAL_S)))
            await stop.wait()
            # A student in a slow request or handshake must not delay the others.
            _, late = await asyncio.wait(attending, timeout=_LEAVE_TIMEOUT_S)
            for task in late:
                task.cancel()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


class _Student:
    """One student, who joins again whenever the connection breaks."""

    def __init__(
        self,
        name: str,
        api: str,
        http: aiohttp.ClientSession,
        stop: asyncio.Event,
        story: StudentStory,
        now_s: Callable[[], float],
        executor: Executor,
        thinks_s: float,
    ) -> None:
        self._name = name
        self._api = api
        self._http = http
        self._stop = stop
        self._story = story
        self._now_s = now_s
        self._executor = executor
        self._token: str | None = None
        self._answers_after_s = thinks_s

    async def attend(self, rng: np.random.Generator, delay_s: float) -> None:
        """Join after a delay and stay until ``stop`` is set; after a broken connection, join again."""
        loop = asyncio.get_running_loop()
        painter = await loop.run_in_executor(self._executor, lambda: Painter(FaceLook.random(rng), rng))
        wait_s = delay_s
        next_wait_s = _FIRST_RETRY_S
        while not await self._stopped_within(wait_s):
            try:
                await self._take_part(painter)
                next_wait_s = _FIRST_RETRY_S
            except _Refused as refusal:
                # A new class may have started under the same code; it does not know the old token.
                self._token = None
                _log.info("drawn student refused, trying again", status=refusal.status, wait_s=next_wait_s)
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.info(
                    "server not reachable, trying again", error=type(error).__name__, wait_s=next_wait_s
                )
            wait_s, next_wait_s = next_wait_s, min(2 * next_wait_s, _LONGEST_RETRY_S)

    async def _take_part(self, painter: Painter) -> None:
        """Join and stay until the connection breaks or ``stop`` is set.

        Raises:
            _Refused: the server refused the student.
            aiohttp.ClientError, TimeoutError: the server cannot be reached.
        """
        camera = DrawnCamera(painter, self._story, self._now_s, self._executor)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        broken = asyncio.Event()

        @peer.on("connectionstatechange")
        def _() -> None:
            if peer.connectionState in ("failed", "closed"):
                broken.set()

        try:
            receiving = await self._connect(peer, camera)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._tap()), tasks.create_task(self._answer_questions())]
                if not receiving:
                    running.append(tasks.create_task(self._report(broken)))
                await _first_of(broken, self._stop)
                for task in running:
                    task.cancel()
        finally:
            camera.stop()
            await asyncio.gather(self._leave(), peer.close())

    async def _connect(self, peer: RTCPeerConnection, camera: DrawnCamera) -> bool:
        """Join the class. Returns whether it receives the camera."""
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
        if answer["sdp"] is None:  # the profile eu-education receives no cameras
            return False
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        return True

    async def _report(self, broken: asyncio.Event) -> None:
        """Report regularly that the camera is off, so that the room does not remove the silent student."""
        try:
            while True:
                await self._post("camera", token=self._token, on=False)
                await asyncio.sleep(_REPORT_S)
        except (_Refused, aiohttp.ClientError, TimeoutError) as error:
            _log.info("no longer in the class", error=type(error).__name__)
            broken.set()

    async def _tap(self) -> None:
        """Send the pulses of the story; a refused pulse is not sent again."""
        for at_s, kind in self._story.taps_after(self._now_s()):
            await asyncio.sleep(at_s - self._now_s())
            try:
                await self._post("pulse", token=self._token, kind=kind.value)
            except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                _log.info("pulse not sent", error=type(error).__name__)

    async def _answer_questions(self) -> None:
        """Answer each question of the host after a moment; one in eight students never does."""
        known = ""
        while True:
            try:
                reply = await self._post("wait", token=self._token, known=known)
                question = reply["question"]
                known = "" if question is None else question["id"]
                if question is not None and self._answers_after_s < _ANSWERS_WITHIN_S:
                    await asyncio.sleep(self._answers_after_s)
                    answer = self._story.answer(self._now_s())
                    if answer not in question["answers"]:
                        answer = question["answers"][round(self._answers_after_s) % len(question["answers"])]
                    await self._post("answer", token=self._token, ask_id=known, answer=answer)
            except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                _log.info("question not answered", error=type(error).__name__)
                await asyncio.sleep(_FIRST_RETRY_S)

    async def _leave(self) -> None:
        """Leave the class if ``stop`` is set; after a broken connection, keep the token to join again."""
        if self._token is None or not self._stop.is_set():
            return
        try:
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await self._post("leave", token=self._token)
        except (_Refused, aiohttp.ClientError, TimeoutError) as error:
            _log.info("left without telling the server", error=type(error).__name__)

    async def _post(self, path: str, **fields: object) -> dict[str, Any]:
        """Send a request to the room's API.

        Raises:
            _Refused: the server refused it.
            aiohttp.ClientError, TimeoutError: the server cannot be reached.
        """
        async with self._http.post(f"{self._api}/{path}", json=fields) as response:
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
    """Set ``stop`` when standard input is closed.

    A thread reads it, because the event loop cannot wait for standard input that is a file.
    """

    def watch() -> None:
        # Not sys.stdin: if a daemon thread held its lock, the interpreter could not shut down.
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
@click.option(
    "--students", type=click.IntRange(1, 50), default=6, show_default=True, help="Number of students."
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Determines their looks and story."
)
@click.option("--begin", type=click.FloatRange(0), default=0.0, help="Where the story starts, seconds.")
@click.option("--verbose", is_flag=True, help="Also log refusals and broken connections.")
def main(server: str, code: str, students: int, seed: int, begin: float, verbose: bool) -> None:
    """Let drawn students attend a class until the program is stopped or standard input is closed."""
    set_up_logs("info" if verbose else "warning", json_lines=False)
    cv2.setNumThreads(1)
    asyncio.run(_run(server, code, students, seed, begin))


if __name__ == "__main__":
    main()
