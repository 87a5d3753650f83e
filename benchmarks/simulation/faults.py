"""A bad network: packets that are lost, overtaken or doubled on their way.

``BadWay`` is the way from one end to the other. ``bad_way_here`` puts one before every UDP socket that this
process opens: below ICE, so that the receiver cannot tell it from a network between itself and a real
server, and where no more is allowed than to run a process (``netem`` takes root and a module of the kernel).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

_RTP_FIRST: Final = 128
_RTP_BEHIND: Final = 192  # RFC 7983
_RTCP_TYPES: Final = range(192, 224)  # RFC 5761


@dataclass(slots=True)
class Faults:
    """What goes wrong on the way.

    Attributes:
        loss: Share of packets lost, retransmissions included.
        reorder: Share of packets that are overtaken by the next two.
        double: Share of packets that come twice.
        seed: Of the dice.
    """

    loss: float = 0.0
    reorder: float = 0.0
    double: float = 0.0
    seed: int = 0


class BadWay:
    """The way from one end to another."""

    def __init__(self, faults: Faults) -> None:
        """Begin; the faults may be changed at any time."""
        self._faults = faults
        self._dice = random.Random(faults.seed)
        self._held: deque[tuple[int, bytes]] = deque()  # overtaken packets, and by how many more

    def carry(self, packet: bytes) -> list[bytes]:
        """What arrives, in order, when a packet is sent."""
        if self._dice.random() < self._faults.loss:
            return []
        if self._dice.random() < self._faults.reorder:
            self._held.append((2, packet))
            return []
        arrived = [packet]
        if self._dice.random() < self._faults.double:
            arrived.append(packet)
        waiting, self._held = self._held, deque()
        for more, held in waiting:
            if more > 1:
                self._held.append((more - 1, held))
            else:
                arrived.append(held)
        return arrived


@dataclass(slots=True)
class Passed:
    """What came by ``bad_way_here``.

    Attributes:
        sent: Datagrams sent to this process.
        arrived: Those that it was given.
        media: RTP packets it was given, by payload type.
    """

    sent: int = 0
    arrived: int = 0
    media: Counter[int] = field(default_factory=Counter)


class _Far(asyncio.DatagramProtocol):
    """Stands before the reader of a socket."""

    def __init__(self, reader: asyncio.DatagramProtocol, faults: Faults, passed: Passed) -> None:
        self.reader = reader
        self._way, self._passed = BadWay(faults), passed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reader.connection_made(cast(asyncio.DatagramTransport, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reader.connection_lost(exc)

    def error_received(self, exc: Exception) -> None:
        self.reader.error_received(exc)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._passed.sent += 1
        for arrived in self._way.carry(data):
            self._passed.arrived += 1
            if _is_media(arrived):
                self._passed.media[arrived[1] & 0x7F] += 1
            self.reader.datagram_received(arrived, addr)


@contextmanager
def bad_way_here(faults: Faults) -> Iterator[Passed]:
    """Let the way to each socket that the running event loop opens meanwhile be bad.

    Each socket has dice of its own. What leaves this process gets through.
    """
    loop: Any = asyncio.get_running_loop()
    opens, passed = loop.create_datagram_endpoint, Passed()
    dice = random.Random(faults.seed)

    async def open_far(reader: Callable[[], asyncio.DatagramProtocol], *args: Any, **more: Any) -> Any:
        own = Faults(faults.loss, faults.reorder, faults.double, dice.getrandbits(32))
        transport, far = await opens(lambda: _Far(reader(), own, passed), *args, **more)
        return transport, far.reader

    loop.create_datagram_endpoint = open_far
    try:
        yield passed
    finally:
        loop.create_datagram_endpoint = opens


def _is_media(datagram: bytes) -> bool:
    rtp = len(datagram) > 1 and _RTP_FIRST <= datagram[0] < _RTP_BEHIND
    return rtp and datagram[1] not in _RTCP_TYPES
