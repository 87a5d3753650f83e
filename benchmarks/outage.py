"""``benchmarks outage``: how a class survives a server that is killed, suspended or cut off from the network.

A real Janus or LiveKit has simulated students, whose frames tell the sender and the time of sending. For each
outage the benchmark prints when it was noticed, how long after its end every student was seen again, the age
of the oldest frame shown, and how many frames or participants were attributed to the wrong student.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.simulation.janus_class import JanusClass
from benchmarks.simulation.janus_server import OPEN_ROOM, JanusServer
from benchmarks.simulation.livekit_server import API_KEY, API_SECRET, LiveKitServer
from benchmarks.simulation.livekit_students import LiveKitStudents
from benchmarks.simulation.network_namespace import NetworkNamespace, NoNetworkNamespace
from benchmarks.watcher import Watcher
from bot.config import LiveKitSettings, WebrtcSettings
from bot.rooms.contract import Room
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.room import JanusRoom
from bot.rooms.livekit.adapter import parse_url
from bot.rooms.livekit.room import LiveKitRoom

_SAMPLES_PER_S: Final = 2.0
_SETTLE_S: Final = 2.0
_ROOM: Final = "outage"


class _Server(Protocol):
    """A server that can be lost."""

    async def start(self) -> None: ...
    async def kill(self) -> None: ...
    def stop(self) -> None: ...
    def resume(self) -> None: ...


async def measure(
    tracks: int,
    halted_s: float = 10.0,
    cut_s: float = 20.0,
    after_s: float = 5.0,
    *,
    livekit: bool = False,
) -> dict[str, Any]:
    """Run one class for each outage.

    Args:
        tracks: Number of students.
        halted_s: How long the server is suspended.
        cut_s: How long the network is cut.
        after_s: How long the class is watched after it has recovered.
        livekit: Whether the server is LiveKit and not Janus.

    Returns:
        The figures of ``killed``, ``halted`` and ``cut``. The last is a text if the network cannot be cut
        here.

    Raises:
        NoJanus: there is no Janus on this machine.
        NoLiveKit: LiveKit cannot be built here.
    """

    def open_class(network: NetworkNamespace | None) -> AbstractAsyncContextManager[tuple[_Server, Watcher]]:
        return _livekit_class(tracks, network) if livekit else _janus_class(tracks, network)

    found: dict[str, Any] = {"tracks": tracks, "halted_for_s": halted_s, "cut_for_s": cut_s}

    async def kill(server: _Server, _: NetworkNamespace | None) -> None:
        await server.kill()

    async def start(server: _Server, _: NetworkNamespace | None) -> None:
        await server.start()

    async def suspend(server: _Server, _: NetworkNamespace | None) -> None:
        server.stop()

    async def resume(server: _Server, _: NetworkNamespace | None) -> None:
        server.resume()

    async def cut(_: _Server, network: NetworkNamespace | None) -> None:
        if network is not None:
            await network.disconnect()

    async def reconnect(_: _Server, network: NetworkNamespace | None) -> None:
        if network is not None:
            await network.connect()

    found["killed"] = await _outage(open_class, None, kill, start, (0.0, after_s))
    found["halted"] = await _outage(open_class, None, suspend, resume, (halted_s, after_s))
    try:
        async with NetworkNamespace() as network:
            found["cut"] = await _outage(open_class, network, cut, reconnect, (cut_s, after_s))
    except NoNetworkNamespace as exc:
        found["cut"] = str(exc)
    return found


_Action = Callable[[_Server, NetworkNamespace | None], Awaitable[None]]


_OpenClass = Callable[[NetworkNamespace | None], AbstractAsyncContextManager[tuple[_Server, Watcher]]]


async def _outage(
    open_class: _OpenClass,
    network: NetworkNamespace | None,
    begin: _Action,
    end: _Action,
    times_s: tuple[float, float],
) -> dict[str, Any]:
    """Run a class until all students are seen, cause an outage, and wait until all are seen again."""
    duration_s, after_s = times_s
    async with open_class(network) as (server, watcher):
        seen, tracks = watcher.seen, len(watcher.seen.fresh_s)
        await asyncio.sleep(_SETTLE_S)
        participants, oldest_before_s = set(seen.participants), seen.oldest_s
        seen.oldest_s = 0.0
        began_s = time.monotonic()
        await begin(server, network)
        noticed = await watcher.wait_until(lambda seen: bool(seen.lost_s))
        await asyncio.sleep(max(0.0, began_s + duration_s - time.monotonic()))
        await end(server, network)
        ended_s = time.monotonic()
        recovered = await watcher.wait_until(
            lambda seen: len(seen.fresh_s) == tracks and min(seen.fresh_s.values()) > ended_s
        )
        recovered_s = time.monotonic()
        await asyncio.sleep(after_s)
        return {
            "noticed_s": round(seen.lost_s[0] - began_s, 2) if noticed else None,
            "rejoined_after_s": round(seen.reconnected_s[0] - ended_s, 2) if seen.reconnected_s else None,
            "whole_after_s": round(recovered_s - ended_s, 2) if recovered else None,
            "oldest_picture_s": {
                "before": round(oldest_before_s, 2),
                "from_then_on": round(seen.oldest_s, 2),
            },
            "losses": len(seen.lost_s),
            "pictures": seen.frames,
            "wrong_student": seen.wrong,
            "counted_twice": len(set(seen.participants) - participants),
        }


@asynccontextmanager
async def _janus_class(
    tracks: int, network: NetworkNamespace | None
) -> AsyncIterator[tuple[_Server, Watcher]]:
    """Start a Janus with students, and let the bot watch their room."""
    host, prefix = _place(network)
    with tempfile.TemporaryDirectory() as folder:
        server = JanusServer(Path(folder), host=host, prefix=prefix)
        students = JanusClass(server.url, OPEN_ROOM, tracks, prefix=prefix)
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=_SAMPLES_PER_S)
        async with server, students, _watched(room, tracks) as watcher:
            yield server, watcher


@asynccontextmanager
async def _livekit_class(
    tracks: int, network: NetworkNamespace | None
) -> AsyncIterator[tuple[_Server, Watcher]]:
    """Start a LiveKit with students, and let the bot watch their room."""
    host, prefix = _place(network)
    settings = LiveKitSettings.model_validate({"api_key": API_KEY, "api_secret": API_SECRET})
    with tempfile.TemporaryDirectory() as folder:
        server = LiveKitServer(Path(folder), host=host, prefix=prefix)
        address, access = await asyncio.to_thread(parse_url, server.room_url(_ROOM), settings)
        room = LiveKitRoom(address, access, WebrtcSettings(), samples_per_s=_SAMPLES_PER_S)
        async with server, LiveKitStudents(server.url, _ROOM, prefix=prefix) as students:
            for student in range(tracks):
                await students.join(student)
            async with _watched(room, tracks) as watcher:
                yield server, watcher


def _place(network: NetworkNamespace | None) -> tuple[str, tuple[str, ...]]:
    """Where the server runs: its address, and the beginning of command lines."""
    return ("127.0.0.1", ()) if network is None else (network.host, network.prefix)


@asynccontextmanager
async def _watched(room: Room, tracks: int) -> AsyncIterator[Watcher]:
    """Join a room and watch it; wait until all students are seen."""
    watcher = Watcher(room)
    async with room:
        watching = asyncio.create_task(watcher.watch())
        if not await watcher.wait_until(lambda seen: len(seen.fresh_s) == tracks):
            raise RuntimeError(f"only {len(watcher.seen.fresh_s)} of {tracks} students were seen")
        yield watcher
    await watching
