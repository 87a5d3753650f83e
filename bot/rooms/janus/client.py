"""Janus' websocket API: one session, its handles, requests with answers, a pulse that tells when it is gone.

Comes in: requests. Goes out: their answers, and events by a callback of each handle. Nothing waits longer
than its own timeout; when the session is gone every request in flight and every later one fails.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog
from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
)

from bot.rooms.janus.messages import (
    Candidates,
    JanusError,
    JanusGone,
    JanusRefused,
    Message,
    Reply,
    read_identifier,
    read_reply,
)

_log = structlog.get_logger()

SUBPROTOCOL: Final = "janus-protocol"
REQUEST_TIMEOUT_S: Final = 8.0
PULSE_INTERVAL_S: Final = 1.0
PULSE_TIMEOUT_S: Final = 2.5
"""With the interval: a server that hangs is noticed within 3.5 s, where TCP would take minutes."""

_CLOSE_TIMEOUT_S: Final = 1.0
_DETACH_TIMEOUT_S: Final = 2.5
"""Short, since leaving waits for it; Janus does it also where its word for it comes too late."""

_NO_SUCH_SESSION: Final = 458
_MAX_MESSAGE_BYTES: Final = 4 << 20


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A request in flight."""

    answer: asyncio.Future[Message]
    ack_is_answer: bool


class JanusSession:
    """One session over one websocket; ``async with`` opens and closes it.

    Attributes:
        gone: Set with the reason once the session is lost.
    """

    def __init__(self, url: str, connect_timeout_s: float) -> None:
        """Set up; nothing is opened yet.

        Args:
            url: ``ws://`` or ``wss://`` address.
            connect_timeout_s: How long opening may take.
        """
        self._url, self._connect_timeout_s = url, connect_timeout_s
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client: ClientSession | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._session_id: int | None = None
        self._asked: dict[str, _Asked] = {}
        self._listeners: dict[int, Callable[[Reply], None]] = {}
        self._candidates: dict[int, Candidates] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Connect and create the session.

        Raises:
            JanusGone: nobody answers there, or no Janus.
            JanusRefused: the server wants credentials.
        """
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._open()
        except ClientConnectorCertificateError as exc:
            await self._shut()
            raise JanusGone(f"the certificate of the server at {self._url} is not to be trusted") from exc
        except (ClientError, OSError, TimeoutError, ValueError) as exc:
            await self._shut()
            raise JanusGone(f"no Janus server answers at {self._url}") from exc
        except (JanusError, asyncio.CancelledError):
            await self._shut()
            raise
        self._tasks.append(asyncio.create_task(self._pulse(), name="janus-pulse"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy the session, if it is still there, and close the socket."""
        if not self.gone.done() and self._socket is not None:
            # Without waiting for the answer: the closed socket says the same.
            with suppress(JanusGone, TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._send({"janus": "destroy", "transaction": _transaction()})
        await self._shut()

    async def attach(self, plugin: str, listener: Callable[[Reply], None]) -> int:
        """A new handle of a plugin.

        Args:
            plugin: The plugin's full name.
            listener: Called on the event loop for each event of the handle; must not wait.

        Raises:
            JanusError: it cannot be had.
        """
        # In a task of its own: a handle that comes when nobody waits for it any more has to be let go of.
        asking = self._run(self._ask({"janus": "attach", "plugin": plugin}))
        try:
            handle = read_identifier(await asyncio.shield(asking))
        except asyncio.CancelledError:
            asking.add_done_callback(self._let_go)
            raise
        self._listeners[handle] = listener
        self._candidates[handle] = Candidates()
        return handle

    async def request(self, handle: int, body: Mapping[str, object], answer_sdp: str | None = None) -> Reply:
        """Ask a plugin and wait for what it says.

        Args:
            handle: Of ``attach``.
            body: The plugin's request.
            answer_sdp: An SDP answer to send along.

        Returns:
            The answer; an offer in it has its candidates, also where the server sends them one by one.

        Raises:
            JanusGone: no answer.
            JanusRefused: an error was answered.
        """
        message: dict[str, object] = {"janus": "message", "handle_id": handle, "body": body}
        if answer_sdp is not None:
            message["jsep"] = {"type": "answer", "sdp": answer_sdp}
        reply = read_reply(await self._ask(message))
        code = reply.data.get("error_code")
        if code is not None:
            raise JanusRefused(code if isinstance(code, int) else 0)
        if reply.sdp is not None and "a=candidate:" not in reply.sdp and handle in self._candidates:
            lines = await self._candidates[handle].all()
            reply = replace(reply, sdp=reply.sdp + "".join(f"a={line}\r\n" for line in lines))
        return reply

    async def detach(self, handle: int) -> None:
        """Let go of a handle; that it is gone already is as good."""
        self._listeners.pop(handle, None)
        self._candidates.pop(handle, None)
        if self.gone.done():
            return
        try:
            await self._ask({"janus": "detach", "handle_id": handle}, _DETACH_TIMEOUT_S)
        except JanusError as exc:
            _log.debug("handle was gone", error=type(exc).__name__)

    def _run(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Have something run that ends with the session at the latest."""
        task = asyncio.create_task(work, name="janus-request")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _let_go(self, asking: asyncio.Task[Message]) -> None:
        if asking.cancelled() or asking.exception() is not None or self.gone.done():
            return
        with suppress(JanusGone):  # there is none, so much the better
            self._run(self.detach(read_identifier(asking.result())))

    async def _open(self) -> None:
        self._client = ClientSession()
        self._socket = await self._client.ws_connect(
            self._url,
            protocols=(SUBPROTOCOL,),
            timeout=ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
            max_msg_size=_MAX_MESSAGE_BYTES,
        )
        if self._socket.protocol != SUBPROTOCOL:
            raise JanusGone(f"no Janus server answers at {self._url}")
        self._tasks.append(asyncio.create_task(self._listen(self._socket), name="janus-listen"))
        self._session_id = read_identifier(await self._ask({"janus": "create"}))

    async def _ask(self, message: dict[str, object], timeout_s: float = REQUEST_TIMEOUT_S) -> Message:
        transaction = _transaction()
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        # An ack says that the answer comes later, except to a keepalive, where it is the answer.
        self._asked[transaction] = _Asked(answer, ack_is_answer=message["janus"] == "keepalive")
        try:
            async with asyncio.timeout(timeout_s):
                await self._send({**message, "transaction": transaction})
                reply = await answer
        except TimeoutError as exc:
            raise JanusGone("the Janus server does not answer") from exc
        finally:
            self._asked.pop(transaction, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: where sending failed nobody else asks for it
        if reply.get("janus") == "error":
            error = reply.get("error")
            code = error.get("code") if isinstance(error, dict) else None
            if code == _NO_SUCH_SESSION:
                self.lose("the Janus server dropped the session")
                raise JanusGone("the Janus server dropped the session")
            raise JanusRefused(code if isinstance(code, int) else 0)
        return reply

    async def _send(self, message: dict[str, object]) -> None:
        if self.gone.done() or self._socket is None:
            raise JanusGone(self.gone.result() if self.gone.done() else "the session is not open")
        if self._session_id is not None:
            message["session_id"] = self._session_id
        try:
            await self._socket.send_json(message)
        except (ClientError, OSError) as exc:
            self.lose("the connection to the Janus server broke")
            raise JanusGone("the connection to the Janus server broke") from exc

    async def _listen(self, socket: ClientWebSocketResponse) -> None:
        reason = "the Janus server closed the connection"
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        except (ClientError, OSError):
            reason = "the connection to the Janus server broke"
        except Exception:  # noqa: BLE001  # a fault of ours: told, and the room is entered anew
            _log.exception("a message of Janus could not be handled")
            reason = "a message of the Janus server could not be handled"
        finally:  # nobody hears this session any more
            self.lose(reason)

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            _log.warning("message of Janus that is no JSON object")
            return
        kind, transaction = message.get("janus"), message.get("transaction")
        asked = self._asked.get(transaction) if isinstance(transaction, str) else None
        if kind == "timeout":
            self.lose("the Janus server ended the session")
        elif asked is not None:
            if not asked.answer.done() and (kind != "ack" or asked.ack_is_answer):
                asked.answer.set_result(message)
        elif isinstance(sender := message.get("sender"), int) and sender in self._listeners:
            if kind == "trickle":
                self._candidates[sender].add(message.get("candidate"))
            else:
                self._listeners[sender](read_reply(message))

    async def _pulse(self) -> None:
        """Keep the session alive, and notice a server that hangs."""
        while not self.gone.done():
            await asyncio.sleep(PULSE_INTERVAL_S)
            try:
                await self._ask({"janus": "keepalive"}, PULSE_TIMEOUT_S)
            except JanusRefused as exc:
                _log.debug("keepalive refused", code=exc.code)
            except JanusGone as exc:
                self.lose(str(exc))

    def lose(self, reason: str) -> None:
        """Give the session up: whatever is asked of it fails from now on."""
        if not self.gone.done():
            self.gone.set_result(reason)
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(JanusGone(reason))

    async def _shut(self) -> None:
        self.lose("the session was closed")
        for task in self._tasks:
            task.cancel()
        if ending := [*self._tasks, *self._running]:  # what is asked fails by itself now
            await asyncio.wait(ending)
        if self._socket is not None:
            await self._socket.close()
        if self._client is not None:
            await self._client.close()


def _transaction() -> str:
    return secrets.token_hex(8)
