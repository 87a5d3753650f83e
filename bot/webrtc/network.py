"""Whether video can be received on this machine at all: ICE needs UDP on an address besides loopback."""

from __future__ import annotations

import socket

from aioice.ice import get_host_addresses


class NoUdp(Exception):
    """There is no address to receive video on; the text is one line that says what to do."""


def udp_addresses() -> list[str]:
    """The addresses of this machine on which a UDP socket can be had, each tried.

    Raises:
        NoUdp: there is none.
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
            "no UDP socket can be had on any network address of this machine, so no video can be received: "
            "connect it to a network, or allow UDP"
        )
    return found
