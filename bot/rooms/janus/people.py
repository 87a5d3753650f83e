"""The people of a class in a VideoRoom, and the reception of their cameras.

Comes in: news of who comes, goes, publishes. Goes out: room events. A stay in the room begins and ends;
whoever is not there when the next one begins has left.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bot.rooms import contract
from bot.rooms.contract import RoomEvent
from bot.rooms.janus.camera import CameraReception, Reception
from bot.rooms.janus.roster import Roster, Student
from bot.rooms.janus.videoroom import (
    Camera,
    Feed,
    Gone,
    Moderated,
    News,
    Person,
    Present,
    Publishes,
    Renamed,
    Unpublished,
    read_name,
)
from bot.tracks import VideoTrack

_MISSED_ROLLS: Final = 2
_MOST_OWN_FEEDS: Final = 100


class People:
    """Everybody in the room but the bot."""

    def __init__(self, tell: Callable[[RoomEvent], None], *, receives: bool) -> None:
        """Nobody yet.

        Args:
            tell: Given each event.
            receives: Whether cameras are received.
        """
        self._tell, self._receives = tell, receives
        self._roster = Roster(lambda: secrets.token_hex(8))
        self._own_feed: Feed | None = None
        self._own_name: str | None = None
        self._own_before: deque[Feed] = deque(maxlen=_MOST_OWN_FEEDS)
        self._reception: Reception | None = None
        self._receptions: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._held = False

    def begin(self, reception: Reception, own_feed: Feed | None, news: list[News]) -> None:
        """A stay begins.

        Args:
            reception: What receiving takes during it.
            own_feed: What Janus calls the bot; the bots of lost stays may be in the room for a while yet.
            news: Who is there.
        """
        self._reception = reception
        if self._own_feed is not None:
            self._own_before.append(self._own_feed)
        self._own_feed, self._own_name = own_feed, read_name(reception.address.name)
        before = self._roster.present
        for student in before:
            student.present = False
        for one in news:
            self.on_news(one)
        for student in before:
            if not student.present:
                self._farewell(student)

    async def end(self) -> None:
        """The stay is over: nothing is received any more."""
        self._reception = None
        for student in self._roster.present:
            self._stop_receiving(student)
            student.camera = None
        if self._ending:
            await asyncio.wait(self._ending)

    def on_news(self, news: News) -> None:
        """Something happened in the room."""
        match news:
            case Publishes(person):
                if (student := self._welcome(person)) is not None:
                    self._set_camera(student, person.camera)
            case Present(person):
                self._welcome(person)
            case Unpublished(feed):
                if (student := self._roster.find(feed)) is not None:
                    self._set_camera(student, None)
            case Moderated(feed, mid, off):
                student = self._roster.find(feed)
                if student is not None and student.camera is not None and student.camera.mid == mid:
                    self._set_camera(student, replace(student.camera, moderated=off))
            case Renamed(feed, display):
                if (student := self._roster.find(feed)) is not None:
                    self._roster.rename(student, display)
            case Gone(feed):
                if (student := self._roster.find(feed)) is not None:
                    self._farewell(student)

    def on_roll(self, here: list[Person], now: set[Feed]) -> None:
        """Who is there, in case Janus did not tell; who is missing from two rolls in a row has left."""
        for person in here:
            self._welcome(person)
        for student in self._roster.present:
            student.missed = 0 if student.feed in now else student.missed + 1
            if student.missed >= _MISSED_ROLLS:
                self._farewell(student)

    def hold(self, held: bool) -> None:
        """Whether to receive nobody who is not received already, for now."""
        self._held = held
        for student in self._roster.present:
            self._receive(student)

    def opt_out(self, *names: str | None) -> int:
        """Leave out everybody under one of these display names; how many there are.

        Of two of one name both are left out: better one too many than one who asked for it.
        """
        meant = self._roster.called(*names)
        for student in meant:
            if not student.opted_out:
                student.opted_out = True
                self._stop_receiving(student)
                self._tell(contract.OptedOut(student.participant_id))
        return len(meant)

    def _welcome(self, person: Person) -> Student | None:
        """Who this is, told if they are new; None for the bot itself."""
        # A restarted server may give a lost bot's feed to somebody else.
        lost_bot = person.feed in self._own_before and person.display == self._own_name
        if person.feed == self._own_feed or lost_bot:
            return None
        student, came = self._roster.arrive(person)
        if came:
            self._tell(contract.Joined(student.participant_id, student.display))
            self._tell(
                contract.Muted(student.participant_id, person.camera is None or person.camera.moderated)
            )
            if student.opted_out:
                self._tell(contract.OptedOut(student.participant_id))
        return student

    def _farewell(self, student: Student) -> None:
        self._stop_receiving(student)
        self._roster.depart(student)
        self._tell(contract.Left(student.participant_id))

    def _set_camera(self, student: Student, camera: Camera | None) -> None:
        """What a student publishes now; the same as before changes nothing."""
        if camera == student.camera:
            return
        self._stop_receiving(student)
        student.camera = camera
        if camera is None or camera.moderated:
            self._tell(contract.Muted(student.participant_id, True))
        elif not camera.decodable:
            self._tell(contract.UnsupportedCodec(student.participant_id, camera.codec))
        else:
            self._tell(contract.Muted(student.participant_id, False))
            self._receive(student)

    def _receive(self, student: Student) -> None:
        """Begin to receive a camera that can and may be, if that has not begun."""
        camera = student.camera
        if camera is None or camera.moderated or not camera.decodable or student.opted_out:
            return
        wanted = self._receives and not self._held and student.participant_id not in self._receptions
        if self._reception is None or not wanted:
            return
        listener = _StudentCamera(student.participant_id, self._tell)
        receiving = CameraReception(self._reception, student.feed, camera, student.participant_id, listener)
        task = asyncio.create_task(receiving.run(), name="janus-camera")
        self._receptions[student.participant_id] = task

    def _stop_receiving(self, student: Student) -> None:
        task = self._receptions.pop(student.participant_id, None)
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


@dataclass(frozen=True, slots=True)
class _StudentCamera:
    """Passes on what happens to one student's camera."""

    participant_id: str
    tell: Callable[[RoomEvent], None]

    def on_track(self, track: VideoTrack) -> None:
        self.tell(contract.TrackAdded(track))

    def on_track_gone(self, track: VideoTrack) -> None:
        self.tell(contract.TrackRemoved(track.track_id, self.participant_id))

    def on_sending(self, sending: bool) -> None:
        self.tell(contract.Muted(self.participant_id, not sending))

    def on_unsupported(self, codec: str) -> None:
        self.tell(contract.UnsupportedCodec(self.participant_id, codec))
