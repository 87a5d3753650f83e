"""What lets a host in: the token of programs, links that work once, and the cookies they are changed for.

Comes in: secrets as visitors present them. Goes out: whether they fit, and new ones. Of every secret only
its SHA-256 digest is held: all are random and long, so that the digest tells nobody the secret. Where
the digests lie is the shelf's business: a file (``bot.host_token``) or memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

LINK_S: Final = 24 * 3600.0
"""How long a link can be opened, seconds."""

COOKIE_S: Final = 30 * 24 * 3600.0
"""How long a browser stays let in, seconds."""

_MOST: Final = 100
"""Links, and cookies, held at a time; the oldest go first."""

_FRESH_S: Final = 1.0
"""How old what was read from the shelf may be: a rotation by another process takes that long to hold."""


class HostKeysError(Exception):
    """The keys cannot be read or written; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Digests of everything that lets a host in.

    Attributes:
        token: Of the token of programs.
        links: Of links not opened yet, with the time each ceases, seconds since the epoch.
        cookies: Of browsers let in, likewise.
    """

    token: str
    links: Mapping[str, float] = field(default_factory=dict)
    cookies: Mapping[str, float] = field(default_factory=dict)

    def with_link(self, code: str, now: float, lasts_s: float = LINK_S) -> Keys:
        """These and one more link."""
        return replace(self, links=_added(self.links, digest(code), now, lasts_s))

    def changed_for_cookie(self, code: str, cookie: str, now: float) -> Keys | None:
        """These with the link spent and a cookie in its place; None if the link does not work."""
        if not _holds(self.links, code, now):
            return None
        links = {held: until for held, until in self.links.items() if held != digest(code)}
        return replace(self, links=links, cookies=_added(self.cookies, digest(cookie), now, COOKIE_S))


class KeyStore(Protocol):
    """Where the keys lie. Both methods may block.

    Raises:
        HostKeysError: they cannot be read or written.
    """

    def read(self) -> Keys:
        """The keys as they are now."""
        ...

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Put changed keys in the place of those there, with nobody in between; the new ones."""
        ...


class MemoryKeyStore:
    """Keys that are gone with the process."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def read(self) -> Keys:
        return self._keys

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        self._keys = change(self._keys)
        return self._keys


class HostKeys:
    """Checks and gives out what lets a host in.

    Args:
        shelf: Where the keys lie.
        now: The wall clock, seconds since the epoch.
    """

    def __init__(self, shelf: KeyStore, now: Callable[[], float] = time.time) -> None:
        self._shelf, self._now = shelf, now
        self._read: Keys | None = None
        self._read_s = float("-inf")
        self._at_the_shelf = asyncio.Lock()  # what was read before a change must not replace the change

    async def token_fits(self, given: str) -> bool:
        """Whether this is the token of programs, or the code of a link that nobody has opened yet.

        Such a link can be changed for a cookie by anyone who has it, so this gives away nothing more.
        """
        keys = await self._current()
        return hmac.compare_digest(digest(given), keys.token) or _holds(keys.links, given, self._now())

    async def cookie_fits(self, given: str) -> bool:
        """Whether this is the cookie of a browser that was let in."""
        return _holds((await self._current()).cookies, given, self._now())

    async def open_link(self, code: str) -> str | None:
        """Spend a link: the cookie for the browser that opened it; None if it does not work (any more)."""
        cookie, spent = secrets.token_urlsafe(32), False

        def spend(keys: Keys) -> Keys:
            nonlocal spent
            changed = keys.changed_for_cookie(code, cookie, self._now())
            spent = changed is not None
            return changed or keys

        await self._change(spend)
        return cookie if spent else None

    async def make_link(self) -> str:
        """The code of a fresh link."""
        code = secrets.token_urlsafe(32)
        await self._change(lambda keys: keys.with_link(code, self._now()))
        return code

    async def _current(self) -> Keys:
        clock = asyncio.get_running_loop().time
        if self._read is not None and clock() - self._read_s < _FRESH_S:
            return self._read
        async with self._at_the_shelf:
            clock_s = clock()
            if self._read is None or clock_s - self._read_s >= _FRESH_S:
                self._read, self._read_s = await asyncio.to_thread(self._shelf.read), clock_s
            return self._read

    async def _change(self, change: Callable[[Keys], Keys]) -> None:
        async with self._at_the_shelf:
            clock_s = asyncio.get_running_loop().time()
            self._read, self._read_s = await asyncio.to_thread(self._shelf.change, change), clock_s


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _holds(held: Mapping[str, float], secret: str, now: float) -> bool:
    return held.get(digest(secret), 0.0) > now


def _added(held: Mapping[str, float], new: str, now: float, lasts_s: float) -> dict[str, float]:
    valid = {old: until for old, until in held.items() if until > now}
    return dict([*valid.items(), (new, now + lasts_s)][-_MOST:])
