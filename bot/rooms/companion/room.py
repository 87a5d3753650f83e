"""The embedded room: students join with or without a camera, send pulses, leave, and are erased.

The room identifies students by a random token and keeps only its hash. Names are published with ``Joined``
and not kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from bot.config import WebrtcSettings
from bot.rooms import contract
from bot.rooms.companion.bulletin import Bulletin
from bot.rooms.companion.known_students import KnownStudents
from bot.rooms.companion.presence import Presence, now_s
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.companion.requests import (
    Admission,
    BadRequest,
    CannotReceive,
    Erased,
    JoinRequest,
    NoQuestion,
    RoomEnded,
    RoomFull,
    TooFast,
    UnknownToken,
)
from bot.rooms.companion.student import Student, find_by_number, new_student, refuse_erased
from bot.rooms.contract import Erasure, RoomEvent
from bot.tracks import LatestFrameTrack
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.offers import NoCamera, OfferError, UnsupportedVideo
from bot.webrtc.peer import NoNetwork, PeerError, PeerState, ReceivingPeer
from bot.webrtc.pixel_budget import PAGE, PixelBudget
from bot.webrtc.receive_options import ReceiveOptions
from reports.summary.asks import Ask
from reports.summary.windows import PulseKind

MAX_STUDENTS: Final = 200
"""Students present at a time; five times as many may join during a class."""

ERASE_WAIT_S: Final = 3.0
"""Longest wait for the store before a student hears that the erasure is pending, seconds."""

PULSE_INTERVAL_S: Final = 1.0

_REJOINS: Final = (10, 0.5)
"""Limit for repeated joins of one student: burst, and joins a second. Each may set up a connection."""

_REPORTS: Final = (20, 2.0)
"""Limit for other requests of one student's page: burst, and requests a second."""

_DECODE_THREADS: Final = 2


class CompanionRoom:
    """The embedded room of one class. Students can join while the context manager is entered.

    Attributes:
        code: The code in the students' link.
        public_url: The room's URL.
        key: The same for every spelling of the code.
        synthetic: Whether its students are drawn.
        receives: Whether it receives cameras.
        entrance: Whether it has only the buttons of a class in another room.
    """

    def __init__(
        self,
        code: str,
        settings: WebrtcSettings,
        open_rooms: dict[str, CompanionRoom],
        known_students: KnownStudents,
        *,
        synthetic: bool,
        receives: bool = True,
        entrance: bool = False,
        wanted_fps: float | None = None,
        on_dropped: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """Set up.

        Args:
            code: The code in the students' link.
            settings: ICE servers and timeouts.
            open_rooms: Where the room registers itself while it is open, under its code in lower case.
            known_students: The students of earlier classes under this code.
            synthetic: Whether its students are drawn.
            receives: Whether cameras are received; if not, students take part without a camera.
            entrance: Whether the class takes place in another room, and this one has only its buttons.
            wanted_fps: Frames a second to receive from each camera; None for all.
            on_dropped: Called with the number of encoded frames that were dropped.
        """
        self.code: str | None = code
        self.public_url = f"companion:{code}"
        self.synthetic = synthetic
        self.key = f"companion:{code.lower()}"
        self._code_key, self._settings, self._open_rooms = code.lower(), settings, open_rooms
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._options = ReceiveOptions(
            settings, self._threads, BatchTicks(), wanted_fps, on_dropped, PixelBudget(PAGE)
        )
        self._known = known_students
        self._presence = Presence(settings.rejoin_s, attends=not entrance)
        self._bulletin = Bulletin()
        self._joining = 0  # students being admitted who are not present yet
        self.receives, self.entrance = receives and not entrance, entrance
        self._remover: asyncio.Task[None] | None = None
        self._rejoins, self._reports = RateLimiter(*_REJOINS), RateLimiter(*_REPORTS)

    async def __aenter__(self) -> CompanionRoom:
        """Open the room to students."""
        if self._code_key in self._open_rooms:
            raise contract.RoomUrlError(
                f"the code {self.code} is in use: end that class first, or choose another code"
            )
        self._open_rooms[self._code_key] = self
        self._remover = asyncio.create_task(self._presence.remove_absent(), name="companion-remover")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Refuse further students and close every connection."""
        self._presence.closed = True  # before the first await: a student may be joining
        self._open_rooms.pop(self._code_key, None)
        self._bulletin.post(None)
        if self._remover is not None:
            self._remover.cancel()
            await asyncio.wait([self._remover])
        await self._presence.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def events(self) -> AsyncIterator[RoomEvent]:
        """The events in order, until the room closes."""
        return self._presence.events()

    async def announce(self, text: str) -> bool:
        """Announce nothing: the page shows every student the notice before the consent."""
        return True

    async def ask(self, question: Ask | None) -> bool:
        """Show a question on every page; None closes it."""
        self._bulletin.post(question)
        return True

    async def wait(self, token: str, known: str) -> dict[str, Any] | None:
        """Wait until a page has another question to show than ``known``, see ``Bulletin.wait``.

        Raises:
            Refusal: the student is not in the room, or the class has ended meanwhile.
        """
        student = self._presence.find_present(token)
        self._check_rate(student, self._reports)
        question = await self._bulletin.wait(known)
        if self._presence.closed:
            raise RoomEnded("the class has ended")
        refuse_erased(student)
        return question

    def answer(self, token: str, ask_id: str, answer: str) -> None:
        """Publish a student's answer to the open question.

        Raises:
            Refusal: the question is closed or has no such answer, or the student is not in the room.
        """
        student = self._presence.find_present(token)
        self._check_rate(student, self._reports)
        question = self._bulletin.question
        if question is None or question.id != ask_id:
            raise NoQuestion("this question is closed: wait for the next one")
        if answer not in question.answers:
            raise NoQuestion("choose one of the answers of the question")
        number = question.answers.index(answer) + 1
        self._presence.publish(contract.Answered(student.participant_id, number))

    async def join(self, request: JoinRequest) -> Admission:
        """Let a student in for the first time, or again with their token.

        Raises:
            Refusal: the student was not admitted; nothing has changed.
        """
        token = request.token
        if token is not None:
            student = self._presence.find(token)
            self._check_rate(student, self._rejoins)
        else:
            if len(self._presence.students) + self._joining >= 5 * MAX_STUDENTS:
                raise _class_is_full()
            student, token = new_student(now_s(), self._known, request.former_token)
        async with student.lock:
            if student.present:
                return await self._admit(student, token, request)
            present = sum(student.present for student in self._presence.students)
            if present + self._joining >= MAX_STUDENTS:
                raise _class_is_full()
            self._joining += 1
            try:
                return await self._admit(student, token, request)
            finally:
                self._joining -= 1

    def has_student(self, token: str) -> bool:
        """Whether a token belongs to a student who joined this class and was not erased."""
        with suppress(UnknownToken, Erased):
            self._presence.find(token)
            return True
        return False

    def pulse(self, token: str, kind: PulseKind) -> None:
        """Publish a pulse.

        Raises:
            Refusal: it comes too soon after the last one, or the student is not in the room.
        """
        student = self._presence.find_present(token)
        at_s = now_s()
        if at_s - student.last_pulse_s < PULSE_INTERVAL_S:
            raise TooFast("tap at most once a second: wait a moment")
        student.last_pulse_s = at_s
        self._presence.publish(contract.Pulse(student.participant_id, kind))

    def withdraw(self, token: str) -> None:
        """Withdraw a student's consent to check-ins.

        Raises:
            Refusal: the student is not in the room, or their page sends too many requests.
        """
        student = self._presence.find_present(token)
        self._check_rate(student, self._reports)
        student.individual = False
        self._presence.publish_joined(student)

    def report_camera(self, token: str, on: bool) -> tuple[bool, str | None]:
        """Accept a page's report whether its camera is on, which is also its sign of life.

        Returns:
            Whether there is a connection; a page that lost its connection should join again. And what the
            camera shows, a ``Sight``, or ``no_frames`` if nothing arrives; None if that is not known.

        Raises:
            Refusal: the student is not in the room, or their page sends too many requests.
        """
        student = self._presence.find_present(token)
        self._check_rate(student, self._reports)
        self._presence.set_camera(student, on)
        peer = student.peer
        if peer is None or not on:
            return peer is not None, None
        return True, "no_frames" if peer.state is PeerState.SILENT else peer.camera.seen.sight

    async def leave(self, token: str) -> None:
        """Remove a student, who may come back with their token.

        Raises:
            Refusal: no student has the token, or they were erased.
        """
        student = self._presence.find(token)
        async with student.lock:
            await self._presence.remove(student)

    async def erase(self, token: str) -> Erasure:
        """Remove a student for good; ``OptedOut`` asks the pipeline to discard their data.

        Returns:
            Whether what was stored about them is deleted already; waits for it ``ERASE_WAIT_S`` at most.

        Raises:
            Refusal: no student has the token, or they were erased already.
        """
        student = self._presence.find(token)
        async with student.lock:
            if self._presence.closed:  # the events are no longer read
                raise RoomEnded("the class has ended")
            erased = await self._opt_out(student)
        try:
            async with asyncio.timeout(ERASE_WAIT_S):
                await erased.wait()
        except TimeoutError:
            return Erasure.PENDING
        return Erasure.DONE

    async def leave_out(self, who: str) -> int:
        """Erase the students whose page shows the number ``who``; the room keeps no names to search."""
        students = find_by_number(self._presence.students, who)
        for student in students:
            async with student.lock:
                if not student.erased:
                    await self._opt_out(student)
        return len(students)

    async def _opt_out(self, student: Student) -> asyncio.Event:
        """Opt a student out; the event is set when what was stored about them is deleted."""
        student.erased, erased = True, asyncio.Event()
        await self._presence.remove(student, contract.OptedOut(student.participant_id, erased.set))
        return erased

    async def _admit(self, student: Student, token: str, request: JoinRequest) -> Admission:
        """Answer the offer and replace the student's connection; the caller must hold the student's lock."""
        refuse_erased(student)
        peer: ReceivingPeer | None = None
        sdp: str | None = None
        unsupported: UnsupportedVideo | None = None
        try:
            if request.sdp is not None and self.receives:
                camera = LatestFrameTrack(secrets.token_hex(8), student.participant_id)
                peer = ReceivingPeer(camera, self._options, self._presence.connection_changed)
                sdp = await peer.answer(request.sdp)
        except NoCamera:
            peer = None
        except UnsupportedVideo as exc:
            peer, unsupported = None, exc
        except OfferError as exc:
            raise BadRequest(str(exc)) from exc
        except NoNetwork as exc:
            raise CannotReceive(str(exc)) from exc
        except PeerError as exc:
            raise BadRequest(str(exc)) from exc
        if self._presence.closed:
            if peer is not None:
                await peer.close()
            raise RoomEnded("the class has ended")
        # No await until the old connection is closed, so that no state change of the new one is missed.
        replaced, student.peer = student.peer, peer
        self._presence.add(student, request, unsupported)
        if replaced is not None:
            await replaced.close()
        trouble = None if unsupported is None else str(unsupported)
        return Admission(student.participant_id, token, sdp, trouble)

    @staticmethod
    def _check_rate(student: Student, limiter: RateLimiter) -> None:
        if not limiter.allow(student.participant_id):
            raise TooFast("your page sent too many requests: wait a moment")


def _class_is_full() -> RoomFull:
    return RoomFull(f"the class is full ({MAX_STUDENTS} students): ask the teacher")
