"""The objects that handlers of the host's pages and API use; ``build_app`` puts them into the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from reports.languages import Language
from reports.store import Store
from reports.summary.classes import ClassInfo
from reports.web.controller import ClassController
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys


@dataclass(frozen=True, slots=True)
class HostContext:
    """Everything a handler may use.

    Attributes:
        store: The database of classes.
        controller: Starts, marks and ends classes.
        feed: The live events of running classes.
        keys: Checks host tokens, links and cookies.
        ready: Returns why no class can be started; None if one can.
        model_card: The model's card, if there is one.
        jurisdiction: The privacy profile of this server.
        language: The language of the host's pages and of the report.
        heartbeat_s: Seconds between heartbeats on a live stream.
        registry: The metrics that /metrics serves.
    """

    store: Store
    controller: ClassController
    feed: LiveFeed
    keys: HostKeys
    ready: Callable[[], str | None]
    model_card: Mapping[str, Any] | None
    jurisdiction: str
    language: Language
    heartbeat_s: float
    registry: CollectorRegistry


CONTEXT: Final = web.AppKey("host_context", HostContext)

CLASS_ID: Final = r"{class_id:[A-Za-z0-9_-]{1,64}}"
"""The part of a route that matches the identifier of a class."""


async def find_class(request: web.Request) -> ClassInfo:
    """The class that the address of a request names.

    Raises:
        HTTPNotFound: there is no such class.
    """
    info = await request.app[CONTEXT].store.get_class(request.match_info["class_id"])
    if info is None:
        raise no_such_class()
    return info


def no_such_class() -> web.HTTPNotFound:
    """The error for an unknown class."""
    return web.HTTPNotFound(text="no such class: see the list of classes at / or /api/classes")
