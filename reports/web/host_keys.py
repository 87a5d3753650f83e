"""What gives a host access: the host token, links that work once, and the cookies of signed-in browsers.

Only the SHA-256 hash of a secret is stored. Every secret is long and random, so its hash reveals nothing.
Storage is pluggable (``KeyStore``): a file (``reports.web.key_file``) or memory.
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
"""How long a browser stays signed in, seconds."""

_MAX_ENTRIES: Final = 100
"""Limit of stored links, and of stored cookies; beyond it the oldest are dropped."""

_CACHE_S: Final = 1.0
"""How long keys are cached. A rotation by another process takes effect within this time."""


class HostKeysError(Exception):
    """The keys cannot be read or written; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Hashes of every secret that gives a host access.

    Attributes:
        token: Hash of the host token.
        links: Hashes of unopened links, each with its expiry, seconds since the epoch.
        cookies: Hashes of the cookies of signed-in browsers, each with its expiry.
    """

    token: str
    links: Mapping[str, float] = field(default_factory=dict)
    cookies: Mapping[str, float] = field(default_factory=dict)

    def with_link(self, code: str, now: float, lifetime_s: float = LINK_S) -> Keys:
        """These keys, with one more link."""
        return replace(self, links=_added(self.links, hash_secret(code), now, lifetime_s))

    def with_link_spent(self, code: str, cookie: str, now: float) -> Keys | None:
        """These keys with a cookie in place of the link; None if the link is unknown or expired."""
        if not _is_valid(self.links, code, now):
            return None
        links = {link: expiry for link, expiry in self.links.items() if link != hash_secret(code)}
        return replace(self, links=links, cookies=_added(self.cookies, hash_secret(cookie), now, COOKIE_S))


class KeyStore(Protocol):
    """Stores the keys. Both methods may block.

    Raises:
        HostKeysError: the keys cannot be read or written.
    """

    def read(self) -> Keys:
        """The keys as they are now."""
        ...

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Replace the keys by ``change(keys)`` atomically, also across processes; returns the new keys."""
        ...


class MemoryKeyStore:
    """Keys that end with the process."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def read(self) -> Keys:
        return self._keys

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        self._keys = change(self._keys)
        return self._keys


class HostKeys:
    """Checks and issues host tokens, links and cookies.

    Args:
        store: Stores the keys.
        now: The wall clock, seconds since the epoch.
    """

    def __init__(self, store: KeyStore, now: Callable[[], float] = time.time) -> None:
        self._store, self._now = store, now
        self._cached: Keys | None = None
        self._cached_at_s = float("-inf")
        # One store access at a time: otherwise keys that were read before a change could replace its result
        # in the cache.
        self._store_lock = asyncio.Lock()

    async def is_valid_token(self, token: str) -> bool:
        """Whether this is the host token, or the code of an unopened link.

        Anyone who has an unopened link could exchange it for a cookie, so accepting its code grants no more.
        """
        keys = await self._current()
        return hmac.compare_digest(hash_secret(token), keys.token) or _is_valid(
            keys.links, token, self._now()
        )

    async def is_valid_cookie(self, cookie: str) -> bool:
        """Whether this is the cookie of a signed-in browser."""
        return _is_valid((await self._current()).cookies, cookie, self._now())

    async def open_link(self, code: str) -> str | None:
        """Spend a link.

        Returns:
            The cookie for the browser that opened it; None if the link is unknown, spent or expired.
        """
        cookie, spent = secrets.token_urlsafe(32), False

        def spend(keys: Keys) -> Keys:
            nonlocal spent
            changed = keys.with_link_spent(code, cookie, self._now())
            spent = changed is not None
            return changed or keys

        await self._change(spend)
        return cookie if spent else None

    async def make_link(self) -> str:
        """Create a link; returns its code."""
        code = secrets.token_urlsafe(32)
        await self._change(lambda keys: keys.with_link(code, self._now()))
        return code

    async def _current(self) -> Keys:
        clock = asyncio.get_running_loop().time
        if self._cached is not None and clock() - self._cached_at_s < _CACHE_S:
            return self._cached
        async with self._store_lock:
            clock_s = clock()
            # Another task may have refreshed the cache while this one waited for the lock.
            if self._cached is None or clock_s - self._cached_at_s >= _CACHE_S:
                self._cached, self._cached_at_s = await asyncio.to_thread(self._store.read), clock_s
            return self._cached

    async def _change(self, change: Callable[[Keys], Keys]) -> None:
        async with self._store_lock:
            clock_s = asyncio.get_running_loop().time()
            self._cached, self._cached_at_s = await asyncio.to_thread(self._store.change, change), clock_s


def hash_secret(secret: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _is_valid(expiries: Mapping[str, float], secret: str, now: float) -> bool:
    return expiries.get(hash_secret(secret), 0.0) > now


def _added(expiries: Mapping[str, float], new: str, now: float, lifetime_s: float) -> dict[str, float]:
    unexpired = {old: expiry for old, expiry in expiries.items() if expiry > now}
    return dict([*unexpired.items(), (new, now + lifetime_s)][-_MAX_ENTRIES:])
