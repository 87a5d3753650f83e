"""An opened database: one thread writes, a few read, and the event loop waits for none of them.

When a write has returned it is committed and survives a kill of the process. A write that was started and
then cancelled is written too.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from reports.store import ownership
from reports.store.database import (
    display_name,
    locked,
    migrate,
    prove_writable,
    reader_engine,
    require_current,
    resolve,
    wipe_deleted,
    writer_engine,
)
from reports.store.database_file import DatabaseFile
from reports.store.errors import StoreError, translated
from reports.store.postgresql import Patience

_READERS: Final = 3

_CLOSING_S: Final = 1.0
"""How long an answer of a PostgreSQL server is waited for once the database is being closed, seconds."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Threads:
    """Threads, and the engine whose connections they use."""

    engine: Engine
    pool: ThreadPoolExecutor


class OpenedDatabase:
    """A database with its threads; ``open`` and ``open_reading`` create it.

    Attributes:
        owner: The name of this server in the database; None where the database has no other server.
    """

    def __init__(
        self,
        name: str,
        writer: _Threads,
        readers: _Threads,
        resources: ExitStack,
        *,
        file: DatabaseFile | None = None,
        owner: str | None = None,
    ) -> None:
        self._name, self._writer, self._readers = name, writer, readers
        self._resources, self._file, self.owner = resources, file, owner

    @classmethod
    def open(cls, url: str, *, migrating: bool = True) -> Self:
        """Open a database, create it if it does not exist, and bring it to this version's tables.

        Blocks: call it before the event loop runs, or from a thread.

        Args:
            url: SQLAlchemy URL. A SQLite file is locked against any other opener until ``close``.
            migrating: Whether the tables may be changed. Otherwise they must be of this version, unless the
                database is a SQLite file, which no server uses.

        Raises:
            StoreError: the database is in use, newer than this program, not a database, or cannot be
                opened or written.
        """
        target = resolve(url)
        name = display_name(target)
        alone = target.get_backend_name() == "sqlite"
        owner = None if alone else secrets.token_hex(8)
        patience = Patience()
        with ExitStack() as stack:
            stack.enter_context(locked(target))
            if migrating or alone:
                migrate(target)
            else:
                require_current(target)
            with translated(name):
                writer = writer_engine(target, patience)
                stack.callback(writer.dispose)
                reader = reader_engine(target, _READERS, patience)
                stack.callback(reader.dispose)
                prove_writable(writer)
            if owner is not None:
                stack.callback(_leave, name, writer, owner)
            writing = _Threads(writer, _threads(stack, "store-writer", 1))
            reading = _Threads(reader, _threads(stack, "store-reader", _READERS))
            stack.callback(setattr, patience, "wait_s", _CLOSING_S)
            file = DatabaseFile(name) if alone else None
            opened = cls(name, writing, reading, stack, file=file, owner=owner)
            opened._renew()
            opened._resources = stack.pop_all()
        return opened

    @classmethod
    @contextmanager
    def open_reading(cls, url: str) -> Iterator[Self]:
        """Open a database for reading only, even while a server writes to it; writing raises.

        Raises:
            StoreError: the database does not exist, is of another version, or cannot be read.
        """
        target = resolve(url)
        require_current(target)
        with ExitStack() as stack:
            engine = reader_engine(target, _READERS)
            stack.callback(engine.dispose)
            readers = _Threads(engine, _threads(stack, "store-reader", _READERS))
            yield cls(display_name(target), readers, readers, stack)

    def trouble(self) -> str | None:
        """Why no write can last, in one line: the database file was deleted or replaced; None otherwise.

        Reads the file system: call it in a thread.
        """
        if self._file is None or self._file.is_in_place():
            return None
        return f"{self._name}: stop the server and restore a backup: the file was deleted or replaced"

    async def renew(self) -> bool:
        """Say to other servers that this one is at work; False if they took it for lost meanwhile.

        Raises:
            StoreError: the database accepts no write at present.
        """
        return await self._submit(self._writer.pool, self._renew)

    def close(self) -> None:
        """Wait for pending writes and release the database. May be called more than once."""
        self._resources.close()

    def _renew(self) -> bool:
        owner = self.owner
        if owner is None:
            if (trouble := self.trouble()) is not None:
                raise StoreError(trouble)
            return True
        return self._run(
            self._writer.engine, lambda session: ownership.renew(session, owner, socket.gethostname())
        )

    async def _write(self, work: Callable[[Session], _Result], *, wipe: bool = False) -> _Result:
        def job() -> _Result:
            if (trouble := self.trouble()) is not None:
                raise StoreError(trouble)
            result = self._run(self._writer.engine, work)
            if wipe:
                with translated(self._name):
                    wipe_deleted(self._writer.engine)
            return result

        # Shielded: a cancelled caller may rely on the write, and cancelling a queued job would lose it.
        return await asyncio.shield(self._submit(self._writer.pool, job))

    async def _read(self, work: Callable[[Session], _Result]) -> _Result:
        return await self._submit(self._readers.pool, lambda: self._run(self._readers.engine, work))

    def _submit(self, threads: ThreadPoolExecutor, job: Callable[[], _Result]) -> asyncio.Future[_Result]:
        try:
            return asyncio.get_running_loop().run_in_executor(threads, job)
        except RuntimeError as exc:
            raise StoreError(f"{self._name}: the store is closed") from exc

    def _run(self, engine: Engine, work: Callable[[Session], _Result]) -> _Result:
        return _run(self._name, engine, work)


def _run(name: str, engine: Engine, work: Callable[[Session], _Result]) -> _Result:
    with translated(name), Session(engine) as session, session.begin():
        return work(session)


def _leave(name: str, writer: Engine, owner: str) -> None:
    """Tell the other servers that this one has ended; without this, they notice it later."""
    with suppress(StoreError):
        _run(name, writer, lambda session: ownership.forget(session, owner))


def _threads(stack: ExitStack, name: str, count: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)
    stack.callback(pool.shutdown)
    return pool
