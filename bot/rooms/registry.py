"""What a room adapter is, how all adapters are found, and how a room is opened by its URL."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from bot import rooms
from bot.config import Settings
from bot.rooms.contract import Room, RoomUrlError

_NOT_ADAPTERS: Final = frozenset({"contract", "registry"})


async def _nothing_kept(_participant_id: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RoomContext:
    """What an adapter is given.

    Attributes:
        settings: The settings.
        on_dropped: Told on the event loop how many encoded pictures of a camera were thrown away.
        erase_kept: Deletes what is kept of a participant after their class; whether anything was.
    """

    settings: Settings
    on_dropped: Callable[[int], None] = lambda _pictures: None
    erase_kept: Callable[[str], Awaitable[bool]] = _nothing_kept


class RoomAdapter(Protocol):
    """Makes rooms of one kind.

    Attributes:
        scheme: What room URLs of this kind begin with, up to ``:`` or ``+``.
        example: A room URL, for help texts and errors.
    """

    scheme: str
    example: str

    def __init__(self, context: RoomContext) -> None: ...

    def open(self, url: str) -> Room:
        """A room for this URL, not yet joined. May look at files: call it from a thread.

        Raises:
            RoomUrlError: the URL is wrong; the text says how it should be.
        """
        ...

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Pages and API the adapter wants served without the host token; mostly none."""
        ...


def adapters(context: RoomContext) -> dict[str, RoomAdapter]:
    """One adapter for every module or package of ``bot.rooms``, by URL scheme."""
    found: dict[str, RoomAdapter] = {}
    for module in pkgutil.iter_modules(rooms.__path__):
        if module.name in _NOT_ADAPTERS:
            continue
        adapter: RoomAdapter = importlib.import_module(f"{rooms.__name__}.{module.name}").Adapter(context)
        found[adapter.scheme] = adapter
    return found


def open_room(url: str, known: Mapping[str, RoomAdapter]) -> Room:
    """The room a URL names.

    Raises:
        RoomUrlError: no adapter knows the URL.
    """
    scheme = url.split(":", 1)[0].split("+", 1)[0].lower()
    if ":" not in url or scheme not in known:
        examples = ", ".join(sorted(adapter.example for adapter in known.values()))
        shown = url.partition("?")[0].rpartition("@")[2]  # what is left out may be a secret
        raise RoomUrlError(f"{shown!r} is no room URL: give one like {examples}")
    return known[scheme].open(url)
