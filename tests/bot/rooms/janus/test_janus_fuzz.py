"""Malformed messages from a server neither break a session nor cause anything but the expected errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config import WebrtcSettings
from bot.rooms.contract import RoomError
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.messages import JanusError, Reply
from bot.rooms.janus.reconnect import ReconnectTimeouts
from bot.rooms.janus.room import JanusRoom
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.textroom import ChatMessage, TextRoom
from bot.rooms.janus.transport import SUBPROTOCOL
from bot.rooms.janus.videoroom import RoomAddress

TIMEOUT_S = 20.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["janus", "transaction", "sender", "data", "id", "plugindata", "jsep", "sdp", "candidate",
                 "error", "code", "completed", "videoroom", "publishers", "display", "streams", "type", "mid",
                 "leaving", "textroom", "username", "from", "text", "participants", "exists", "private_id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
MESSAGES = st.one_of(
    JSON.map(json.dumps),
    st.text(max_size=30),
    st.builds(
        lambda kind, rest: json.dumps({**rest, "janus": kind, "sender": 7}),
        st.sampled_from(["event", "trickle", "webrtcup", "hangup", "detached", "media", "slowlink"]),
        st.dictionaries(st.sampled_from(["plugindata", "jsep", "candidate", "transaction"]), JSON),
    ),
)


@asynccontextmanager
async def noisy_server(answer: dict[str, Any], noise: list[str]) -> AsyncIterator[str]:
    """Run a server that sends ``noise`` before each reply and ``answer`` to every request to a plugin."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            received = json.loads(message.data)
            for text in noise:
                await socket.send_str(text)
            replies: dict[str, dict[str, Any]] = {
                "create": {"janus": "success", "data": {"id": 1}},
                "attach": {"janus": "success", "data": {"id": 7}},
                "message": {"janus": "event", "sender": 7, **answer},
                "detach": {"janus": "success"},
            }
            reply = replies.get(received["janus"], {"janus": "ack"})
            await socket.send_str(json.dumps({**reply, "transaction": received["transaction"]}))
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def use_session(noise: list[str]) -> None:
    error = ""
    async with noisy_server({"plugindata": {"data": {"videoroom": "success"}}}, noise) as url:
        events: list[Reply] = []
        async with asyncio.timeout(TIMEOUT_S):
            try:
                async with JanusSession(url, 5.0) as session:
                    handle = await session.attach("janus.plugin.videoroom", events.append)
                    reply = await session.request(handle, {"request": "exists"})
                    assert session.lost.done() or reply.data == {"videoroom": "success"}
                    reader = session._transport._reader
                    assert reader is not None
                    assert not reader.done()
            except JanusError as exc:
                error = str(exc)
    assert not error or "the Janus server ended the session" in error, "the server answers every request"


@settings(max_examples=60)
@given(st.lists(MESSAGES, max_size=6))
@example(["[" * 100_000])
@example(['{"a":' * 50_000])
@example(["1" * 5000])
@example(['{"janus":"trickle","sender":7,"candidate":{"candidate":["candidate:"],"completed":1}}'])
@example(['{"janus":"event","sender":true,"plugindata":[]}'])
@example(['{"janus":"timeout"}'])
def test_no_message_breaks_a_session(noise: list[str]) -> None:
    noise = [text for text in noise if "\ud800" not in text and text.isprintable()]
    asyncio.run(use_session(noise))


async def use_room(answer: dict[str, Any], noise: list[str]) -> None:
    error = ""
    async with noisy_server(answer, noise) as url:
        room = JanusRoom(
            parse_address(f"janus+{url}/1"), WebrtcSettings(connect_timeout_s=2.0), samples_per_s=2.0,
            timeouts=ReconnectTimeouts(0.5, 0.5),
        )  # fmt: skip
        async with asyncio.timeout(TIMEOUT_S):
            try:
                async with room:
                    async with asyncio.timeout(0.1):
                        async for _ in room.events():
                            pass
            except TimeoutError:
                pass
            except RoomError as exc:
                error = str(exc)
    assert "\n" not in error


@pytest.mark.slow
@settings(max_examples=20)
@given(st.fixed_dictionaries({"plugindata": JSON | st.fixed_dictionaries({"data": JSON}), "jsep": JSON}))
@example(
    {
        "plugindata": {
            "data": {"videoroom": "joined", "publishers": [{"id": 1, "streams": [{"type": "video"}]}]}
        }
    }
)
@example({"plugindata": {"data": {"error_code": "x"}}})
@example({"plugindata": {"data": {"exists": True}}, "jsep": {"sdp": "no SDP"}})
@example(
    {"plugindata": {"data": {"exists": True}}, "jsep": {"sdp": "v=0\r\nm=application 9 UDP/DTLS/SCTP x\r\n"}}
)
def test_no_answer_breaks_a_room(answer: dict[str, Any]) -> None:
    asyncio.run(use_room(answer, []))


class RecordingListener:
    """Records the messages of the chat and checks the other events."""

    def __init__(self) -> None:
        self.messages: list[ChatMessage] = []

    def on_chat_message(self, message: ChatMessage) -> None:
        self.messages.append(message)

    def on_chat_member_joined(self, username: str) -> None:
        assert isinstance(username, str)

    def on_chat_member_left(self, username: str) -> None:
        assert isinstance(username, str)

    def on_chat_joined(self, usernames: list[str]) -> None:
        assert isinstance(usernames, list)


@given(st.lists(MESSAGES | st.binary(max_size=20), max_size=8))
@example(["[" * 100_000])
@example([b"\xff"])
@example(['{"textroom":"message","from":"a","text":"%s"}' % ("x" * 100_000)])
@example(['{"textroom":"join","username":["a"],"display":{}}', '{"textroom":"leave","username":{}}'])
def test_no_message_breaks_the_chat(messages: list[str | bytes]) -> None:
    async def receive() -> None:
        listener = RecordingListener()
        session = JanusSession("ws://192.0.2.1", 1.0)
        chat = TextRoom(session, RoomAddress("ws://192.0.2.1", 1, None, "Bot", ""), listener)
        for message in messages:
            chat._on_message(message)
        assert all(len(message.text) <= 4000 for message in listener.messages)

    asyncio.run(receive())
