"""One websocket to a Janus server: matches answers to requests and passes on events.

No request waits longer than its own timeout. Once the connection is lost, every pending and every later
request fails.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from bot.rooms.janus.messages import JanusRefused, JanusUnavailable, Message

_log = structlog.get_logger()

SUBPROTOCOL: Final = "janus-protocol"
REQUEST_TIMEOUT_S: Final = 8.0
CLOSE_TIMEOUT_S: Final = 1.0

_NO_SUCH_SESSION: Final = 458
_MAX_MESSAGE_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _PendingRequest:
    """A request that has not been answered yet."""

    answer: asyncio.Future[Message]
    ack_is_answer: bool


class JanusTransport:
    """One websocket connection.

    Attributes:
        lost: Set with the reason once the connection or its session is lost.
        session_id: Added to every message once the session has been created.
    """

    def __init__(self, url: str, on_event: Callable[[int, Message], None]) -> None:
        """Set up; nothing is opened yet.

        Args:
            url: ``ws://`` or ``wss://`` address.
            on_event: Called on the event loop with the handle and the message of each event; must not block.
        """
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.session_id: int | None = None
        self._url, self._on_event = url, on_event
        self._client: ClientSession | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._pending: dict[str, _PendingRequest] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._socket is not None and not self.lost.done()

    async def open(self) -> None:
        """Connect and begin to read.

        Raises:
            JanusUnavailable: the server does not speak the Janus protocol.
            ClientError: the connection failed; also ``OSError`` and, for a malformed URL, ``ValueError``.
        """
        self._client = ClientSession()
        self._socket = await self._client.ws_connect(
            self._url,
            protocols=(SUBPROTOCOL,),
            timeout=ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            max_msg_size=_MAX_MESSAGE_BYTES,
        )
        if self._socket.protocol != SUBPROTOCOL:
            raise JanusUnavailable(f"no Janus server answers at {self._url}")
        self._reader = asyncio.create_task(self._read(self._socket), name="janus-read")

    async def ask(self, message: dict[str, object], timeout_s: float = REQUEST_TIMEOUT_S) -> Message:
        """Send a request and return its answer.

        Raises:
            JanusUnavailable: no answer within the timeout, or the connection is lost.
            JanusRefused: Janus answered with an error.
        """
        transaction = new_transaction()
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        # An ack announces that the answer comes later. Only a keepalive is answered by the ack itself.
        self._pending[transaction] = _PendingRequest(answer, ack_is_answer=message["janus"] == "keepalive")
        try:
            async with asyncio.timeout(timeout_s):
                await self.send({**message, "transaction": transaction})
                reply = await answer
        except TimeoutError as exc:
            raise JanusUnavailable("the Janus server does not answer") from exc
        finally:
            self._pending.pop(transaction, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # mark as retrieved: after a failed send nothing awaits this future
        if reply.get("janus") == "error":
            error = reply.get("error")
            code = error.get("code") if isinstance(error, dict) else None
            if code == _NO_SUCH_SESSION:
                self.lose("the Janus server dropped the session")
                raise JanusUnavailable("the Janus server dropped the session")
            raise JanusRefused(code if isinstance(code, int) else 0)
        return reply

    async def send(self, message: dict[str, object]) -> None:
        """Send a message without waiting for an answer.

        Raises:
            JanusUnavailable: the connection is lost or was never opened.
        """
        if self.lost.done() or self._socket is None:
            raise JanusUnavailable(self.lost.result() if self.lost.done() else "the session is not open")
        if self.session_id is not None:
            message["session_id"] = self.session_id
        try:
            await self._socket.send_json(message)
        except (ClientError, OSError) as exc:
            self.lose("the connection to the Janus server broke")
            raise JanusUnavailable("the connection to the Janus server broke") from exc

    def lose(self, reason: str) -> None:
        """Mark the connection as lost: all pending and later requests fail. The first reason counts."""
        if not self.lost.done():
            self.lost.set_result(reason)
        for request in self._pending.values():
            if not request.answer.done():
                request.answer.set_exception(JanusUnavailable(reason))

    async def close(self) -> None:
        """Close the websocket."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._socket is not None:
            await self._socket.close()
        if self._client is not None:
            await self._client.close()

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        reason = "the Janus server closed the connection"
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._dispatch(message.data)
        except (ClientError, OSError):
            reason = "the connection to the Janus server broke"
        except Exception:  # noqa: BLE001  # a bug of ours: log it and reconnect rather than end the class
            _log.exception("a message of Janus could not be handled")
            reason = "a message of the Janus server could not be handled"
        finally:  # no task reads answers any more
            self.lose(reason)

    def _dispatch(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            _log.warning("Janus sent a message that is not a JSON object")
            return
        kind, transaction = message.get("janus"), message.get("transaction")
        request = self._pending.get(transaction) if isinstance(transaction, str) else None
        if kind == "timeout":
            self.lose("the Janus server ended the session")
        elif request is not None:
            if not request.answer.done() and (kind != "ack" or request.ack_is_answer):
                request.answer.set_result(message)
        elif isinstance(sender := message.get("sender"), int):
            self._on_event(sender, message)


def new_transaction() -> str:
    """Return a random identifier that matches an answer to its request."""
    return secrets.token_hex(8)
