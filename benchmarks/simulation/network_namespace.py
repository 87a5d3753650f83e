"""A separate network on this machine whose connection can be cut, to run a server in.

It is a network namespace of Linux, which needs root and the command ``ip``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from types import TracebackType
from typing import Final, Self

_NET: Final = "10.214.117"


class NoNetworkNamespace(Exception):
    """The namespace cannot be created; the text is one line that says why."""


class NetworkNamespace:
    """A network namespace; ``async with`` creates and removes it.

    Attributes:
        host: Address of the namespace.
        prefix: Start of the command line of a program that runs in the namespace.
    """

    def __init__(self) -> None:
        """Choose the names; nothing is created yet."""
        self._name = f"classmood{os.getpid()}"
        self._near_end = f"cm{os.getpid()}"[:15]
        self.host = f"{_NET}.2"
        self.prefix = ("ip", "netns", "exec", self._name)

    async def __aenter__(self) -> Self:
        """Create and connect the namespace.

        Raises:
            NoNetworkNamespace: the system does not allow it.
        """
        if shutil.which("ip") is None or os.geteuid() != 0:
            raise NoNetworkNamespace("run as root and install the command ip: cutting a network needs both")
        try:
            await _ip("netns", "add", self._name)
            await _ip("link", "add", self._near_end, "type", "veth", "peer", "far0", "netns", self._name)
            await _ip("addr", "add", f"{_NET}.1/24", "dev", self._near_end)
            await _ip("link", "set", self._near_end, "up")
            await self._ip_inside("addr", "add", f"{self.host}/24", "dev", "far0")
            await self._ip_inside("link", "set", "lo", "up")
            await self.connect()
        except NoNetworkNamespace:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the namespace and its virtual cable."""
        for arguments in (("link", "del", self._near_end), ("netns", "del", self._name)):
            process = await asyncio.create_subprocess_exec(
                "ip", *arguments, stderr=asyncio.subprocess.DEVNULL
            )
            await process.wait()

    async def disconnect(self) -> None:
        """Cut the connection: packets are lost without an error."""
        await self._ip_inside("link", "set", "far0", "down")

    async def connect(self) -> None:
        """Restore the connection."""
        await self._ip_inside("link", "set", "far0", "up")

    async def _ip_inside(self, *arguments: str) -> None:
        await _ip("-n", self._name, *arguments)


async def _ip(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *arguments, stderr=asyncio.subprocess.PIPE)
    _, error = await process.communicate()
    if process.returncode:
        raise NoNetworkNamespace(f"ip {' '.join(arguments)}: {error.decode(errors='replace').strip()}")
