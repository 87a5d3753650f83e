"""Whether video can be received on this machine at all: ICE needs UDP on an address besides loopback."""

from __future__ import annotations

import socket

from aioice.ice import get_host_addresses


class NoUdp(Exception):
    """No address can receive video; the text is one line that says what to do."""


def udp_addresses() -> list[str]:
    """Find the addresses of this machine on which a UDP socket can be opened, by opening one on each.

    Raises:
        NoUdp: there is no such address.
    """
    found = []
    for address in get_host_addresses(use_ipv4=True, use_ipv6=True):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                continue
        found.append(address)
    if not found:
        raise NoUdp(
            "connect this machine to a network, or allow UDP: no UDP socket can be opened on any of its "
            "network addresses, so it cannot receive video"
        )
    return found
