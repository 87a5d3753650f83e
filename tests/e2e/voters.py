"""Students of an embedded room who answer when asked and tap, without a browser and without a camera."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp

THINKS_S = 0.3
"""How long the first of them thinks before answering; each of the others thinks a little longer."""


class Voters:
    """A class of students.

    Attributes:
        answers: What each of them answers to the usual question.
    """

    def __init__(self, http: aiohttp.ClientSession, api: str, answers: list[str]) -> None:
        self.answers = answers
        self._http, self._api = http, api
        self._tokens: list[str] = []

    async def join(self) -> None:
        for _ in self.answers:
            answer = await self._post("offer", sdp=None, type=None, consent=True)
            self._tokens.append(str(answer["token"]))

    async def tap(self, kind: str, numbers: Iterable[int]) -> None:
        await asyncio.gather(*(self._post("pulse", token=self._tokens[n], kind=kind) for n in numbers))

    async def listen(self) -> None:
        """Answer every question, and stay in the class; until cancelled."""
        await asyncio.gather(*(self._listen(number) for number in range(len(self.answers))))

    async def _listen(self, number: int) -> None:
        known = ""
        while True:
            reply = await self._post("wait", token=self._tokens[number], known=known)
            question = reply["question"]
            known = "" if question is None else question["id"]
            if question is not None:
                await asyncio.sleep(THINKS_S + 0.1 * number)
                await self._post(
                    "answer", token=self._tokens[number], ask_id=known, answer=self.answers[number]
                )

    async def _post(self, path: str, **fields: object) -> dict[str, dict[str, str] | None]:
        async with self._http.post(f"{self._api}/{path}", json=fields) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, dict[str, str] | None] = await response.json()
            return answer


@asynccontextmanager
async def voters(url: str, code: str, answers: list[str]) -> AsyncIterator[Voters]:
    """Join a class with one student for each answer; they answer until the context ends."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        students = Voters(http, f"{url}/api/companion/{code}", answers)
        await students.join()
        listening = asyncio.create_task(students.listen())
        try:
            yield students
        finally:
            listening.cancel()
            await asyncio.wait([listening])
