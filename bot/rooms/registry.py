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

_CLOSED_PLATFORMS: Final = {
    "Zoom": r"zoom\.us|zoom\.com|zoomgov\.com|zoom\.com\.cn|zoommtg:|zoomus:",
    "Teams": r"teams\.microsoft\.com|teams\.live\.com|teams\.microsoft\.us|teams\.cloud\.microsoft|msteams:",
    "Google Meet": r"meet\.google\.com|g\.co/meet",
    "Webex": r"webex\.com|webex\.com\.cn|webexteams:|webex:|wbx:",
}
"""Where the meetings of these platforms are: host names, schemes, and the path of a short link."""

_MEETING_LINKS: Final = {
    name: re.compile(
        rf"""(?:^|//|[\s<("'@])(?:[\w-]+\.)*(?:{places})(?:(?<=:)|(?=\.?(?:[:/?#\s>)"']|$)))""", re.I
    )
    for name, places in _CLOSED_PLATFORMS.items()
}
"""A meeting link, with or without its scheme, alone or in the text of an invitation."""

_INSTEAD: Final = (
    "leave the address of the room empty (on the command line, give companion:) and paste the class's "
    "student link into the call's chat"
)

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
    scheme = url.split(":", 1)[0].split("+", 1)[0].lower()
    if ":" in url and scheme in known:
        return known[scheme].open(url)
    for name, link in _MEETING_LINKS.items():
        if link.search(url):
            raise RoomUrlError(f"{_INSTEAD}: ClassMood cannot enter the meetings of {name}")
    examples = ", ".join(sorted(adapter.example for adapter in known.values()))
    shown = url.partition("?")[0].rpartition("@")[2]  # the parts cut off may contain a secret
    if scheme in ("http", "https"):
        raise RoomUrlError(
            f"{_INSTEAD}: {shown!r} is not a room URL, but a web page. A room URL is like {examples}"
        )
    raise RoomUrlError(f"{shown!r} is not a room URL: give one like {examples}")
