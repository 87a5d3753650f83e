"""The key store in a file of mode 600, which the server and ``classmood token`` may change at the same time.

The file is replaced as a whole, under a lock on its folder. It holds hashes only: the host token itself is
shown once, when it is created.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from reports.web.host_keys import HostKeysError, Keys, hash_secret

MIN_TOKEN_CHARS: Final = 16
"""Shortest host token that is accepted."""

_HASH_CHARS: Final = 64


class KeyFile:
    """A ``KeyStore`` in a file; every method blocks.

    Args:
        path: The file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> str | None:
        """Create the file with a new host token, unless it exists.

        Returns:
            The token, which also works once as a link; None if the file exists.

        Raises:
            HostKeysError: the file cannot be written.
        """
        with self._locked():
            return None if self._path.exists() else self._write_new_token()

    def rotate(self) -> str:
        """Replace the host token; every link and cookie stops working.

        Returns:
            The new token, which also works once as a link.

        Raises:
            HostKeysError: the file cannot be written.
        """
        with self._locked():
            return self._write_new_token()

    def read(self) -> Keys:
        """See ``KeyStore``."""
        path = self._path
        try:
            with path.open(encoding="utf-8") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise HostKeysError(f"run `chmod 600 {path}`: others can read the host token's file")
                text = file.read()
        except (OSError, UnicodeDecodeError) as exc:
            raise HostKeysError(
                f"make {path} readable, or delete it and start ClassMood again to create a new host token: "
                f"the file cannot be read ({exc})"
            ) from exc
        keys = _parse(text)
        if keys is None:
            raise HostKeysError(
                f"delete {path} and start ClassMood again to create a new host token: it contains "
                "no usable token"
            )
        return keys

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """See ``KeyStore``."""
        with self._locked():
            keys = self.read()
            changed = change(keys)
            if changed != keys or not self._holds_hashes():
                self._write(changed)
            return changed

    def _write_new_token(self) -> str:
        token = secrets.token_urlsafe(32)
        self._write(Keys(hash_secret(token)).with_link(token, time.time()))
        return token

    def _holds_hashes(self) -> bool:
        """False for a file of an earlier version, which held the token itself."""
        return self._path.read_text(encoding="utf-8").startswith("{")

    def _write(self, keys: Keys) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            with suppress(FileNotFoundError):
                temporary.unlink()  # left by a process that was killed while it wrote
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(keys), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Prevent other processes from changing the file."""
        try:
            # Lock the folder, not the file: a lock on the file would be lost when the file is replaced.
            folder = os.open(self._path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as exc:
            raise self._unwritable(exc) from exc
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unwritable(self, exc: OSError) -> HostKeysError:
        return HostKeysError(
            f"set web.token_file to a writable path: {self._path} cannot be written ({exc.strerror})"
        )


def _parse(text: str) -> Keys | None:
    """The keys in the text of a file; None if it contains no usable keys."""
    if not text.startswith("{"):  # earlier versions wrote the token itself
        token = text.strip()
        return Keys(hash_secret(token)) if len(token) >= MIN_TOKEN_CHARS and token.isascii() else None
    try:
        fields = json.loads(text)
        keys = Keys(str(fields["token"]), _expiries(fields["links"]), _expiries(fields["cookies"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return keys if len(keys.token) == _HASH_CHARS else None


def _expiries(field: Any) -> dict[str, float]:
    return {str(secret_hash): float(expiry) for secret_hash, expiry in field.items()}
