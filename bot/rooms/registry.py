"""Finds the room adapters and opens rooms by their URLs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from aiohttp import web

from bot import rooms
from bot.config import Settings
from bot.rooms.contract import Erasure, Room, RoomUrlError

_PLATFORM_NAMES: Final = {
    "zoom.us": "Zoom",
    "zoom.com": "Zoom",
    "teams.microsoft.com": "Teams",
    "teams.live.com": "Teams",
    "meet.google.com": "Google Meet",
    "webex.com": "Webex",
}
_CLOSED_PLATFORM: Final = re.compile(
    rf"(?:[a-z]+:)?(?://)?(?:[\w-]+\.)*({'|'.join(map(re.escape, _PLATFORM_NAMES))})(?:[:/?#]|$)",
    re.IGNORECASE,
)
"""A meeting link, with or without its scheme."""

_NOT_ADAPTERS: Final = frozenset({"common", "contract", "registry"})


async def _nothing_stored(_participant_id: str) -> Erasure:
    return Erasure.NOTHING


@dataclass(frozen=True, slots=True)
class RoomContext:
    """What an adapter needs from the application.

    Attributes:
        settings: The settings.
        on_dropped: Called on the event loop with the number of encoded frames dropped from a camera.
        erase_stored: Deletes what is stored about a participant after the class.
    """

    settings: Settings
    on_dropped: Callable[[int], None] = lambda _frames: None
    erase_stored: Callable[[str], Awaitable[Erasure]] = _nothing_stored


class RoomAdapter(Protocol):
    """Makes rooms of one kind.

    Attributes:
        scheme: How room URLs of this kind begin, up to ``:`` or ``+``.
        example: A room URL, for help texts and errors.
    """

    scheme: str
    example: str

    def __init__(self, context: RoomContext) -> None: ...

    def open(self, url: str) -> Room:
        """Return the room of this URL, not yet joined. May read files, so call it in a thread.

        Raises:
            RoomUrlError: the URL is wrong; the text says how to correct it.
        """
        ...

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the adapter's routes that need no host token; most adapters have none."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """An adapter with settings of its own, which ``classmood doctor`` checks."""

    def check(self) -> str:
        """Check the settings and the server that they name; return what was found. Blocks.

        Raises:
            RoomError: what to correct.
        """
        ...


def adapters(context: RoomContext) -> dict[str, RoomAdapter]:
    """Return the adapter of every module or package of ``bot.rooms``, by URL scheme."""
    by_scheme: dict[str, RoomAdapter] = {}
    for module in pkgutil.iter_modules(rooms.__path__):
        if module.name in _NOT_ADAPTERS:
            continue
        adapter: RoomAdapter = importlib.import_module(f"{rooms.__name__}.{module.name}").Adapter(context)
        by_scheme[adapter.scheme] = adapter
    return by_scheme


def open_room(url: str, known: Mapping[str, RoomAdapter]) -> Room:
    """Open the room of a URL.

    Raises:
        RoomUrlError: no adapter has this scheme, or the adapter rejects the URL.
    """
    platform = _CLOSED_PLATFORM.match(url.strip())
    if platform is not None:
        raise RoomUrlError(
            f"leave the room empty and paste the class's student link into the call's chat: "
            f"{_PLATFORM_NAMES[platform[1].lower()]} lets no program like this one into its meetings"
        )
    scheme = url.split(":", 1)[0].split("+", 1)[0].lower()
    if ":" not in url or scheme not in known:
        examples = ", ".join(sorted(adapter.example for adapter in known.values()))
        shown = url.partition("?")[0].rpartition("@")[2]  # the parts cut off may contain a secret
        raise RoomUrlError(f"{shown!r} is not a room URL: give one like {examples}")
    return known[scheme].open(url)
