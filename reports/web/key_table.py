"""The key store in a database that several servers share, so that a link or a cookie is valid on each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sqlalchemy.orm import Session

from reports.store.database import display_name, require_current, resolve, writer_engine
from reports.store.errors import StoreError, StoreRefused, translated
from reports.store.postgresql import Patience
from reports.store.tables import HostKeysRow
from reports.web.host_keys import HostKeysError, Keys, hash_secret

_ONLY_ROW: Final = 1


class KeyTable:
    """A ``KeyStore`` in a database; every method blocks.

    Args:
        url: The database, as in ``store.url``.

    Raises:
        StoreError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = resolve(url)
        with translated(display_name(self._url)):
            self._engine = writer_engine(self._url, Patience())

    def create(self) -> str | None:
        """Store a new host token, unless there is one.

        Returns:
            The token, which also works once as a link; None if there was one.

        Raises:
            HostKeysError: the database cannot be used, or has not this version's tables.
        """
        token, keys = _new_token()
        with _as_keys_error():
            require_current(self._url)
            with self._session() as session:
                if session.get(HostKeysRow, _ONLY_ROW) is not None:
                    return None
            with suppress(StoreRefused), self._session() as session:  # another server was faster
                session.add(_row(keys))
                session.flush()
                return token
        return None

    def rotate(self) -> str:
        """Replace the host token; every link and cookie stops working.

        Returns:
            The new token, which also works once as a link.

        Raises:
            HostKeysError: the database cannot be used.
        """
        token, keys = _new_token()
        with _as_keys_error():
            require_current(self._url)
            with self._session() as session:
                session.merge(_row(keys))
        return token

    def exists(self) -> bool:
        """Whether there is a host token.

        Raises:
            HostKeysError: the database cannot be used.
        """
        with _as_keys_error(), self._session() as session:
            return session.get(HostKeysRow, _ONLY_ROW) is not None

    def read(self) -> Keys:
        """See ``KeyStore``."""
        with _as_keys_error(), self._session() as session:
            return _keys(session.get(HostKeysRow, _ONLY_ROW))

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """See ``KeyStore``."""
        with _as_keys_error(), self._session() as session:
            keys = _keys(session.get(HostKeysRow, _ONLY_ROW, with_for_update=True))
            changed = change(keys)
            if changed != keys:
                session.merge(_row(changed))
            return changed

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with translated(display_name(self._url)), Session(self._engine) as session, session.begin():
            yield session


def _new_token() -> tuple[str, Keys]:
    token = secrets.token_urlsafe(32)
    return token, Keys(hash_secret(token)).with_link(token, time.time())


def _row(keys: Keys) -> HostKeysRow:
    return HostKeysRow(id=_ONLY_ROW, token=keys.token, links=dict(keys.links), cookies=dict(keys.cookies))


def _keys(row: HostKeysRow | None) -> Keys:
    if row is None:
        raise HostKeysError("start ClassMood again to create a new host token: the database has none")
    return Keys(row.token, row.links, row.cookies)


@contextmanager
def _as_keys_error() -> Iterator[None]:
    try:
        yield
    except StoreError as exc:
        raise HostKeysError(str(exc)) from exc
