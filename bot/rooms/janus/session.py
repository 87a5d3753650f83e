"""One session on a Janus server: plugin handles, their requests and events, and keepalives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog
from aiohttp import ClientConnectorCertificateError, ClientError

from bot.rooms.janus.messages import (
    Candidates,
    JanusError,
    JanusRefused,
    JanusUnavailable,
    Message,
    Reply,
    read_identifier,
    read_reply,
)
from bot.rooms.janus.transport import CLOSE_TIMEOUT_S, JanusTransport, new_transaction

_log = structlog.get_logger()

KEEPALIVE_INTERVAL_S: Final = 1.0
KEEPALIVE_TIMEOUT_S: Final = 2.5
"""With the interval, a hanging server is noticed within 3.5 s; TCP alone would need minutes."""

_DETACH_TIMEOUT_S: Final = 2.5
"""Short, because leaving the room waits for it. Janus detaches the handle even if it answers later."""

Result = TypeVar("Result")


class JanusSession:
    """One session over one websocket; ``async with`` opens and closes it.

    Attributes:
        lost: Set with the reason once the session is lost.
    """

    def __init__(self, url: str, connect_timeout_s: float) -> None:
        """Set up; nothing is opened yet.

        Args:
            url: ``ws://`` or ``wss://`` address.
            connect_timeout_s: Timeout of connecting and creating the session.
        """
        self._url, self._connect_timeout_s = url, connect_timeout_s
        self._transport = JanusTransport(url, self._on_event)
        self.lost = self._transport.lost
        self._listeners: dict[int, Callable[[Reply], None]] = {}
        self._candidates: dict[int, Candidates] = {}
        self._requests: set[asyncio.Task[Any]] = set()
        self._keepalive: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect and create the session.

        Raises:
            JanusUnavailable: no server answers there, or it is not a Janus server.
            JanusRefused: the server requires credentials, or accepts no new sessions.
        """
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._transport.open()
                self._transport.session_id = read_identifier(await self._transport.ask({"janus": "create"}))
        except ClientConnectorCertificateError as exc:
            await self._close()
            raise JanusUnavailable(f"the certificate of the server at {self._url} is not trusted") from exc
        except (ClientError, OSError, TimeoutError, ValueError) as exc:
            await self._close()
            raise JanusUnavailable(f"no Janus server answers at {self._url}") from exc
        except (JanusError, asyncio.CancelledError):
            await self._close()
            raise
        self._keepalive = asyncio.create_task(self._keep_alive(), name="janus-keepalive")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy the session, unless it is lost already, and close the websocket."""
        if self._transport.is_open:
            # No need to wait for the answer: closing the websocket also ends the session.
            with suppress(JanusUnavailable, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._transport.send({"janus": "destroy", "transaction": new_transaction()})
        await self._close()

    async def attach(self, plugin: str, listener: Callable[[Reply], None]) -> int:
        """Create a handle of a plugin and return its identifier.

        Args:
            plugin: The plugin's full name.
            listener: Called on the event loop with each event of the handle; must not block.

        Raises:
            JanusError: the handle could not be created.
        """
        # In a separate task: if the caller is cancelled, a handle that arrives later can still be detached.
        attaching = self._start(self._transport.ask({"janus": "attach", "plugin": plugin}))
        try:
            handle = read_identifier(await asyncio.shield(attaching))
        except asyncio.CancelledError:
            attaching.add_done_callback(self._detach_unwanted)
            raise
        self._listeners[handle] = listener
        self._candidates[handle] = Candidates()
        return handle

    async def request(self, handle: int, body: Mapping[str, object], answer_sdp: str | None = None) -> Reply:
        """Send a request to a plugin and return its answer.

        Args:
            handle: As returned by ``attach``.
            body: The plugin's request.
            answer_sdp: An SDP answer to send with the request.

        Returns:
            The answer. An SDP offer in it includes the ICE candidates that the server sent separately.

        Raises:
            JanusUnavailable: no answer.
            JanusRefused: the answer is an error.
        """
        message: dict[str, object] = {"janus": "message", "handle_id": handle, "body": body}
        if answer_sdp is not None:
            message["jsep"] = {"type": "answer", "sdp": answer_sdp}
        reply = read_reply(await self._transport.ask(message))
        code = reply.data.get("error_code")
        if code is not None:
            raise JanusRefused(code if isinstance(code, int) else 0)
        if reply.sdp is not None and "a=candidate:" not in reply.sdp and handle in self._candidates:
            lines = await self._candidates[handle].all()
            reply = replace(reply, sdp=reply.sdp + "".join(f"a={line}\r\n" for line in lines))
        return reply

    async def detach(self, handle: int) -> None:
        """Release a handle; does nothing if Janus has released it already."""
        self._listeners.pop(handle, None)
        self._candidates.pop(handle, None)
        if self.lost.done():
            return
        try:
            await self._transport.ask({"janus": "detach", "handle_id": handle}, _DETACH_TIMEOUT_S)
        except JanusError as exc:
            _log.debug("handle already detached", error=type(exc).__name__)

    def lose(self, reason: str) -> None:
        """Give up the session: all pending and later requests fail."""
        self._transport.lose(reason)

    def _start(self, request: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a task that closing the session waits for."""
        task = asyncio.create_task(request, name="janus-request")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return task

    def _detach_unwanted(self, attaching: asyncio.Task[Message]) -> None:
        """Detach a handle whose requester was cancelled while waiting for it."""
        if attaching.cancelled() or attaching.exception() is not None or self.lost.done():
            return
        with suppress(JanusUnavailable):  # the answer names no handle: nothing to detach
            self._start(self.detach(read_identifier(attaching.result())))

    def _on_event(self, handle: int, message: Message) -> None:
        if handle not in self._listeners:
            return
        if message.get("janus") == "trickle":
            self._candidates[handle].add(message.get("candidate"))
        else:
            self._listeners[handle](read_reply(message))

    async def _keep_alive(self) -> None:
        """Keep the session alive, and give it up when the server no longer answers."""
        while not self.lost.done():
            await asyncio.sleep(KEEPALIVE_INTERVAL_S)
            try:
                await self._transport.ask({"janus": "keepalive"}, KEEPALIVE_TIMEOUT_S)
            except JanusRefused as exc:
                _log.debug("keepalive refused", code=exc.code)
            except JanusUnavailable as exc:
                self.lose(str(exc))

    async def _close(self) -> None:
        self.lose("the session was closed")
        if self._keepalive is not None:
            self._keepalive.cancel()
        # The requests need no cancelling: they fail now that the session is lost.
        if ending := [*self._requests, *([] if self._keepalive is None else [self._keepalive])]:
            await asyncio.wait(ending)
        await self._transport.close()
