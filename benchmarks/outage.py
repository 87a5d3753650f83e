"""``benchmarks outage``: Janus killed and started again, halted, and the network to it cut.

A real Janus with simulated students, received as in any class. Each of their pictures says whose it is and
when it was sent. Printed for each outage: after how long it was noticed, how long after its end every student
was seen again, how old the oldest picture shown was, and who was shown or counted for somebody else.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.simulation.far_network import FarNetwork, NoFarNetwork
from benchmarks.simulation.janus_class import JanusClass
from benchmarks.simulation.janus_server import OPEN_ROOM, JanusServer
from benchmarks.watcher import Watcher
from bot.config import WebrtcSettings
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.room import JanusRoom

_SAMPLES_PER_S: Final = 2.0
_STEADY_S: Final = 2.0


async def suffer(
    tracks: int, halted_s: float = 10.0, cut_s: float = 20.0, after_s: float = 5.0
) -> dict[str, Any]:
    """Hold a class for each outage.

    Args:
        tracks: Students.
        halted_s: How long Janus is halted.
        cut_s: How long the network is cut.
        after_s: How long it is watched once all is well again.

    Returns:
        Figures of ``killed``, ``halted`` and ``cut``; the last is a reason where no network can be cut.

    Raises:
        NoJanus: there is no Janus here.
    """
    found: dict[str, Any] = {"tracks": tracks, "halted_for_s": halted_s, "cut_for_s": cut_s}

    async def kill(server: JanusServer, _: FarNetwork | None) -> None:
        await server.kill()

    async def start(server: JanusServer, _: FarNetwork | None) -> None:
        await server.start()

    async def halt(server: JanusServer, _: FarNetwork | None) -> None:
        server.stop()

    async def go_on(server: JanusServer, _: FarNetwork | None) -> None:
        server.go_on()

    async def pull(_: JanusServer, network: FarNetwork | None) -> None:
        if network is not None:
            await network.pull()

    async def plug(_: JanusServer, network: FarNetwork | None) -> None:
        if network is not None:
            await network.plug()

    found["killed"] = await _outage(tracks, None, kill, start, (0.0, after_s))
    found["halted"] = await _outage(tracks, None, halt, go_on, (halted_s, after_s))
    try:
        async with FarNetwork() as network:
            found["cut"] = await _outage(tracks, network, pull, plug, (cut_s, after_s))
    except NoFarNetwork as exc:
        found["cut"] = str(exc)
    return found


_Step = Callable[[JanusServer, FarNetwork | None], Awaitable[None]]


async def _outage(
    tracks: int, network: FarNetwork | None, begin: _Step, end: _Step, times_s: tuple[float, float]
) -> dict[str, Any]:
    """One class: everybody there, an outage, everybody there again."""
    lasts_s, after_s = times_s
    async with _class(tracks, network) as (server, watcher):
        seen = watcher.seen
        if not await watcher.until(lambda seen: len(seen.fresh_s) == tracks):
            raise RuntimeError(f"only {len(seen.fresh_s)} of {tracks} students were seen at all")
        await asyncio.sleep(_STEADY_S)
        people, oldest_before_s = set(seen.people), seen.oldest_s
        seen.oldest_s = 0.0
        began_s = time.monotonic()
        await begin(server, network)
        noticed = await watcher.until(lambda seen: bool(seen.lost_s))
        await asyncio.sleep(max(0.0, began_s + lasts_s - time.monotonic()))
        await end(server, network)
        ended_s = time.monotonic()
        whole = await watcher.until(
            lambda seen: len(seen.fresh_s) == tracks and min(seen.fresh_s.values()) > ended_s
        )
        whole_s = time.monotonic()
        await asyncio.sleep(after_s)
        return {
            "noticed_s": round(seen.lost_s[0] - began_s, 2) if noticed else None,
            "rejoined_after_s": round(seen.back_s[0] - ended_s, 2) if seen.back_s else None,
            "whole_after_s": round(whole_s - ended_s, 2) if whole else None,
            "oldest_picture_s": {
                "before": round(oldest_before_s, 2),
                "from_then_on": round(seen.oldest_s, 2),
            },
            "losses": len(seen.lost_s),
            "pictures": seen.pictures,
            "wrong_student": seen.wrong,
            "counted_twice": len(set(seen.people) - people),
        }


@asynccontextmanager
async def _class(tracks: int, network: FarNetwork | None) -> AsyncIterator[tuple[JanusServer, Watcher]]:
    """A Janus, students, and the bot in their room."""
    host, prefix = ("127.0.0.1", ()) if network is None else (network.host, network.prefix)
    with tempfile.TemporaryDirectory() as folder:
        server = JanusServer(Path(folder), host=host, prefix=prefix)
        students = JanusClass(server.url, OPEN_ROOM, tracks, prefix=prefix)
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=_SAMPLES_PER_S)
        watcher = Watcher(room)
        async with server, students:
            async with room:
                watching = asyncio.create_task(watcher.watch())
                yield server, watcher
            await watching
