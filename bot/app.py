"""The composition root: builds a server from the settings, and closes its parts in reverse order."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from aiohttp import web

from bot.analyze.analyser import Analyser
from bot.config import AnalysisSettings, Settings, WebSettings
from bot.host_links import key_store, open_host_access
from bot.metrics import MeteredReader, Metrics
from bot.openapi import description_route
from bot.rooms.contract import RoomUrlError
from bot.rooms.registry import RoomContext, adapters, open_room
from bot.sessions.lifecycle import Sessions
from bot.sessions.recorder import Recorder
from bot.sessions.retention import Retention
from bot.sessions.store_watch import StoreWatch
from inference.batcher import FaceAnalysisPool
from inference.classifier import DEFAULT_MODEL, CnnClassifier
from inference.detector import BlazeFace, FaceDetector
from inference.engine import read_card
from inference.tiling import TiledDetector
from reports.languages import Language, language, load_all
from reports.store import Store
from reports.web.application import build_app
from reports.web.controller import RoomRefused
from reports.web.feed import LiveFeed

_log = structlog.get_logger()

_CLASSES_END_S: Final = 3.0
"""How long classes may take to end when the server is stopped, seconds."""

_ABANDONED_END_S: Final = 0.5
"""How long classes that did not end in time may take after they are cancelled, seconds. The next start
recovers those that are not stored by then."""

_REQUESTS_END_S: Final = 1.0
"""How long open requests may take when the server is stopped, seconds."""

_DETECTORS: Final = {"blazeface": BlazeFace}
"""Face detectors by the value of ``analysis.detector``."""


class ServeError(Exception):
    """The server cannot start; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """A running server.

    Attributes:
        url: The address it listens on.
        host_link: A link that lets one browser in, once.
        host_path: The same link without scheme, host and port.
        sessions: The classes.
        store: The database of classes.
        feed: The events of running classes.
        recovered: How many classes a crash had cut off; they are now marked as interrupted.
        language: The language of the host's pages and of the report.
    """

    url: str
    host_link: str
    host_path: str
    sessions: Sessions
    store: Store
    feed: LiveFeed
    recovered: int
    language: Language


def _make_detector(settings: AnalysisSettings) -> FaceDetector:
    return _DETECTORS[settings.detector](settings.detector_threshold)


def make_live_detector(settings: AnalysisSettings) -> FaceDetector:
    """The detector for live cameras: squares of a frame are searched only if the whole shows no face."""
    return TiledDetector(_make_detector(settings), shares=(1.0,), only_if_empty=True)


def make_analyser(settings: AnalysisSettings) -> Analyser:
    """The models of ``classmood analyze``.

    Raises:
        ModelError: a model is missing or damaged.
    """
    thorough = (
        TiledDetector(_make_detector(settings), shares, only_if_empty=False)
        for shares in ((1.0, 0.5), (1.0, 0.5, 0.35))
    )
    return Analyser((make_live_detector(settings), *thorough), CnnClassifier())


def make_reader(settings: Settings, metrics: Metrics) -> FaceAnalysisPool | None:
    """The threads that detect and classify faces; None where ``privacy.jurisdiction`` forbids it.

    Raises:
        ModelError: a model is missing or damaged.
    """
    if not settings.privacy.analyses_faces:
        return None
    analysis = settings.analysis
    return FaceAnalysisPool(
        lambda: make_live_detector(analysis), CnnClassifier, analysis.workers, metrics.on_model
    )


def check_room(settings: Settings, url: str) -> None:
    """Check a room URL before a server is started. May read files: call it from a thread.

    Raises:
        RoomRefused: the room URL is wrong.
    """
    try:
        open_room(url, adapters(RoomContext(settings)))
    except RoomUrlError as exc:
        raise RoomRefused(str(exc)) from exc


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """A running server; leaving the context ends its classes and stops it.

    Raises:
        ServeError: the port is taken, or the address does not belong to this machine.
        StoreError: the database cannot be used.
        ModelError: a model is missing or damaged.
        ConfigError: the host token cannot be used.
    """
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(load_all)
        store = await asyncio.to_thread(Store.open, settings.store.url)
        stack.push_async_callback(asyncio.to_thread, store.close)
        # After the store, which creates the tables that the keys may be in.
        access = await asyncio.to_thread(lambda: open_host_access(settings.web, key_store(settings)))
        recovered = await store.recover(_utc_now())
        for info in recovered:
            _log.warning("class cut off by a crash, recovered", class_id=info.id)
        retention = Retention(store, settings.privacy, now=_utc_now)
        purging = asyncio.create_task(retention.run(), name="purge")
        stack.push_async_callback(_cancel, purging)
        metrics = Metrics()
        reader = await asyncio.to_thread(make_reader, settings, metrics)
        if reader is not None:
            stack.push_async_callback(asyncio.to_thread, reader.close)
        recorder = Recorder(store, metrics)
        context = RoomContext(settings, metrics.on_dropped, recorder.erase_after_class)
        rooms = await asyncio.to_thread(adapters, context)
        feed = LiveFeed()
        sockets = await _listening_sockets(settings.web)
        for bound in sockets:
            stack.callback(bound.close)
        url = settings.web.local_url(sockets[0].getsockname()[1])
        sessions = Sessions(
            store=store,
            recorder=recorder,
            feed=feed,
            adapters=rooms,
            reader=None if reader is None else MeteredReader(reader, metrics),
            settings=settings,
            metrics=metrics,
            public_url=(settings.web.public_url or url).rstrip("/"),
        )
        watch = StoreWatch(store, recorder, sessions.store_states, now=_utc_now)
        watching = asyncio.create_task(watch.run(), name="store-watch")
        stack.push_async_callback(_cancel, watching)
        # In a thread: templates and static files are read from the disk.
        app = await asyncio.to_thread(
            build_app,
            store=store,
            controller=sessions,
            feed=feed,
            keys=access.keys,
            extra_routes=[
                await asyncio.to_thread(description_route),
                *(route for adapter in rooms.values() for route in adapter.routes()),
            ],
            ready=sessions.unready,
            jurisdiction=settings.privacy.jurisdiction,
            language=settings.web.language,
            registry=metrics.registry,
            model_card=await asyncio.to_thread(read_card, DEFAULT_MODEL),
        )
        # Compressed bodies are refused, so they must not be decompressed either: 58 KB can become 60 MB.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_REQUESTS_END_S, auto_decompress=False)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for bound in sockets:
            await web.SockSite(runner, bound).start()
        stack.callback(feed.close_all)
        stack.push_async_callback(_end_classes, sessions)
        link = f"/?token={access.code}"
        yield Server(
            url, url + link, link, sessions, store, feed, len(recovered), language(settings.web.language)
        )


async def _end_classes(sessions: Sessions) -> None:
    try:
        async with asyncio.timeout(_CLASSES_END_S):
            await sessions.close()
    except TimeoutError:
        _log.error("classes did not end in time and are marked as interrupted")
        await sessions.abandon(_ABANDONED_END_S)


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _listening_sockets(settings: WebSettings) -> list[socket.socket]:
    """Listen on the addresses of ``web.host``, before requests are answered: links contain the port.

    Raises:
        ServeError: the port is taken, or the address does not belong to this machine.
    """
    host, port = settings.host, settings.port
    try:
        if settings.is_every_address and ":" in host and socket.has_dualstack_ipv6():
            # asyncio would listen on IPv6 only, and the link to 127.0.0.1 would be refused.
            return [socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)]
        # asyncio finds and binds the addresses. Closing its server leaves the duplicated sockets open.
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, start_serving=False
        )
        sockets = [bound.dup() for bound in server.sockets]
        server.close()
        for bound in sockets:
            bound.listen()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise ServeError(
                f"port {port} on {host} is taken: end the other program, or choose another port "
                "with --port or web.port (0 chooses any free port)"
            ) from exc
        raise ServeError(
            f"cannot listen on {host}:{port} ({exc.strerror or exc}): check web.host and web.port"
        ) from exc
    return sockets
