"""The websocket to a LiveKit server: joining, messages in both directions, and pings."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    WSMsgType,
    WSServerHandshakeError,
)
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from bot.rooms.contract import RoomUnavailable
from bot.rooms.livekit.refusals import refusal

_log = structlog.get_logger()

PING_INTERVAL_S: Final = 1.5
PING_TIMEOUT_S: Final = 2.5
"""With the interval, a hanging server is noticed within 4 s; TCP alone would need minutes."""

CONNECT_TIMEOUT_S: Final = 2.0
"""Short, because TCP repeats a lost attempt later and later: a new one finds a returned network sooner."""

_PROTOCOL: Final = 16
_CLOSE_TIMEOUT_S: Final = 1.0
_MAX_MESSAGE_BYTES: Final = 4 << 20
_MAX_TEXT_BYTES: Final = 4096


class Signalling:
    """One websocket.

    Attributes:
        lost: Set with the reason once the connection is lost.
    """

    def __init__(self, server_url: str, room: str, on_message: Callable[[rtc.SignalResponse], None]) -> None:
        """Set up; nothing is opened yet.

        Args:
            server_url: ``ws://`` or ``wss://`` address of the server.
            room: Name of the room, for errors.
            on_message: Called on the event loop with each message after the first; must not block.
        """
        self._server_url, self._room, self._on_message = server_url, room, on_message
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client: ClientSession | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._heard_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, token: str, timeout_s: float) -> rtc.JoinResponse:
        """Connect and join.

        Raises:
            RoomError: the server cannot be reached, or refuses the bot.
        """
        self._client = ClientSession(
            timeout=ClientTimeout(timeout_s, sock_connect=min(timeout_s, CONNECT_TIMEOUT_S))
        )
        try:
            async with asyncio.timeout(timeout_s):
                return await self._join(self._client, token)
        except ClientConnectorCertificateError as exc:
            await self.close()
            raise RoomUnavailable(
                f"the certificate of the server at {self._server_url} is not trusted"
            ) from exc
        except (ClientError, OSError, TimeoutError, ValueError) as exc:
            await self.close()
            # Not chained: the cause may contain the URL with the token.
            _log.info("no LiveKit server answers", error=type(exc).__name__)
            raise RoomUnavailable(
                f"check host, port and network: no LiveKit server answers at {self._server_url}"
            ) from None
        except BaseException:
            await self.close()
            raise

    async def send(self, **message: Any) -> None:
        """Send a message; the only argument is a field of ``SignalRequest``. Does nothing after a loss."""
        if self._socket is None or self.lost.done():
            return
        try:
            await self._socket.send_bytes(rtc.SignalRequest(**message).SerializeToString())
        except (ClientError, OSError):
            self.lose("the connection to the LiveKit server broke")

    def lose(self, reason: str) -> None:
        """Give up the connection; only the first call counts."""
        if not self.lost.done():
            self.lost.set_result(reason)

    async def close(self, *, leave: bool = False) -> None:
        """Close; with ``leave``, tell the server that the bot leaves."""
        if leave and not self.lost.done():
            await self._before_timeout(self.send(leave=rtc.LeaveRequest(reason=models.CLIENT_INITIATED)))
        self.lose("the connection was closed")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._socket is not None:
            await self._before_timeout(self._socket.close())
        if self._client is not None:
            await self._client.close()

    async def _join(self, client: ClientSession, token: str) -> rtc.JoinResponse:
        query = {"protocol": str(_PROTOCOL), "auto_subscribe": "0", "sdk": "other"}
        headers = {"Authorization": f"Bearer {token}"}
        try:
            self._socket = await client.ws_connect(
                f"{self._server_url}/rtc", params=query, headers=headers, max_msg_size=_MAX_MESSAGE_BYTES
            )
        except WSServerHandshakeError as exc:
            text = await self._reason_for(client, query, headers)
            raise refusal(exc.status, text, self._room) from None
        first = await self._socket.receive()
        answer = _read(first.data) if first.type is WSMsgType.BINARY else None
        if answer is None or not answer.HasField("join"):
            raise RoomUnavailable("check host and path: the server does not answer like a LiveKit server")
        self._heard_s = time.monotonic()
        self._tasks = [
            asyncio.create_task(self._receive(self._socket), name="livekit-receive"),
            asyncio.create_task(self._ping(), name="livekit-ping"),
        ]
        return answer.join

    async def _reason_for(self, client: ClientSession, query: dict[str, str], headers: dict[str, str]) -> str:
        """Ask again for the text of a refusal, which a websocket's handshake does not give."""
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
        }
        url = f"http{self._server_url.removeprefix('ws')}/rtc"
        try:
            async with client.get(url, params=query, headers={**headers, **upgrade}) as response:
                if response.status == 101:  # let in this time; the next attempt will be too
                    return ""
                return (await response.content.read(_MAX_TEXT_BYTES)).decode(errors="replace")
        except (ClientError, OSError):
            return ""

    async def _receive(self, socket: ClientWebSocketResponse) -> None:
        async for message in socket:
            self._heard_s = time.monotonic()
            answer = _read(message.data) if message.type is WSMsgType.BINARY else None
            if answer is not None:
                self._on_message(answer)
        self.lose("the LiveKit server closed or broke the connection")

    async def _ping(self) -> None:
        """Ping the server, and give it up when it no longer answers."""
        while not self.lost.done():
            sent_s = time.monotonic()
            await self._before_timeout(self.send(ping_req=rtc.Ping(timestamp=int(time.time() * 1000))))
            await asyncio.sleep(PING_INTERVAL_S)
            now_s = time.monotonic()
            if now_s - sent_s >= PING_TIMEOUT_S:
                continue  # this machine was busy: answers may wait to be read
            if now_s - self._heard_s >= PING_TIMEOUT_S and self._heard_s < sent_s:
                self.lose("the LiveKit server does not answer")

    @staticmethod
    async def _before_timeout(action: Any) -> None:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await action
        except (ClientError, OSError, TimeoutError) as exc:
            _log.debug("the LiveKit server is slow", error=type(exc).__name__)


def _read(data: bytes) -> rtc.SignalResponse | None:
    """Parse a message; None if it is no message of LiveKit."""
    try:
        return rtc.SignalResponse.FromString(data)
    except DecodeError:
        _log.warning("the LiveKit server sent a message that cannot be read")
        return None
