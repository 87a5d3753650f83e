"""The file of a SQLite database: that it stays in place, and that no other user can read it."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path

import structlog

from reports.store.errors import StoreError

_log = structlog.get_logger()


class DatabaseFile:
    """The file of an open SQLite database.

    SQLite goes on writing to a file that was deleted, and everything written is lost when it is closed.
    """

    def __init__(self, name: str) -> None:
        """Remember which file it is; it exists."""
        self._name = name
        self._identity = self._read_identity()

    def is_in_place(self) -> bool:
        """Whether the name still leads to the same file. Takes microseconds."""
        return self._read_identity() == self._identity

    def _read_identity(self) -> tuple[int, int] | None:
        try:
            found = Path(self._name).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def close_to_others(path: Path) -> None:
    """Make the files of a database readable and writable by their owner only.

    Raises:
        StoreError: they belong to another user and are open to more users.
    """
    for file in open_to_others(path):
        try:
            file.chmod(0o600)
        except PermissionError as exc:
            raise StoreError(
                f"run `chmod 600 {file}` as its owner: other users can read the database"
            ) from exc
        _log.warning("the database was open to other users: its mode is 600 now", file=file.name)


def open_to_others(path: Path) -> list[Path]:
    """The files of a database that users other than their owner can read or write."""
    found = []
    for suffix in ("", "-wal", "-shm", "-journal", ".lock"):
        file = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                found.append(file)
    return found
