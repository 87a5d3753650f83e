"""The adapter of the embedded room: opens a room for each class and serves the student page.

Room URLs: ``companion:`` for a new code, ``companion:CODE`` for a given one, with ``?synthetic=1`` if the
students are drawn, and ``?entrance=1`` if the class takes place in another room and the page has only its
buttons.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from bot.rooms.companion.known_students import KnownStudents
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.companion.student_routes import StudentRoutes
from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.registry import RoomContext

_CODE: Final = re.compile(r"[A-Za-z0-9-]{4,32}")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not easily confused; a code of ten has 49 random bits."""

_MAX_USED_CODES: Final = 1000
"""Number of used codes to remember; their classes may have ended."""


class Adapter:
    """Opens embedded rooms and serves their page. Codes are compared without regard to case."""

    scheme = "companion"
    example = "companion:"

    def __init__(self, context: RoomContext) -> None:
        """Start with no rooms."""
        self._settings, self._on_dropped = context.settings, context.on_dropped
        self._open_rooms: dict[str, CompanionRoom] = {}
        self._used_codes: OrderedDict[str, KnownStudents] = OrderedDict()
        self.student_routes = StudentRoutes(
            context.settings,
            self._open_rooms,
            self._used_codes.keys(),
            self._wanted_fps,
            context.erase_stored,
        )

    def open(self, url: str) -> Room:
        """Make a room for ``companion:`` or ``companion:CODE``.

        Raises:
            RoomUrlError: the URL is invalid, or its code is in use.
        """
        code, _, query = url.partition(":")[2].partition("?")
        options = parse_qs(query, keep_blank_values=True)
        synthetic, entrance = (options.pop(name, ["0"]) for name in ("synthetic", "entrance"))
        if options or any(value not in (["0"], ["1"]) for value in (synthetic, entrance)):
            raise RoomUrlError(f"{url!r}: the only option of an embedded room is ?synthetic=1")
        if code and not _CODE.fullmatch(code):
            raise RoomUrlError(f"{url!r}: a code is 4 to 32 letters, digits and dashes: companion:CODE")
        if code.lower() in self._open_rooms:
            raise RoomUrlError(f"{url!r}: the code is in use: end that class first, or choose another code")
        code = code or _new_code()
        known_students = self._used_codes.pop(code.lower(), KnownStudents())
        self._used_codes[code.lower()] = known_students
        if len(self._used_codes) > _MAX_USED_CODES:
            self._used_codes.popitem(last=False)
        return CompanionRoom(
            code,
            self._settings.webrtc,
            self._open_rooms,
            known_students,
            synthetic=synthetic == ["1"],
            receives=self._settings.privacy.analyses_faces,
            entrance=entrance == ["1"],
            wanted_fps=self._wanted_fps,
            on_dropped=self._on_dropped,
        )

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The student page, its files and its API."""
        return self.student_routes.routes()

    @property
    def _wanted_fps(self) -> float:
        """Twice the sampling rate, so that a sampled frame is at most half a sampling interval old."""
        return 2 * self._settings.analysis.samples_per_s


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"
