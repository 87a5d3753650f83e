"""The address of the client that sent a request, also behind trusted proxies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def client_address(peer: str, forwarded: Sequence[str], trusted: Collection[Network]) -> str:
    """The nearest address that is not a trusted proxy.

    Anyone can send an ``X-Forwarded-For`` header, so it counts only if it comes from a proxy in ``trusted``.
    IPv6 clients are identified by their network of 64 bits, because one client can use all of its addresses.

    Args:
        peer: Address of the other end of the connection.
        forwarded: Values of ``X-Forwarded-For``, in order; each proxy appends the address it was called from.
        trusted: Networks of trusted proxies, ``web.trusted_proxies``.
    """
    hops = [part.strip() for value in forwarded for part in value.split(",")]
    client = peer
    for hop in (peer, *reversed(hops)):
        try:
            address = ip_address(hop)
        except ValueError:  # not an address: the hops before it cannot be trusted either
            break
        client = hop
        if not any(address in network for network in trusted):
            break
    return _rate_limited_unit(client)


def _rate_limited_unit(client: str) -> str:
    """What the rate limit applies to: an IPv4 address, or the 64-bit network of an IPv6 address."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped is not None else str(ip_network((int(address) >> 64 << 64, 64)))
    return client
