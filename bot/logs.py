"""Sets up logging: structlog on top of the standard library, to standard error, without names or secrets.

Messages are constant; values are passed as keys. The values of keys that could hold a person's name or a
secret are always replaced.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

SECRET_KEYS: Final = frozenset({"name", "names", "display", "username", "token", "pin", "password", "sdp"})
"""Keys whose values are never logged."""

_NOISY: Final = ("aioice", "aiortc", "libav", "alembic", "aiohttp.access")
"""Loggers of libraries; only their errors are logged."""


def set_up_logs(level: str, json_lines: bool) -> None:
    """Send all logs to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        json_lines: One JSON object a line instead of text.
    """
    level_number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        redact_secrets,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if json_lines
        # Plain tracebacks: the rich ones show local variables, which may hold names and tokens.
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level_number)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level_number, logging.ERROR))


def redact_secrets(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key in ``SECRET_KEYS`` (a structlog processor)."""
    for key in SECRET_KEYS & event.keys():
        event[key] = "[withheld]"
    return event
