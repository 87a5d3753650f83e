"""Setup of the embedded room: a web server with its routes, and a student with a synthetic camera."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bot.rooms.registry import RoomAdapter
from tests.cameras import Sender


class RoomSetup:
    """The student joins and leaves with the requests of the student page."""

    secret = ""
    url = "companion:contract-1"
    bad_urls = ("companion:!", "companion:abc", "companion:ABCD?other=1")

    def __init__(self, adapter: RoomAdapter, folder: Path) -> None:
        app = web.Application()
        app.add_routes(adapter.routes())
        self._server = TestServer(app)
        self._client = ClientSession()
        self._sender: Sender | None = None
        self._token = ""

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sender is not None:
            await self._sender.close()
        await self._client.close()
        await self._server.close()

    async def participant_joins(self) -> None:
        self._sender = Sender()
        offer = {
            "sdp": await self._sender.offer(),
            "type": "offer",
            "consent": True,
            "name": "",
            "individual": False,
        }
        answer = await self._post("offer", offer)
        self._token = answer["token"]
        await self._sender.accept(answer["sdp"])

    async def participant_leaves(self) -> None:
        await self._post("leave", {"token": self._token})

    async def _post(self, call: str, body: dict[str, object]) -> dict[str, str]:
        url = self._server.make_url(f"/api/companion/contract-1/{call}")
        async with self._client.post(url, json=body) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, str] = await response.json()
            return answer
