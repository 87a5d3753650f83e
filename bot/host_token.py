"""The host token: who has it may see the classes.

Comes from: the environment, a private configuration file, or a file of mode 600 made at first start.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import Final

from bot.config import ConfigError, WebSettings

_LEAST: Final = 16


def host_token(settings: WebSettings) -> str:
    """The token in force; made and written to ``web.token_file`` if there is none yet.

    Raises:
        ConfigError: the token is too short, or its file is readable by others or cannot be used.
    """
    if settings.token is not None:
        token = settings.token.get_secret_value()
        if len(token) < _LEAST:
            raise ConfigError(f"web.token has fewer than {_LEAST} characters: choose a longer one")
        return token
    path = settings.token_file
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"others can read the host token in {path}: chmod 600 {path}") from None
        token = path.read_text(encoding="utf-8").strip()
        if len(token) < _LEAST:
            raise ConfigError(f"{path} holds no usable host token: delete it, a new one is made") from None
        return token
    except OSError as exc:
        raise ConfigError(
            f"the host token cannot be written to {path} ({exc.strerror}): set web.token_file"
        ) from exc
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token
