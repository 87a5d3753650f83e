"""A network of its own for a server on this machine, on a cable that can be pulled.

Comes in: nothing. Goes out: an address, and words to put before a command that is to run there. It is a
network namespace of Linux; that takes root and the command ``ip``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from types import TracebackType
from typing import Final, Self

_NET: Final = "10.214.117"


class NoFarNetwork(Exception):
    """There cannot be one; the text is one line that says why."""


class FarNetwork:
    """``async with`` makes it and takes it away.

    Attributes:
        host: Its address.
        prefix: Words before a command that is to run in it.
    """

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._name = f"classmood{os.getpid()}"
        self._near = f"cm{os.getpid()}"[:15]
        self.host = f"{_NET}.2"
        self.prefix = ("ip", "netns", "exec", self._name)

    async def __aenter__(self) -> Self:
        """Make it.

        Raises:
            NoFarNetwork: the system does not allow it.
        """
        if shutil.which("ip") is None or os.geteuid() != 0:
            raise NoFarNetwork("a network that can be cut takes root and the command ip")
        try:
            await _ip("netns", "add", self._name)
            await _ip("link", "add", self._near, "type", "veth", "peer", "far0", "netns", self._name)
            await _ip("addr", "add", f"{_NET}.1/24", "dev", self._near)
            await _ip("link", "set", self._near, "up")
            await self._far("addr", "add", f"{self.host}/24", "dev", "far0")
            await self._far("link", "set", "lo", "up")
            await self.plug()
        except NoFarNetwork:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away, with the cable."""
        for words in (("link", "del", self._near), ("netns", "del", self._name)):
            process = await asyncio.create_subprocess_exec("ip", *words, stderr=asyncio.subprocess.DEVNULL)
            await process.wait()

    async def pull(self) -> None:
        """Pull the cable: what is sent gets lost, and nobody is told."""
        await self._far("link", "set", "far0", "down")

    async def plug(self) -> None:
        """Put the cable in again."""
        await self._far("link", "set", "far0", "up")

    async def _far(self, *words: str) -> None:
        await _ip("-n", self._name, *words)


async def _ip(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *words, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise NoFarNetwork(f"ip {' '.join(words)}: {said.decode(errors='replace').strip()}")
