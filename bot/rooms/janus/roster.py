"""Who is who: a participant keeps the same identifier through lost connections and reloads. Pure.

Janus gives a new feed with each join, and a restarted Janus gives new ones to everybody. Who comes under
the display name of somebody who is away is taken for that person: so nobody counts twice, and who has
opted out stays so after a reload. Of several of the same name one who opted out comes first. Names somebody
had before count as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms.janus.videoroom import Camera, Feed, Person

MOST_AWAY: Final = 2000
"""Persons who went and are remembered; beyond it the ones away longest are forgotten."""


_MOST_FORMER_NAMES: Final = 8


@dataclass(slots=True, eq=False)
class Student:
    """What a room holds of a participant while the class lasts.

    Attributes:
        participant_id: Random, for this class only.
        feed: Janus' identifier, the last one.
        display: The name they gave.
        present: Whether they are in the room.
        opted_out: Whether they want no analysis.
        camera: What they publish.
        former: Names they had before, the last few.
        missed: How many calls of the roll in a row they were missing from.
    """

    participant_id: str
    feed: Feed
    display: str | None
    present: bool = True
    opted_out: bool = False
    camera: Camera | None = None
    former: tuple[str | None, ...] = ()
    missed: int = 0

    def goes_by(self, display: str | None) -> bool:
        """Whether this is or was their name."""
        return display == self.display or display in self.former


class Roster:
    """Everybody who is or was in the room."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Nobody yet; ``new_id`` gives identifiers."""
        self._new_id = new_id
        self._students: list[Student] = []  # who left last is last among those away

    @property
    def present(self) -> list[Student]:
        """Everybody in the room."""
        return [student for student in self._students if student.present]

    def find(self, feed: Feed) -> Student | None:
        """Somebody in the room."""
        return next((student for student in self.present if student.feed == feed), None)

    def arrive(self, person: Person) -> tuple[Student, bool]:
        """Take somebody in; also whether they were not in the room before."""
        student = self.find(person.feed)
        if student is not None:
            if person.display is not None:
                self.rename(student, person.display)
            return student, False
        student = self._returning(person)
        if student is None:
            student = Student(self._new_id(), person.feed, person.display)
            self._students.append(student)
        student.feed, student.present, student.camera, student.missed = person.feed, True, None, 0
        self.rename(student, person.display)
        return student, True

    def rename(self, student: Student, display: str | None) -> None:
        """Somebody goes by another name."""
        if display != student.display:
            names = dict.fromkeys((student.display, *student.former))
            student.former = tuple(name for name in names if name != display)[:_MOST_FORMER_NAMES]
            student.display = display

    def depart(self, student: Student) -> None:
        """Somebody goes."""
        student.present, student.camera = False, None
        self._students.remove(student)
        self._students.append(student)
        away = [known for known in self._students if not known.present and not known.opted_out]
        for forgotten in away[:-MOST_AWAY]:
            self._students.remove(forgotten)

    def called(self, *names: str | None) -> list[Student]:
        """Everybody in the room under one of these display names, however they are spelled."""
        wanted = {_spelled(name) for name in names if name} - {""}
        return [known for known in self.present if known.display and _spelled(known.display) in wanted]

    def _returning(self, person: Person) -> Student | None:
        """Who of those away this is, if anybody; without a name only the feed can tell."""
        away = [
            (known.feed == person.feed, known.opted_out, known.display == person.display, order, known)
            for order, known in enumerate(self._students)
            if not known.present and known.goes_by(person.display)
        ]
        likely = [entry for entry in away if entry[0] or person.display is not None]
        return max(likely, key=lambda entry: entry[:4])[4] if likely else None


def _spelled(name: str) -> str:
    """What is left of a name where capitals, widths and spaces make no difference."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
