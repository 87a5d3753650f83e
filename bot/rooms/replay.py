"""Replays a folder of videos as a class: each file is a participant whose camera plays the file in real time.

Room URL: ``replay:DIR``. With ``?once=1`` the room ends when all videos have ended; else they loop. A photo
plays as a camera that shows a still image.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import parse_qs

import av
import structlog
from aiohttp import web

from bot.frames import RawFrame
from bot.media.films import open_film
from bot.media.kinds import IMAGES, MEDIA, MediaError, is_hidden
from bot.media.stills import read_images
from bot.rooms.contract import (
    Joined,
    Left,
    OptedOut,
    Room,
    RoomEvent,
    RoomUnavailable,
    RoomUrlError,
    TrackAdded,
)
from bot.rooms.registry import RoomContext
from bot.tracks import LatestFrameTrack
from reports.summary.asks import Ask

_log = structlog.get_logger()

_STILL_INTERVAL_S: Final = 0.2
_LONGEST_GAP_S: Final = 1.0
"""Longest wait for the next frame, whatever the file's timestamps say."""


class Adapter:
    """Opens replay rooms."""

    scheme = "replay"
    example = "replay:DIR"

    def __init__(self, context: RoomContext) -> None:
        """The context is not needed."""

    def open(self, url: str) -> Room:
        """Create the room for ``replay:DIR``.

        Raises:
            RoomUrlError: the URL has another form, or DIR is not a readable folder with videos.
        """
        path, _, query = url.partition(":")[2].partition("?")
        options = parse_qs(query, keep_blank_values=True)
        once = options.pop("once", ["0"])
        if not path or options or once not in (["0"], ["1"]):
            raise RoomUrlError(f"write the room as replay:DIR or replay:DIR?once=1, not {url!r}")
        try:
            folder = Path(path).expanduser()
        except RuntimeError as exc:
            raise RoomUrlError(f"give the full path of the folder in {url!r}: there is no such user") from exc
        try:
            if not folder.is_dir():
                raise RoomUrlError(
                    f"give the path of an existing folder in {url!r}: {folder} is not a folder"
                )
            known = (file for file in folder.iterdir() if file.suffix.lower() in MEDIA)
            files = sorted(file for file in known if not is_hidden(file))
        except (OSError, ValueError) as exc:  # ValueError: a null character
            raise RoomUrlError(
                f"give the path of a readable folder in {url[:80]!r}: this one cannot be read"
            ) from exc
        if not files:
            raise RoomUrlError(f"put .mp4, .mkv or .webm files into the folder in {url!r}: it has no videos")
        return ReplayRoom(files, url, once=once == ["1"])

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """No routes are needed."""
        return ()


class ReplayRoom:
    """A room in which each file is a participant."""

    code = None
    synthetic = False

    def __init__(self, files: list[Path], url: str, *, once: bool) -> None:
        """Make each file a participant, in order; if ``once``, play each only once."""
        self.public_url = url
        self.key = f"replay:{secrets.token_hex(8)}"  # each replay is a room of its own
        self._files, self._once = files, once
        self._events: asyncio.Queue[RoomEvent | None] = asyncio.Queue()
        self._players: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Room:
        """Start playing all files."""
        for number, file in enumerate(self._files):
            track = LatestFrameTrack(f"replay-{number}", f"replay-{number}")
            player = asyncio.create_task(self._play(file, track), name=f"replay-{number}")
            self._players.append(player)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop playing."""
        for player in self._players:
            player.cancel()
        await asyncio.gather(*self._players, return_exceptions=True)
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[RoomEvent]:
        """Yield joins and leaves until the room is left, or until all videos have ended."""
        playing = len(self._files)
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, Left):
                playing -= 1
                if not playing:
                    return

    async def announce(self, text: str) -> bool:
        """Do nothing and report success: recordings need no announcement."""
        return True

    async def ask(self, question: Ask | None) -> bool:
        """Ask nobody: recordings do not answer."""
        return False

    async def leave_out(self, who: str) -> int:
        """Opt out the recordings with this file name, with or without its extension."""
        numbers = [number for number, file in enumerate(self._files) if who in (file.name, file.stem)]
        for number in numbers:
            self._events.put_nowait(OptedOut(f"replay-{number}"))
        return len(numbers)

    async def _play(self, file: Path, track: LatestFrameTrack) -> None:
        self._events.put_nowait(Joined(track.participant_id))
        self._events.put_nowait(TrackAdded(track))
        try:
            # A still is read only once, although it is shown five times a second.
            is_image = file.suffix.lower() in IMAGES
            images = await asyncio.to_thread(_images, file) if is_image else []
            while True:
                frames = (frame for frame in images) if is_image else _frames(file)
                await self._play_once(file, frames, track)
                if self._once:
                    return
        except RoomUnavailable as exc:
            _log.warning("a video of the replay folder cannot be played", file=file.name, reason=str(exc))
        finally:
            track.end()
            self._events.put_nowait(Left(track.participant_id))

    async def _play_once(
        self, file: Path, frames: Generator[RawFrame, None, None], track: LatestFrameTrack
    ) -> None:
        loop = asyncio.get_running_loop()
        # One thread for each file: the decoding of a frame finishes before the file is closed.
        decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")
        due_s, last_s, count = loop.time(), 0.0, 0
        try:
            while (frame := await loop.run_in_executor(decoder, next, frames, None)) is not None:
                # A file with wrong timestamps keeps playing instead of pausing for hours.
                due_s += min(frame.at_s - last_s, _LONGEST_GAP_S)
                last_s = frame.at_s
                count += 1
                await asyncio.sleep(due_s - loop.time())
                track.show(replace(frame, at_s=loop.time()))
        finally:
            await asyncio.shield(loop.run_in_executor(decoder, frames.close))
            decoder.shutdown(wait=False)
        if count == 0:
            raise RoomUnavailable(f"{file.name} contains no frame")
        if count == 1:
            await asyncio.sleep(_STILL_INTERVAL_S)


def _images(file: Path) -> list[RawFrame]:
    """Read a photo, or all images of an animation.

    Raises:
        RoomUnavailable: the file cannot be read as an image.
    """
    try:
        return [
            RawFrame(at_s, av.VideoFrame.from_ndarray(image, format="bgr24"))
            for at_s, image in read_images(file)
        ]
    except MediaError as exc:
        raise RoomUnavailable(str(exc)) from exc


def _frames(file: Path) -> Generator[RawFrame, None, None]:
    """Decode the frames of a video.

    Raises:
        RoomUnavailable: the file cannot be read as video.
    """
    try:
        with open_film(file, threads=1) as film:
            yield from film.frames()
    except MediaError as exc:
        raise RoomUnavailable(str(exc)) from exc
    except (av.FFmpegError, OSError, ValueError, ArithmeticError) as exc:
        raise RoomUnavailable(f"{file.name} cannot be played: {exc}") from exc
