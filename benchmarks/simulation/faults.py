"""Simulates a bad network that loses, reorders and duplicates packets.

``impaired_network`` applies the faults to every UDP socket that this process opens. It works below ICE, so
for the receiver it is like a bad network. Unlike ``netem``, it needs neither root nor a kernel module.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

_RTP_FIRST_BYTES: Final = range(128, 192)  # RFC 7983
_RTCP_TYPES: Final = range(192, 224)  # RFC 5761


@dataclass(slots=True)
class Faults:
    """The faults of a network path.

    Attributes:
        loss: Share of packets lost, retransmissions included.
        reorder: Share of packets that arrive after the next two.
        duplicate: Share of packets that arrive twice.
        seed: Seed of the random numbers.
    """

    loss: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0
    seed: int = 0


class LossyPath:
    """A network path in one direction."""

    def __init__(self, faults: Faults) -> None:
        """Set up; ``faults`` may be changed at any time."""
        self._faults = faults
        self._rng = random.Random(faults.seed)
        # Delayed packets, each with the number of packets that are still to arrive before it.
        self._held: deque[tuple[int, bytes]] = deque()

    def transmit(self, packet: bytes) -> list[bytes]:
        """Send a packet and return the packets that arrive now, in order."""
        if self._rng.random() < self._faults.loss:
            return []
        if self._rng.random() < self._faults.reorder:
            self._held.append((2, packet))
            return []
        arrived = [packet]
        if self._rng.random() < self._faults.duplicate:
            arrived.append(packet)
        waiting, self._held = self._held, deque()
        for remaining, held in waiting:
            if remaining > 1:
                self._held.append((remaining - 1, held))
            else:
                arrived.append(held)
        return arrived


@dataclass(slots=True)
class Traffic:
    """Counts of the datagrams that passed an impaired network.

    Attributes:
        sent: Datagrams sent to this process.
        arrived: Datagrams that this process received.
        media: RTP packets that this process received, by payload type.
    """

    sent: int = 0
    arrived: int = 0
    media: Counter[int] = field(default_factory=Counter)


class _ImpairedProtocol(asyncio.DatagramProtocol):
    """Applies the faults to the datagrams of a socket and passes the rest on to its protocol."""

    def __init__(self, protocol: asyncio.DatagramProtocol, faults: Faults, traffic: Traffic) -> None:
        self.protocol = protocol
        self._path, self._traffic = LossyPath(faults), traffic

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(cast(asyncio.DatagramTransport, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def error_received(self, exc: Exception) -> None:
        self.protocol.error_received(exc)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._traffic.sent += 1
        for arrived in self._path.transmit(data):
            self._traffic.arrived += 1
            if _is_media(arrived):
                self._traffic.media[arrived[1] & 0x7F] += 1
            self.protocol.datagram_received(arrived, addr)


@contextmanager
def impaired_network(faults: Faults) -> Iterator[Traffic]:
    """Apply the faults to incoming datagrams of the UDP sockets that the running event loop opens meanwhile.

    Outgoing datagrams are not affected. The random numbers of each socket are independent.
    """
    loop: Any = asyncio.get_running_loop()
    create_endpoint, traffic = loop.create_datagram_endpoint, Traffic()
    rng = random.Random(faults.seed)

    async def create_impaired(
        protocol: Callable[[], asyncio.DatagramProtocol], *args: Any, **kwargs: Any
    ) -> Any:
        own = Faults(faults.loss, faults.reorder, faults.duplicate, rng.getrandbits(32))
        transport, impaired = await create_endpoint(
            lambda: _ImpairedProtocol(protocol(), own, traffic), *args, **kwargs
        )
        return transport, impaired.protocol

    loop.create_datagram_endpoint = create_impaired
    try:
        yield traffic
    finally:
        loop.create_datagram_endpoint = create_endpoint


def _is_media(datagram: bytes) -> bool:
    rtp = len(datagram) > 1 and datagram[0] in _RTP_FIRST_BYTES
    return rtp and datagram[1] not in _RTCP_TYPES
