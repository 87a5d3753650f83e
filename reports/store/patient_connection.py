"""A psycopg connection that gives up waiting for a server that does not answer."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from reports.store.postgresql import Patience

_Result = TypeVar("_Result")


class _PatientConnection(psycopg.Connection[Any]):
    """Every wait for the server ends after ``patience.wait_s`` seconds; the connection is then closed."""

    patience: Patience | None = None

    def wait(self, gen: Generator[Any, Any, _Result], *args: Any, **kwargs: Any) -> _Result:
        return super().wait(self._limited(gen), *args, **kwargs)

    def _limited(self, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        """Pass everything on. psycopg resumes a generator several times a second, without data if need be."""
        began = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.patience and time.monotonic() - began > self.patience.wait_s:
                    self.pgconn.finish()  # the answer, should it ever come, belongs to no statement
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def connect(patience: Patience, *args: Any, **kwargs: Any) -> _PatientConnection:
    """Connect as psycopg does; the time of connecting has its own limit, ``connect_timeout``."""
    connection = _PatientConnection.connect(*args, **kwargs)
    connection.patience = patience
    return connection
