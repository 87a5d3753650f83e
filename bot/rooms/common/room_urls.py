"""The parts of a room URL that names a room on a server."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit


def shown_url(url: str) -> str:
    """A room URL as an error may show it: without its options, user and password, which may be secret."""
    return repr(url.partition("?")[0].rpartition("@")[2].partition("#")[0])


def url_options(query: str) -> dict[str, list[str]]:
    """Parse the part of a URL after the question mark.

    Raises:
        ValueError: it is malformed.
    """
    return parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))


def room_key(scheme: str, server_url: str, room: object) -> str:
    """Return a key made of the server's IP addresses and the room. Blocks while it looks them up in DNS.

    The key does not depend on the host name or port in the URL, so one room cannot have two classes at once.
    Two would publish shares of the same students in different groups.
    """
    host = urlsplit(server_url).hostname or ""
    try:
        found = {ip_address(str(entry[4][0]).partition("%")[0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):  # joining reports what is wrong
        server = host
    else:
        # All addresses of this machine's loopback network are one server.
        is_local = any(one.is_loopback for one in found)
        server = "loopback" if is_local else ",".join(sorted(map(str, found)))
    return f"{scheme}:{server}/{room}"
