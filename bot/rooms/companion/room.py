"""The embedded room itself: who is in it, who they are to the room, and what they do there.

Comes in: requests of students, already parsed. Goes out: room events, and cameras by WebRTC. A
student is known by a random token, of which only a hash is held; names go out with ``Joined`` and are
not held at all.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Final

import structlog

from bot.config import WebrtcSettings
from bot.rooms import contract
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.companion.requests import (
    Admission,
    Away,
    BadRequest,
    CannotReceive,
    Erased,
    JoinRequest,
    RoomEnded,
    RoomFull,
    TooFast,
    UnknownToken,
)
from bot.rooms.companion.student import Student, new_student, refuse_erased, with_number, with_token
from bot.rooms.contract import RoomEvent
from bot.tracks import LatestFrameTrack
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.offers import NoCamera, OfferError, UnsupportedVideo
from bot.webrtc.peer import NoNetwork, PeerError, PeerState, ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions
from reports.summary.windows import PulseKind

_log = structlog.get_logger()

MAX_STUDENTS: Final = 200
"""Present at a time; five times as many may have come and gone."""

MAX_WAITING_EVENTS: Final = 5000
PULSE_INTERVAL_S: Final = 1.0
_REJOINS: Final = (10, 0.5)
"""Joins of one student, at once and a second: each may set up a connection."""

_REPORTS: Final = (20, 2.0)
"""What else one student's page may ask for, at once and a second."""

CAMERALESS_PATIENCE: Final = 6.0
"""How many times ``rejoin_s`` someone without a camera may be quiet: browsers let a page in the
background run only once a minute."""

_DECODE_THREADS: Final = 2


class CompanionRoom:
    """One class's embedded room, found under its code while it is entered.

    Attributes:
        code: What students type.
        public_url: The room's URL.
        synthetic: Whether its students are drawn.
    """

    def __init__(
        self,
        code: str,
        settings: WebrtcSettings,
        entered: dict[str, CompanionRoom],
        *,
        synthetic: bool,
        receives: bool = True,
        wanted_fps: float | None = None,
        on_dropped: Callable[[int], None] = lambda _pictures: None,
    ) -> None:
        """Set up.

        Args:
            code: What students type.
            settings: ICE servers and timeouts.
            entered: Where the room puts itself while it is open, under its code in lower case.
            synthetic: Whether its students are drawn.
            receives: Whether cameras are received; if not, no offer of video is answered.
            wanted_fps: Pictures a second of each camera there is use for; None for all.
            on_dropped: Told how many encoded pictures were thrown away.
        """
        self.code: str | None = code
        self.public_url = f"companion:{code}"
        self.synthetic = synthetic
        self._key, self._settings, self._entered = code.lower(), settings, entered
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._options = ReceiveOptions(settings, self._threads, BatchTicks(), wanted_fps, on_dropped)
        self._students: list[Student] = []
        self._coming = 0  # who is being let in and not present yet
        self._ended = False
        self._receives = receives
        self._events: asyncio.Queue[RoomEvent | None] = asyncio.Queue()  # see MAX_WAITING_EVENTS
        self._keeper: asyncio.Task[None] | None = None
        self._rejoins, self._reports = RateLimiter(*_REJOINS), RateLimiter(*_REPORTS)

    async def __aenter__(self) -> CompanionRoom:
        """Open the doors."""
        if self._key in self._entered:
            raise contract.RoomUrlError(
                f"the code {self.code} is in use: end that class first, or take another"
            )
        self._entered[self._key] = self
        self._keeper = asyncio.create_task(self._see_who_is_gone(), name="companion-keeper")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the doors and every connection."""
        self._ended = True
        self._entered.pop(self._key, None)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        peers = [student.peer for student in self._students if student.peer is not None]
        await asyncio.gather(*(peer.close() for peer in peers))
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._students.clear()
        self._tell(None)

    async def events(self) -> AsyncIterator[RoomEvent]:
        """What happens, in order, until the room is left."""
        while (event := await self._events.get()) is not None:
            yield event
        self._tell(None)  # for whoever asks again

    async def announce(self, text: str) -> bool:
        """Done already: the page shows every student the notice before the consent."""
        return True

    async def join(self, request: JoinRequest) -> Admission:
        """Let a student in, or back in.

        Raises:
            Refusal: and nothing has changed.
        """
        token = request.token
        if token is not None:
            student = self._find(token)
            self._count(student, self._rejoins)
        else:
            if len(self._students) + self._coming >= 5 * MAX_STUDENTS:
                raise _full()
            student, token = new_student(self._now_s())
        async with student.lock:
            if student.present:
                return await self._admit(student, token, request)
            if sum(known.present for known in self._students) + self._coming >= MAX_STUDENTS:
                raise _full()
            self._coming += 1
            try:
                return await self._admit(student, token, request)
            finally:
                self._coming -= 1

    def knows(self, token: str) -> bool:
        """Whether a token belongs to somebody who has been in the class."""
        with suppress(UnknownToken, Erased):
            self._find(token)
            return True
        return False

    def pulse(self, token: str, kind: PulseKind) -> None:
        """Pass on a tap.

        Raises:
            Refusal: too soon after the last, or not of someone in the room.
        """
        student = self._present(token)
        now_s = self._now_s()
        if now_s - student.pulsed_s < PULSE_INTERVAL_S:
            raise TooFast("one tap a second is enough: wait a moment")
        student.pulsed_s = now_s
        self._tell(contract.Pulse(student.participant_id, kind))

    def withdraw(self, token: str) -> None:
        """Take back the consent to individual check-ins.

        Raises:
            Refusal: not of someone in the room.
        """
        student = self._present(token)
        self._count(student, self._reports)
        student.individual = False
        self._tell(contract.Joined(student.participant_id, None, False, consented=True))

    def report_camera(self, token: str, on: bool) -> bool:
        """Take a page's word for whether its camera is on; also tells that the page is still there.

        Returns:
            Whether there is a connection; a page that has none any more does well to join again.

        Raises:
            Refusal: not of someone in the room.
        """
        student = self._present(token)
        self._count(student, self._reports)
        off = not on
        if not student.cameraless and student.stands_off is not off:
            self._stand_off(student, off)
        return student.peer is not None

    async def leave(self, token: str) -> None:
        """Someone goes; they may come back with the token.

        Raises:
            Refusal: the token is nobody's, or erased.
        """
        student = self._find(token)
        async with student.lock:
            await self._depart(student)

    async def erase(self, token: str) -> None:
        """Someone goes for good and wants removed what was counted of them.

        Raises:
            Refusal: the token is nobody's, or erased already.
        """
        student = self._find(token)
        async with student.lock:
            if self._ended:  # nobody hears of it any more
                raise RoomEnded("the class has ended")
            student.erased = True
            await self._depart(student, contract.OptedOut(student.participant_id))

    async def leave_out(self, who: str) -> int:
        """Erase the student whose page shows the number ``who``: no name is held to go by."""
        meant = with_number(self._students, who)
        for student in meant:
            async with student.lock:
                if not student.erased:
                    student.erased = True
                    await self._depart(student, contract.OptedOut(student.participant_id))
        return len(meant)

    async def _admit(self, student: Student, token: str, request: JoinRequest) -> Admission:
        refuse_erased(student)
        peer: ReceivingPeer | None = None
        sdp: str | None = None
        unsupported: UnsupportedVideo | None = None
        try:
            if request.sdp is not None and self._receives:
                camera = LatestFrameTrack(secrets.token_hex(8), student.participant_id)
                peer = ReceivingPeer(camera, self._options, self._on_state)
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
        if self._ended:
            if peer is not None:
                await peer.close()
            raise RoomEnded("the class has ended")
        # From here to the replaced connection's close nothing waits: no state of the new one is missed.
        if student not in self._students:
            self._students.append(student)
        replaced, student.peer = student.peer, peer
        self._welcome(student, request, unsupported)
        if replaced is not None:
            await replaced.close()
        trouble = None if unsupported is None else str(unsupported)
        return Admission(student.participant_id, token, sdp, trouble)

    def _welcome(self, student: Student, request: JoinRequest, unsupported: UnsupportedVideo | None) -> None:
        """Tell what a join means; of a student who is back before they were missed, only what changed."""
        self._remove_track(student)
        student.seen_s = self._now_s()
        student.cameraless = student.peer is None
        if not student.present or student.individual is not request.individual:
            student.present, student.individual = True, request.individual
            joined = contract.Joined(student.participant_id, request.name, request.individual, consented=True)
            self._tell(joined)
        if unsupported is not None:
            student.stands_off = True
            self._tell(contract.UnsupportedCodec(student.participant_id, unsupported.codec))
        elif student.cameraless or student.stands_off:
            self._stand_off(student, student.cameraless)

    def _on_state(self, peer: ReceivingPeer, state: PeerState) -> None:
        student = next((student for student in self._students if student.peer is peer), None)
        if student is None or self._ended:
            return  # replaced, or the room is closing
        if state is PeerState.CONNECTED and student.track_id is None:
            student.track_id = peer.camera.track_id
            self._tell(contract.TrackAdded(peer.camera))
        elif state is PeerState.CLOSED:
            self._remove_track(student)
            student.peer = None
            student.seen_s = self._now_s()
        # Silence needs no event: a camera that is on and gives nothing is counted as no_frames.

    async def _see_who_is_gone(self) -> None:
        """Let go of students whose connection broke and who did not come back."""
        rejoin_s = self._settings.rejoin_s
        while True:
            await asyncio.sleep(min(1.0, rejoin_s / 4))
            for student in list(self._students):
                patience_s = rejoin_s * (CAMERALESS_PATIENCE if student.cameraless else 1.0)
                quiet_s = self._now_s() - student.seen_s
                gone = student.present and student.peer is None and quiet_s > patience_s
                if gone and not student.lock.locked():  # else they are coming back this moment
                    await self._depart(student)

    async def _depart(self, student: Student, opted_out: contract.OptedOut | None = None) -> None:
        peer, student.peer = student.peer, None
        self._remove_track(student)
        if opted_out is not None:
            self._tell(opted_out)
        if student.present:
            student.present = False
            self._tell(contract.Left(student.participant_id))
        if peer is not None:
            await peer.close()

    def _remove_track(self, student: Student) -> None:
        if student.track_id is not None:
            self._tell(contract.TrackRemoved(student.track_id, student.participant_id))
            student.track_id = None

    def _stand_off(self, student: Student, off: bool) -> None:
        student.stands_off = off
        self._tell(contract.Muted(student.participant_id, off))

    def _find(self, token: str) -> Student:
        return with_token(self._students, token)

    def _present(self, token: str) -> Student:
        student = self._find(token)
        if not student.present:
            raise Away("you are no longer in the class: join again")
        if self._events.qsize() >= MAX_WAITING_EVENTS:
            raise RoomFull("the class cannot keep up: try again in a moment")
        student.seen_s = self._now_s()
        return student

    @staticmethod
    def _count(student: Student, allowance: RateLimiter) -> None:
        if not allowance.take(student.participant_id):
            raise TooFast("your page asks too often: wait a moment")

    def _tell(self, event: RoomEvent | None) -> None:
        self._events.put_nowait(event)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _full() -> RoomFull:
    return RoomFull(f"the class is full ({MAX_STUDENTS} students): ask the teacher")
