"""How often a visitor may ask: allowances by client address and by student.

Comes in: who asks, and when. Goes out: yes or no. Pure; what stands in a proxy's header is believed only
when the proxy is one of ``web.trusted_proxies``.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_MOST_KNOWN: Final = 10_000
"""Visitors remembered at a time; who has not asked for longest is forgotten first."""


class RateLimiter:
    """So many requests at once, and so many a second from then on, to each who asks.

    Args:
        burst: Requests at once.
        per_s: Requests a second that come back.
        clock: Monotonic seconds.
    """

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, who: str) -> float:
        """How many requests someone may make now."""
        left, at_s = self._left.get(who, (float(self._burst), 0.0))
        return min(float(self._burst), left + (self._clock() - at_s) * self._per_s)

    def take(self, who: str) -> bool:
        """Count a request, if it is allowed."""
        left = self.left(who)
        if left < 1:
            return False
        self._left[who] = (left - 1, self._clock())
        self._left.move_to_end(who)
        if len(self._left) > _MOST_KNOWN:
            self._left.popitem(last=False)
        return True


def client_address(peer: str, forwarded: Sequence[str], trusted: Collection[Network]) -> str:
    """Who asks: the nearest address that is no trusted proxy; of IPv6 the network of 64 bits.

    Args:
        peer: The other end of the connection.
        forwarded: Values of X-Forwarded-For, in order; each proxy adds its own peer at the end.
        trusted: Networks of proxies whose word is taken.
    """
    told = [part.strip() for value in forwarded for part in value.split(",")]
    client = peer
    for hop in (peer, *reversed(told)):
        try:
            address = ip_address(hop)
        except ValueError:  # nothing behind it can be believed
            break
        client = hop
        if not any(address in network for network in trusted):
            break
    return _network_of(client)


def _network_of(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped is not None else str(ip_network((int(address) >> 64 << 64, 64)))
    return client
