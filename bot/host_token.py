"""Where the host's keys lie: ``web.token_file``, or memory when ``web.token`` is set.

Comes in: settings. Goes out: ``HostKeys`` and the code of a link to print. The file holds digests only
and has mode 600; it is changed as a whole, under a lock of its folder, so that the server and
``classmood token`` can both do so. The token itself is shown once, when it is made.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from bot.config import ConfigError, WebSettings
from reports.web.host_keys import HostKeys, HostKeysError, Keys, MemoryKeyStore, digest

_LEAST: Final = 16
_DIGEST_CHARS: Final = 64
_ANSWER_S: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Entrance:
    """The way in, as the server prints it at its start.

    Attributes:
        keys: Checks who comes.
        code: Of a link nobody has opened yet.
        token: The token of programs, if it was made just now; it cannot be shown again.
    """

    keys: HostKeys
    code: str
    token: str | None = None


def open_entrance(settings: WebSettings) -> Entrance:
    """The keys in force and a fresh link; made and written to ``web.token_file`` if there are none yet.

    Raises:
        ConfigError: the token is too short, or its file is readable by others or cannot be used.
    """
    configured = configured_token(settings)
    code = secrets.token_urlsafe(32)
    if configured is not None:
        now = time.time()
        keys = Keys(digest(configured)).with_link(configured, now, lasts_s=float("inf")).with_link(code, now)
        return Entrance(HostKeys(MemoryKeyStore(keys)), code)
    shelf = KeyFile(settings.token_file)
    try:
        token = shelf.make()
        if token is not None:
            return Entrance(HostKeys(shelf), token, token)
        shelf.change(lambda keys: keys.with_link(code, time.time()))
    except HostKeysError as exc:
        raise ConfigError(str(exc)) from exc
    return Entrance(HostKeys(shelf), code)


def configured_token(settings: WebSettings) -> str | None:
    """``web.token``, if it is set.

    Raises:
        ConfigError: it is too short.
    """
    if settings.token is None:
        return None
    token = settings.token.get_secret_value()
    if len(token) < _LEAST:
        raise ConfigError(f"web.token has fewer than {_LEAST} characters: choose a longer one")
    return token


def fresh_link(settings: WebSettings) -> str:
    """A link that lets one browser in, once, to the server that runs or is started next.

    Raises:
        ConfigError: the token cannot be used, or ``web.token`` is set and no server answers.
    """
    token = configured_token(settings)
    code = open_entrance(settings).code if token is None else _ask_server(settings, token)
    return _link(settings, code)


def renew_token(settings: WebSettings) -> tuple[str, str]:
    """A new token and its link; the old token, every cookie and every link cease to work.

    Raises:
        ConfigError: ``web.token`` is set, or the file cannot be written.
    """
    if configured_token(settings) is not None:
        raise ConfigError("web.token is set: change it where it is set and start the server again")
    try:
        token = KeyFile(settings.token_file).rotate()
    except HostKeysError as exc:
        raise ConfigError(str(exc)) from exc
    return token, _link(settings, token)


def _link(settings: WebSettings, code: str) -> str:
    return f"{(settings.public_url or settings.local_url()).rstrip('/')}/?token={code}"


def _ask_server(settings: WebSettings, token: str) -> str:
    """The code of a link of the server that runs: with ``web.token`` set, it alone knows its links."""
    address = f"{settings.local_url()}/api/host-links"
    request = Request(address, method="POST", headers={"Authorization": f"Bearer {token}"})
    try:
        # Not by a proxy the environment names: it would get to see the token.
        with build_opener(ProxyHandler({})).open(request, timeout=_ANSWER_S) as response:
            return str(json.load(response)["code"])
    except (OSError, ValueError, LookupError) as exc:
        raise ConfigError(
            f"no server with this web.token answers at {settings.local_url()}: start it, it prints a link, "
            "or say where it is with --port"
        ) from exc


class KeyFile:
    """The keys in a file of mode 600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> str | None:
        """Make a token and its file if there is none yet; the token, which is also its first link.

        Raises:
            HostKeysError: the file cannot be written.
        """
        with self._held():
            return None if self._path.exists() else self._renew()

    def rotate(self) -> str:
        """A new token in place of the old one: every link and cookie ceases to work.

        Raises:
            HostKeysError: the file cannot be written.
        """
        with self._held():
            return self._renew()

    def read(self) -> Keys:
        """See ``KeyStore``."""
        path = self._path
        try:
            with path.open(encoding="utf-8") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise HostKeysError(f"others can read the host token in {path}: chmod 600 {path}")
                text = file.read()
        except (OSError, UnicodeDecodeError) as exc:
            raise HostKeysError(
                f"the host token's file {path} cannot be read ({exc}): make it readable, or remove it and "
                "start again to have one made"
            ) from exc
        keys = _parse(text)
        if keys is None:
            raise HostKeysError(f"{path} holds no usable host token: delete it, a new one is made")
        return keys

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """See ``KeyStore``."""
        with self._held():
            found = self.read()
            changed = change(found)
            if changed != found or not self._is_of_today():
                self._write(changed)
            return changed

    def _renew(self) -> str:
        token = secrets.token_urlsafe(32)
        self._write(Keys(digest(token)).with_link(token, time.time()))
        return token

    def _is_of_today(self) -> bool:
        """Whether the file holds digests; earlier versions wrote the token itself."""
        return self._path.read_text(encoding="utf-8").startswith("{")

    def _write(self, keys: Keys) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with suppress(FileNotFoundError):
                fresh.unlink()  # of a process that was killed while it wrote
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(keys), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile. The folder is locked: the file itself is replaced."""
        try:
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
            f"the host token cannot be written to {self._path} ({exc.strerror}): set web.token_file"
        )


def _parse(text: str) -> Keys | None:
    """What a file holds; None if it is none of ours."""
    if not text.startswith("{"):
        token = text.strip()
        return Keys(digest(token)) if len(token) >= _LEAST and token.isascii() else None
    try:
        found = json.loads(text)
        keys = Keys(str(found["token"]), _times(found["links"]), _times(found["cookies"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return keys if len(keys.token) == _DIGEST_CHARS else None


def _times(found: Any) -> dict[str, float]:
    return {str(held): float(until) for held, until in found.items()}
