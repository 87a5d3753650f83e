"""Sends the notice about the bot to everybody in the chat, including members who join later.

Members who join later get the notice in a private message, which may have several recipients. A callback
reports members who cannot be informed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog

_log = structlog.get_logger()

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Pauses before each attempt, in seconds. Members who join during the first one share one message."""

REPEAT_S: Final = 60.0
"""Seconds within which a member who leaves and comes back does not get the notice again."""

_MAX_RECIPIENTS: Final = 200


class ChatSender(Protocol):
    """Sends messages to the chat."""

    def send(self, text: str) -> Awaitable[bool]:
        """Send a message to everybody; return whether it was delivered."""
        ...

    def whisper(self, text: str, usernames: list[str]) -> Awaitable[bool]:
        """Send a private message to some members; return whether it was delivered."""
        ...


class Announcer:
    """Informs every member of a chat once.

    If a private message fails, it is retried after longer and longer pauses. If the last retry fails, the
    notice is sent to everybody once more. If that fails too, the announcer gives up on the waiting members
    and calls ``on_unreachable``. It also does so when a lost chat does not come back in time.
    """

    def __init__(
        self,
        sender: ChatSender,
        clock: Callable[[], float],
        on_unreachable: Callable[[], None],
        *,
        chat_timeout_s: float,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        """Set up; nothing is sent before ``set_notice``.

        Args:
            sender: Sends messages to the chat.
            clock: Monotonic seconds.
            on_unreachable: Called when members cannot be informed, or may have joined during a loss.
            chat_timeout_s: How long a lost chat may take to come back.
            pauses_s: As ``PAUSES_S``.
        """
        self._sender, self._clock, self._on_unreachable = sender, clock, on_unreachable
        self._pauses_s, self._chat_timeout_s = pauses_s, chat_timeout_s
        self._notice = ""
        self._informed_s: dict[str, float] = {}  # when each member was informed, by username
        self._left: set[str] = set()  # informed members who left less than ``REPEAT_S`` ago
        self._pending: dict[str, None] = {}  # members still to be informed, in order
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def set_notice(self, notice: str) -> None:
        """Send this text to everybody who joins from now on."""
        self._notice = notice

    def mark_informed(self, usernames: Iterable[str]) -> None:
        """Record that these members have received the notice."""
        for username in usernames:
            self._informed_s[username] = self._clock()
            self._pending.pop(username, None)

    def on_member_joined(self, username: str) -> None:
        """A member joined the chat."""
        self._forget_former_members()
        self._left.discard(username)
        if self._clock() - self._informed_s.get(username, float("-inf")) >= REPEAT_S:
            self._inform(username)

    def on_member_left(self, username: str) -> None:
        """A member left the chat."""
        self._pending.pop(username, None)
        if username in self._informed_s:
            self._left.add(username)
        self._forget_former_members()

    def on_chat_joined(self, usernames: Iterable[str]) -> None:
        """The bot joined the chat, possibly again; inform members who joined while it was away."""
        self._stop_deadline()
        present = set(usernames)
        for username in {*self._informed_s, *self._pending} - present:
            self.on_member_left(username)
        for username in present:
            self._left.discard(username)
            if username not in self._informed_s:
                self._inform(username)

    def on_chat_lost(self) -> None:
        """The connection to the chat was lost, perhaps only for a moment."""
        if self._notice and self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(
                self._chat_timeout_s, self._give_up, "the chat did not come back"
            )

    async def close(self) -> None:
        """Stop sending until somebody joins."""
        self._stop_deadline()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _inform(self, username: str) -> None:
        if not self._notice:
            return
        self._pending[username] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._inform_pending(), name="announcer")

    async def _inform_pending(self) -> None:
        failures = 0
        while self._pending:
            await asyncio.sleep(self._pauses_s[failures])
            batch = list(self._pending)[:_MAX_RECIPIENTS]
            if await self._sender.whisper(self._notice, batch):
                failures = 0
            elif failures < len(self._pauses_s) - 1:
                failures += 1
                continue
            else:
                failures, batch = 0, list(self._pending)
                if not await self._sender.send(self._notice):
                    self._pending.clear()
                    self._give_up("the chat delivers no messages")
                    return
            # Members who left during the delivery are no longer pending.
            self.mark_informed([username for username in batch if username in self._pending])

    def _give_up(self, reason: str) -> None:
        _log.warning("members of the chat may not have been informed about the bot", reason=reason)
        self._on_unreachable()

    def _forget_former_members(self) -> None:
        """Forget members who left and would get the notice again, because ``REPEAT_S`` has passed."""
        for username in [name for name in self._left if self._clock() - self._informed_s[name] >= REPEAT_S]:
            self._left.discard(username)
            del self._informed_s[username]
