"""Who in the chat has been told of the bot, and telling those who come later, several at a time.

Comes in: who comes into the chat, who was there. Goes out: the notice, whispered to those who have not
heard it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

GATHER_S: Final = 1.0
"""How long latecomers are gathered before they are told together, seconds."""

REPEAT_S: Final = 60.0
"""Who goes and comes back within this time is not told again, seconds."""

_MOST_AT_ONCE: Final = 200
_MOST_REMEMBERED: Final = 5000


class Announcer:
    """Tells everybody in a chat once."""

    def __init__(
        self,
        whisper: Callable[[str, list[str]], Awaitable[bool]],
        clock: Callable[[], float],
        gather_s: float = GATHER_S,
    ) -> None:
        """Nobody is told before there is a notice.

        Args:
            whisper: Says a text to some usernames; whether it was passed on.
            clock: Monotonic seconds.
            gather_s: How long latecomers are gathered.
        """
        self._whisper, self._clock, self._gather_s = whisper, clock, gather_s
        self._notice = ""
        self._told_s: dict[str, float] = {}
        self._late: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def announced(self, notice: str, readers: Iterable[str]) -> None:
        """Everybody in the chat has been told."""
        self._notice = notice
        self._remember(readers)

    def came(self, username: str) -> None:
        """Somebody came into the chat."""
        if self._clock() - self._told_s.get(username, float("-inf")) >= REPEAT_S:
            self._gather(username)

    def present(self, readers: Iterable[str]) -> None:
        """These were in the chat when the bot came back into it; who came meanwhile has not been told."""
        for username in readers:
            if username not in self._told_s:
                self._gather(username)

    async def close(self) -> None:
        """Tell nobody any more, until somebody comes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _gather(self, username: str) -> None:
        if not self._notice:
            return
        self._late[username] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell_late(), name="janus-announcer")

    async def _tell_late(self) -> None:
        while self._late:
            await asyncio.sleep(self._gather_s)
            batch = list(self._late)[:_MOST_AT_ONCE]
            if await self._whisper(self._notice, batch):
                self._remember(batch)
                for username in batch:
                    self._late.pop(username, None)

    def _remember(self, readers: Iterable[str]) -> None:
        for username in readers:
            self._told_s.pop(username, None)
            self._told_s[username] = self._clock()
        for username in list(self._told_s)[: -_MOST_REMEMBERED or None]:
            del self._told_s[username]
