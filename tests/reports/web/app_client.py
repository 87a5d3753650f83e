"""A test client for the host's application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from reports.store import Store
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys, Keys, MemoryKeyStore, hash_secret

BEARER = {"Authorization": "Bearer token"}
Client = TestClient[web.Request, web.Application]


def memory_keys(token: str) -> HostKeys:
    """Keys in memory that accept this token."""
    return HostKeys(MemoryKeyStore(Keys(hash_secret(token))))


@dataclass
class Host:
    """A running application, with its store and its feed.

    Attributes:
        unready: What /readyz reports; None if the server is ready.
    """

    client: Client
    store: Store
    feed: LiveFeed
    unready: str | None = None

    async def json(self, method: str, path: str, status: int, **kwargs: Any) -> Any:
        async with self.client.request(method, path, headers=BEARER, **kwargs) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def page(self, path: str) -> str:
        async with self.client.get(path, headers=BEARER | {"Accept": "text/html"}) as response:
            assert response.status == 200
            return await response.text()
