"""Who is who: a participant keeps the same identifier through lost connections and reloads. Pure.

Janus gives a new feed with each join, and a restarted Janus gives new ones to everybody. Who comes under
the display name of somebody who is away is taken for that person: so nobody counts twice, and who has
opted out stays so after a reload. Of several of the same name one who opted out comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.janus.videoroom import Camera, Feed, Person

MOST_AWAY: Final = 2000
"""Persons who went and are remembered; beyond it the ones away longest are forgotten."""


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
    """

    participant_id: str
    feed: Feed
    display: str | None
    present: bool = True
    opted_out: bool = False
    camera: Camera | None = None


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
            return student, False
        student = self._returning(person)
        if student is None:
            student = Student(self._new_id(), person.feed, person.display)
            self._students.append(student)
        student.feed, student.present, student.camera = person.feed, True, None
        return student, True

    def depart(self, student: Student) -> None:
        """Somebody goes."""
        student.present, student.camera = False, None
        self._students.remove(student)
        self._students.append(student)
        away = [known for known in self._students if not known.present and not known.opted_out]
        for forgotten in away[:-MOST_AWAY]:
            self._students.remove(forgotten)

    def called(self, *names: str | None) -> list[Student]:
        """Everybody in the room under one of these display names."""
        wanted = {name.strip().casefold() for name in names if name and name.strip()}
        return [known for known in self.present if known.display and known.display.casefold() in wanted]

    def _returning(self, person: Person) -> Student | None:
        """Who of those away this is, if anybody; without a name only the feed can tell."""
        away = [
            (known.feed == person.feed, known.opted_out, order, known)
            for order, known in enumerate(self._students)
            if not known.present and known.display == person.display
        ]
        likely = [entry for entry in away if entry[0] or person.display is not None]
        return max(likely, key=lambda entry: entry[:3])[3] if likely else None
