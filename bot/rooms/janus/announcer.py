"""Sees to it that everybody in the chat is told of the bot, also those who come later, several at a time.

Comes in: the notice, who comes into the chat and goes, whether there is a chat. Goes out: the notice,
whispered to those who have not heard it; and word that people come who cannot be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog

_log = structlog.get_logger()

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""How long latecomers are gathered before they are told together, and after each failure, seconds."""

REPEAT_S: Final = 60.0
"""Who goes and comes back within this time is not told again, seconds."""

_MOST_AT_ONCE: Final = 200


class Voice(Protocol):
    """Speaks in the chat."""

    def say(self, text: str) -> Awaitable[bool]:
        """Say something to everyone; whether it was passed on."""
        ...

    def whisper(self, text: str, usernames: list[str]) -> Awaitable[bool]:
        """Say something to some; whether it was passed on."""
        ...


class Announcer:
    """Tells everybody in a chat once.

    A whisper that fails is tried again after ever longer pauses, then the notice is said to everyone once
    more, then those it was for are given up. That, and a chat that was lost and stays away, is told to
    ``on_untold``.
    """

    def __init__(
        self,
        voice: Voice,
        clock: Callable[[], float],
        on_untold: Callable[[], None],
        *,
        chat_patience_s: float,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        """Nobody is told before there is a notice.

        Args:
            voice: Speaks in the chat.
            clock: Monotonic seconds.
            on_untold: Called where people came who cannot be told, or may have come.
            chat_patience_s: How long a lost chat may take to come back.
            pauses_s: How long latecomers are gathered, and the pauses after failures.
        """
        self._voice, self._clock, self._on_untold = voice, clock, on_untold
        self._pauses_s, self._chat_patience_s = pauses_s, chat_patience_s
        self._notice = ""
        self._told_s: dict[str, float] = {}  # who has heard it, and when
        self._left: set[str] = set()  # who of them has gone, for as long as they are not told again
        self._late: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def announce(self, notice: str) -> None:
        """From now on this is what whoever comes is told."""
        self._notice = notice

    def told(self, readers: Iterable[str]) -> None:
        """These have heard it."""
        for username in readers:
            self._told_s[username] = self._clock()
            self._late.pop(username, None)

    def came(self, username: str) -> None:
        """Somebody came into the chat."""
        self._forget()
        self._left.discard(username)
        if self._clock() - self._told_s.get(username, float("-inf")) >= REPEAT_S:
            self._gather(username)

    def gone(self, username: str) -> None:
        """Somebody left the chat."""
        self._late.pop(username, None)
        if username in self._told_s:
            self._left.add(username)
        self._forget()

    def present(self, readers: Iterable[str]) -> None:
        """There is a chat, again perhaps, and these are in it; who came meanwhile has not been told."""
        self._chat_is_back()
        here = set(readers)
        for username in {*self._told_s, *self._late} - here:
            self.gone(username)
        for username in here:
            self._left.discard(username)
            if username not in self._told_s:
                self._gather(username)

    def chat_lost(self) -> None:
        """The chat is gone, for a moment perhaps."""
        if self._notice and self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._chat_patience_s, self._give_up, "the chat stays away")

    async def close(self) -> None:
        """Tell nobody any more, until somebody comes."""
        self._chat_is_back()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _chat_is_back(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _gather(self, username: str) -> None:
        if not self._notice:
            return
        self._late[username] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell_late(), name="janus-announcer")

    async def _tell_late(self) -> None:
        failures = 0
        while self._late:
            await asyncio.sleep(self._pauses_s[failures])
            batch = list(self._late)[:_MOST_AT_ONCE]
            if await self._voice.whisper(self._notice, batch):
                failures = 0
            elif failures < len(self._pauses_s) - 1:
                failures += 1
                continue
            else:
                failures, batch = 0, list(self._late)
                if not await self._voice.say(self._notice):
                    self._late.clear()
                    self._give_up("the chat passes nothing on")
                    return
            self.told([username for username in batch if username in self._late])  # others left meanwhile

    def _give_up(self, reason: str) -> None:
        _log.warning("people may be here who cannot be told of the bot", reason=reason)
        self._on_untold()

    def _forget(self) -> None:
        """Forget who went so long ago that they would be told again."""
        for username in [one for one in self._left if self._clock() - self._told_s[one] >= REPEAT_S]:
            self._left.discard(username)
            del self._told_s[username]
