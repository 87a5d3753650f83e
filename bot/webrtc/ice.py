"""ICE that leaves nothing behind when it is closed while it is still connecting.

Stands in for aioice's ``Connection``, for every connection of aiortc's in this process (``setup``).
"""

from __future__ import annotations

from aioice import Connection


class ClosingConnection(Connection):
    """An ICE connection; closing it at any moment ends all its tasks.

    aioice 0.13 begins a task that looks after the other side when ``connect`` is through. If ``close`` comes
    just before ``connect`` learns of its success, the task begins after it and runs as long as the program.
    """

    async def connect(self) -> None:
        """Connect.

        Raises:
            ConnectionError: no way was found, or the connection was closed meanwhile.
        """
        await super().connect()
        if self._closing and self._query_consent_task is not None:
            self._query_consent_task.cancel()
            raise ConnectionError("closed while connecting")
