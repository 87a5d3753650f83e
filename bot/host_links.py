"""Creates host links and the host token, when the server starts and for ``classmood token``.

Their hashes are stored in ``web.token_file``, in the database if several servers may share it, or, if
``web.token`` is set, in the server's memory only.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Final
from urllib.request import ProxyHandler, Request, build_opener

from bot.config import ConfigError, Settings, WebSettings
from reports.web.host_keys import HostKeys, HostKeysError, Keys, MemoryKeyStore, hash_secret
from reports.web.key_file import MIN_TOKEN_CHARS, KeyFile
from reports.web.key_table import KeyTable

_SERVER_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class HostAccess:
    """The host keys, and the secrets that the server prints when it starts.

    Attributes:
        keys: Checks every request for the host's pages.
        code: Code of an unopened link.
        token: The host token if it was just created; it cannot be shown again.
    """

    keys: HostKeys
    code: str
    token: str | None = None


def key_store(settings: Settings) -> KeyFile | KeyTable:
    """Where the keys are stored unless ``web.token`` is set.

    Raises:
        StoreError: ``store.url`` cannot be used.
    """
    if settings.store.is_file:
        return KeyFile(settings.web.token_file)
    return KeyTable(settings.store.url)


def open_host_access(settings: WebSettings, store: KeyFile | KeyTable) -> HostAccess:
    """Load the host keys and create a link; a host token is created if there is none.

    Raises:
        ConfigError: the token is too short, or its file is readable by others or cannot be used.
    """
    configured = configured_token(settings)
    code = secrets.token_urlsafe(32)
    if configured is not None:
        now = time.time()
        # The configured token also works once as a link: whoever set it may not see what the server prints.
        keys = Keys(hash_secret(configured)).with_link(configured, now, lifetime_s=float("inf"))
        return HostAccess(HostKeys(MemoryKeyStore(keys.with_link(code, now))), code)
    try:
        token = store.create()
        if token is not None:
            return HostAccess(HostKeys(store), token, token)
        store.change(lambda keys: keys.with_link(code, time.time()))
    except HostKeysError as exc:
        raise ConfigError(str(exc)) from exc
    return HostAccess(HostKeys(store), code)


def configured_token(settings: WebSettings) -> str | None:
    """``web.token``, if it is set.

    Raises:
        ConfigError: it is too short.
    """
    if settings.token is None:
        return None
    token = settings.token.get_secret_value()
    if len(token) < MIN_TOKEN_CHARS:
        raise ConfigError(f"choose a longer web.token: it has fewer than {MIN_TOKEN_CHARS} characters")
    return token


def fresh_link(settings: WebSettings, store: KeyFile | KeyTable) -> str:
    """Create a link, which lets one browser in, once. A server that starts later accepts it, too.

    Raises:
        ConfigError: the token cannot be used, or ``web.token`` is set and no server answers.
    """
    token = configured_token(settings)
    code = open_host_access(settings, store).code if token is None else _code_from_server(settings, token)
    return _link(settings, code)


def rotate_token(settings: WebSettings, store: KeyFile | KeyTable) -> tuple[str, str]:
    """Replace the host token: the old token, every cookie and every link stop working.

    Returns:
        The new token and a link.

    Raises:
        ConfigError: ``web.token`` is set, or the file cannot be written.
    """
    if configured_token(settings) is not None:
        raise ConfigError("change web.token itself and restart the server: --rotate cannot, as it is set")
    try:
        token = store.rotate()
    except HostKeysError as exc:
        raise ConfigError(str(exc)) from exc
    return token, _link(settings, token)


def _link(settings: WebSettings, code: str) -> str:
    return f"{(settings.public_url or settings.local_url()).rstrip('/')}/?token={code}"


def _code_from_server(settings: WebSettings, token: str) -> str:
    """Ask the running server for a link: with ``web.token`` set, links exist only in its memory."""
    address = f"{settings.local_url()}/api/host-links"
    request = Request(address, method="POST", headers={"Authorization": f"Bearer {token}"})
    try:
        # Without the proxy that the environment may name: it would see the token.
        with build_opener(ProxyHandler({})).open(request, timeout=_SERVER_TIMEOUT_S) as response:
            return str(json.load(response)["code"])
    except (OSError, ValueError, LookupError) as exc:
        raise ConfigError(
            f"start the server, which prints a link, or name its port with --port: no server with this "
            f"web.token answers at {settings.local_url()}"
        ) from exc
