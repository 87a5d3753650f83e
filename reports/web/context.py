"""What the handlers of the host's pages and API are given, and how they find it.

Made by ``application.build_app``; read by ``api``, ``stream`` and ``pages``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from reports.store import Store
from reports.summary.classes import ClassInfo
from reports.web.controller import ClassController
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys


@dataclass(frozen=True, slots=True)
class HostContext:
    """Everything a handler may use.

    Attributes:
        store: What is kept.
        controller: Who starts, marks and ends classes.
        feed: What happens now.
        keys: What lets the host in.
        ready: Why the server is not ready to run classes, None when it is.
        model_card: The model's card, if there is one.
        jurisdiction: The privacy profile that is on.
        heartbeat_s: Seconds between signs of life on a quiet stream.
        registry: What /metrics serves.
    """

    store: Store
    controller: ClassController
    feed: LiveFeed
    keys: HostKeys
    ready: Callable[[], str | None]
    model_card: Mapping[str, Any] | None
    jurisdiction: str
    heartbeat_s: float
    registry: CollectorRegistry


CONTEXT: Final = web.AppKey("host_context", HostContext)

CLASS_ID: Final = r"{class_id:[A-Za-z0-9_-]{1,64}}"
"""The variable part of a class's addresses."""


async def find_class(request: web.Request) -> ClassInfo:
    """The class the address names.

    Raises:
        HTTPNotFound: there is none.
    """
    info = await request.app[CONTEXT].store.get_class(request.match_info["class_id"])
    if info is None:
        raise no_such_class()
    return info


def no_such_class() -> web.HTTPNotFound:
    """The error for an unknown class."""
    return web.HTTPNotFound(text="no such class: see the list of classes at / or /api/classes")
