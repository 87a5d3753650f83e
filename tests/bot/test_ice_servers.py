"""Parsing the STUN and TURN servers of the settings, and asking a TURN server for an address."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.config import WebrtcSettings
from bot.ice_servers import IceServer, parse_ice_server
from tests.cameras import Sender, needs_network, receiving_peer

ALLOCATE = bytes((0x00, 0x03))
"""First bytes of a request for a relayed address (RFC 8656)."""


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("stun:a.example", IceServer("stun:a.example")),
        ("stuns:10.0.0.1:5349", IceServer("stuns:10.0.0.1:5349")),
        ("turn:u:secret@a.example:3478", IceServer("turn:a.example:3478", "u", "secret")),
        (
            "turns:u:secret@a.example:443?transport=tcp",
            IceServer("turns:a.example:443?transport=tcp", "u", "secret"),
        ),
        ("turn:1700%3Au:p%40w%25@a.example", IceServer("turn:a.example", "1700:u", "p@w%")),
    ],
)
def test_user_and_password_are_separated_from_the_address(text: str, server: IceServer) -> None:
    found = parse_ice_server(text)
    assert found == server
    assert found.credential is None or found.credential not in repr(found)
    fields = found.for_browsers()
    assert fields["urls"] == server.url
    assert ("username" in fields, "credential" in fields) == (server.username is not None,) * 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.example",
        "foo:a.example",
        "stun:",
        "stun://a.example",
        "stun:a.example:port",
        "stun:a.example?transport=udp",
        "stun:u:p@a.example",
        "turn:a.example",
        "turn:u@a.example",
        "turn::p@a.example",
        "turn:u:p@",
        "turn://u:p@a.example",
        "turn:u:p@a.example?transport=quic",
        "turn:u:p@a b",
    ],
)
def test_an_invalid_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"stun:HOST:3478 or turn:USER:PASSWORD@HOST:3478"):
        parse_ice_server(text)


@needs_network
@pytest.mark.slow
async def test_the_bot_requests_a_relayed_address_from_the_turn_server() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        sender = Sender()
        settings = WebrtcSettings(ice_servers=(f"turn:user:word@127.0.0.1:{server.getsockname()[1]}",))
        peer = receiving_peer(threads, settings)
        answering = asyncio.create_task(peer.answer(await sender.offer()))
        async with asyncio.timeout(20):
            request = await loop.sock_recv(server, 2000)
        answering.cancel()
        await asyncio.wait([answering])
        await sender.close()
    assert request.startswith(ALLOCATE)
