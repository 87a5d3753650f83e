"""The students of an embedded room, and the events when they join, leave or lose their connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from bot.rooms import contract
from bot.rooms.companion.requests import Away, JoinRequest, RoomFull
from bot.rooms.companion.student import Student, find_by_token
from bot.rooms.contract import RoomEvent
from bot.webrtc.offers import UnsupportedVideo
from bot.webrtc.peer import PeerState, ReceivingPeer

MAX_WAITING_EVENTS: Final = 5000
"""While this many events are unprocessed, requests of students are refused."""

CAMERALESS_TIMEOUT_FACTOR: Final = 6.0
"""A student without a camera may be silent for this many times ``rejoin_s``, because browsers run the timers
of a page in the background only once a minute."""


class Presence:
    """The students of one class and the queue of events about them.

    Attributes:
        students: Everyone who has joined, also those who left.
        closed: Whether the class has ended; closing connections then publishes no events.
    """

    def __init__(self, rejoin_s: float, attends: bool = True) -> None:
        """Start with no students.

        Args:
            rejoin_s: Seconds within which a student with a broken connection must come back.
            attends: Whether the students count as present, see ``Joined``.
        """
        self.students: list[Student] = []
        self.closed = False
        self._rejoin_s, self._attends = rejoin_s, attends
        self._events: asyncio.Queue[RoomEvent | None] = asyncio.Queue()  # see MAX_WAITING_EVENTS

    async def events(self) -> AsyncIterator[RoomEvent]:
        """The events in order, until the class ends."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)  # so that another iteration ends too

    def publish(self, event: RoomEvent) -> None:
        """Add an event to the queue."""
        self._events.put_nowait(event)

    async def close(self) -> None:
        """Close all connections and end the events."""
        self.closed = True
        peers = [student.peer for student in self.students if student.peer is not None]
        await asyncio.gather(*(peer.close() for peer in peers))
        self.students.clear()
        self._events.put_nowait(None)

    def find(self, token: str) -> Student:
        """The student with this token.

        Raises:
            UnknownToken: no student has it.
            Erased: the student was erased.
        """
        return find_by_token(self.students, token)

    def find_present(self, token: str) -> Student:
        """The student with this token, who must be in the class; counts as a sign of life.

        Raises:
            UnknownToken: no student has it.
            Erased: the student was erased.
            Away: the student has left.
            RoomFull: too many events are unprocessed.
        """
        student = self.find(token)
        if not student.present:
            raise Away("you are no longer in the class: join again")
        if self._events.qsize() >= MAX_WAITING_EVENTS:
            raise RoomFull("the server is busy: try again in a moment")
        student.last_seen_s = now_s()
        return student

    def add(self, student: Student, request: JoinRequest, unsupported: UnsupportedVideo | None) -> None:
        """Publish that a student joined.

        If the student comes back before ``Left`` was published, only changes are published.

        Args:
            student: The student; the new connection is already in ``student.peer``.
            request: The student's request.
            unsupported: Why their camera cannot be decoded; None if it can.
        """
        if student not in self.students:
            self.students.append(student)
        self._remove_track(student)
        student.last_seen_s = now_s()
        student.cameraless = student.peer is None
        if not student.present or student.individual is not request.individual:
            student.present, student.individual = True, request.individual
            self.publish_joined(student, request.name)
        if unsupported is not None:
            student.reported_off = True
            self.publish(contract.UnsupportedCodec(student.participant_id, unsupported.codec))
        elif student.cameraless or student.reported_off:
            self._report_camera(student, off=student.cameraless)

    def publish_joined(self, student: Student, name: str | None = None) -> None:
        """Publish that a student joined, or has changed what they agree to."""
        self.publish(
            contract.Joined(
                student.participant_id, name, student.individual, True, student.person, self._attends
            )
        )

    def set_camera(self, student: Student, on: bool) -> None:
        """Publish that a student switched their camera on or off, if that is a change."""
        if not student.cameraless and student.reported_off is on:
            self._report_camera(student, off=not on)

    def connection_changed(self, peer: ReceivingPeer, state: PeerState) -> None:
        """Publish a track when its connection is established, and remove it when the connection closes."""
        student = next((student for student in self.students if student.peer is peer), None)
        if student is None or self.closed:
            return  # the connection was replaced, or the class has ended
        if state is PeerState.CONNECTED and student.track_id is None:
            student.track_id = peer.camera.track_id
            self.publish(contract.TrackAdded(peer.camera))
        elif state is PeerState.CLOSED:
            self._remove_track(student)
            student.peer = None
            student.last_seen_s = now_s()
        # A connected camera that sends nothing needs no event: its samples are counted as no_frames.

    async def remove(self, student: Student, opted_out: contract.OptedOut | None = None) -> None:
        """Publish that a student left, after ``opted_out`` if given, and close their connection."""
        peer, student.peer = student.peer, None
        self._remove_track(student)
        if opted_out is not None:
            self.publish(opted_out)
        if student.present:
            student.present = False
            self.publish(contract.Left(student.participant_id))
        if peer is not None:
            await peer.close()

    async def remove_absent(self) -> None:
        """Remove students who lost their connection and did not come back in time; runs until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._rejoin_s / 4))
            for student in list(self.students):
                timeout_s = self._rejoin_s * (CAMERALESS_TIMEOUT_FACTOR if student.cameraless else 1.0)
                silent = student.peer is None and now_s() - student.last_seen_s > timeout_s
                # If the lock is held, the student is joining again.
                if student.present and silent and not student.lock.locked():
                    await self.remove(student)

    def _remove_track(self, student: Student) -> None:
        if student.track_id is not None:
            self.publish(contract.TrackRemoved(student.track_id, student.participant_id))
            student.track_id = None

    def _report_camera(self, student: Student, *, off: bool) -> None:
        student.reported_off = off
        self.publish(contract.Muted(student.participant_id, off))


def now_s() -> float:
    """The event loop's clock, monotonic seconds."""
    return asyncio.get_running_loop().time()
