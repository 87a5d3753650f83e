"""Joins a LiveKit room for a class, uses its chat, and joins again when the connection is lost.

A lost connection is never resumed: the bot joins again under the same identity, and the server drops the old
session. ``Students`` keeps everybody's identifiers and opt-outs across connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import structlog
from livekit.protocol import models

from bot.config import WebrtcSettings
from bot.rooms import contract
from bot.rooms.common.announcer import Announcer
from bot.rooms.common.chat_commands import HOW_TO_OPT_OUT, OPTED_OUT, answer_in, is_opt_out
from bot.rooms.common.event_queue import EventQueue
from bot.rooms.contract import RoomDenied, RoomEvent
from bot.rooms.livekit.access import Access
from bot.rooms.livekit.cameras import Cameras
from bot.rooms.livekit.chat import ChatMessage
from bot.rooms.livekit.connection import RoomConnection
from bot.rooms.livekit.presence import DEFAULT_PATIENCE, Patience, wait_until_deserted
from bot.rooms.livekit.reconnect import ATTEMPT_TIMEOUT_S, DEFAULT_TIMEOUTS, ReconnectTimeouts, reconnect
from bot.rooms.livekit.refusals import CANNOT_WRITE
from bot.rooms.livekit.students import CameraState, Student, Students
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.camera_offers import OfferedCamera
from bot.webrtc.receive_options import ReceiveOptions
from reports.summary.asks import Ask
from reports.summary.words import chat_question

_log = structlog.get_logger()

_DECODE_THREADS: Final = 2
_MAX_REPLIES: Final = 200
_MUST_ANNOUNCE: Final = (
    "ClassMood must be able to inform everybody: give its token the grant canPublishData, and start a new "
    "class"
)


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """Where a room is.

    Attributes:
        server_url: ``ws://`` or ``wss://`` address of the server.
        room: Name of the room.
        public_url: The room URL without secrets.
        key: Identifies the room on its server.
    """

    server_url: str
    room: str
    public_url: str
    key: str


class LiveKitRoom:
    """One class in one room.

    Attributes:
        code: Always None: students join on the room's own page.
        public_url: The room URL without secrets.
        key: Identifies the room on its server.
        synthetic: Always False.
    """

    def __init__(
        self,
        address: RoomAddress,
        access: Access,
        settings: WebrtcSettings,
        *,
        samples_per_s: float,
        receives: bool = True,
        must_announce: bool = False,
        say: Callable[[str], str] = str,
        timeouts: ReconnectTimeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
        on_dropped: Callable[[int], None] = lambda _frames: None,
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            address: The room.
            access: The bot's tokens.
            settings: ICE servers and timeouts.
            samples_per_s: Frames analysed per second and camera; decides the frame rate to request.
            receives: Whether cameras are received.
            must_announce: Whether to leave a room if somebody there cannot be informed about the bot.
            say: Translates what the bot says in the chat.
            timeouts: How long to wait for a lost server or room.
            patience: How long to stay in a room without students.
            on_dropped: Called with the number of encoded frames dropped.
        """
        self.code: str | None = None
        self.public_url, self.key = address.public_url, address.key
        self.synthetic = False
        self._say = say
        self._address, self._access, self._settings = address, access, settings
        self._receives, self._must_announce = receives, must_announce
        self._timeouts, self._patience = timeouts, patience
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._options = ReceiveOptions(settings, self._threads, BatchTicks(), 2 * samples_per_s, on_dropped)
        self._events = EventQueue()
        self._students = Students(self._events.put, self._on_camera, self._on_reachable)
        self._connection: RoomConnection | None = None
        self._cameras: Cameras | None = None
        self._announcer = Announcer(
            self,
            lambda: asyncio.get_running_loop().time(),
            self._on_unreachable,
            chat_timeout_s=timeouts.server_s,
        )
        self._has_announced = False
        self._following: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._attending: list[asyncio.Task[None]] = []  # tasks that end with the connection
        self._replies: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> LiveKitRoom:
        """Join the room.

        Raises:
            RoomError: the server cannot be reached or refuses the bot.
        """
        connection, others = await self._join(self._settings.connect_timeout_s)
        self._use(connection, others)
        self._following = asyncio.create_task(self._follow(connection), name="livekit-room")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave, and close every connection."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        if self._connection is not None:  # cancelled before the task started
            await self._close(self._connection)
        if self._closing is not None:  # cancelled while it was closing a connection
            await asyncio.wait([self._closing])
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._events.end()

    async def events(self) -> AsyncIterator[RoomEvent]:
        """Yield the room's events in order until the bot leaves.

        Raises:
            RoomError: the bot was sent away, the class is over, or the room cannot be reached any more.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def announce(self, text: str) -> bool:
        """Write the text and how to opt out to everybody, now or later; False if the bot may not write."""
        notice, connection = f"{text} {self._say(HOW_TO_OPT_OUT)}", self._connection
        self._announcer.set_notice(notice)  # even without a chat: the bot may be allowed to write later
        reachable = self._students.reachable
        if connection is None or not await connection.write(notice, []):
            self._events.put(contract.Notice(CANNOT_WRITE))
            return False
        self._announcer.mark_informed(reachable)
        self._announcer.on_chat_joined(self._students.reachable)  # those who came while it was sent
        self._has_announced = True
        return True

    async def ask(self, question: Ask | None) -> bool:
        """Ask in the chat; a digit there is an answer. Nothing is said when the question closes."""
        return question is not None and await self.send(chat_question(question, self._say))

    async def leave_out(self, who: str) -> int:
        """Opt out everybody with this display name or identity, as if they had written ``/optout``."""
        return self._students.opt_out_by_name(who)

    async def send(self, text: str) -> bool:
        """Write to everybody in the chat; return whether the connection accepted it."""
        return self._connection is not None and await self._connection.write(text, [])

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Write to some identities; return whether the connection accepted it."""
        return self._connection is not None and await self._connection.write(text, usernames)

    def on_participants(self, participants: list[models.ParticipantInfo]) -> None:
        """The server reported some participants."""
        self._students.update(participants)

    def on_offer(self, cameras: Mapping[str, OfferedCamera]) -> None:
        """The server offers these cameras."""
        if self._cameras is not None:
            self._cameras.on_offer(cameras)

    def on_camera_refused(self, track_sid: str) -> None:
        """The server cannot send a camera in a codec that can be decoded."""
        if self._cameras is not None:
            self._cameras.refuse(track_sid)

    def on_camera_permission(self, participant_sid: str, allowed: bool) -> None:
        """A student withdrew the bot's permission to receive the camera, which opts out."""
        student = self._students.find_session(participant_sid)
        if student is not None and not allowed:
            self._students.opt_out(student)

    def on_chat_message(self, message: ChatMessage) -> None:
        """Somebody wrote to the chat; everything except an opt-out and a single digit is ignored."""
        student, number = self._students.find(message.identity), answer_in(message.text)
        if student is not None and number is not None:
            self._events.put(contract.Answered(student.participant_id, number, by_chat=True))
        if student is None or not is_opt_out(message.text):
            return
        self._students.opt_out(student)
        if self._connection is not None and len(self._replies) < _MAX_REPLIES:
            reply = asyncio.create_task(
                self._connection.write(self._say(OPTED_OUT), [message.identity]), name="livekit-reply"
            )
            self._replies.add(reply)
            reply.add_done_callback(self._replies.discard)

    def on_chat_permission(self, allowed: bool) -> None:
        """The bot may write to the chat, or no longer may."""
        if allowed:
            return  # the chat is opened when the bot joins the next time
        self._events.put(contract.Notice(CANNOT_WRITE))
        self._on_unreachable()

    async def _join(self, timeout_s: float) -> tuple[RoomConnection, list[models.ParticipantInfo]]:
        address = self._address
        connection = RoomConnection(address.server_url, address.room, self._access, self._options, self)
        return connection, await connection.join(timeout_s)

    def _use(self, connection: RoomConnection, others: list[models.ParticipantInfo]) -> None:
        """Make this connection the current one and receive its cameras."""
        self._connection = connection
        self._cameras = Cameras(connection, self._options, self._events.put)
        missing = self._students.begin(connection.identity, others)
        connection.start()
        self._attending = [
            asyncio.create_task(self._cameras.watch(), name="livekit-watch"),
            asyncio.create_task(self._remove_missing(missing), name="livekit-missing"),
            asyncio.create_task(self._wait_until_deserted(connection), name="livekit-deserted"),
        ]

    async def _follow(self, connection: RoomConnection) -> None:
        """Join again after each loss, until the bot leaves or that fails."""
        try:
            while True:
                try:
                    reason = await connection.wait_until_lost()
                    sentence = f"{reason[0].upper()}{reason[1:]}: reconnecting."
                    self._events.put(contract.Disconnected(sentence))
                finally:
                    await self._close(connection)
                connection, others = await reconnect(lambda: self._join(ATTEMPT_TIMEOUT_S), self._timeouts)
                try:
                    if self._must_announce and self._has_announced and not connection.may_write:
                        raise RoomDenied(f"the bot may no longer write to the chat, and {_MUST_ANNOUNCE}")
                except BaseException:
                    await connection.leave()
                    raise
                self._events.put(contract.Reconnected())
                self._use(connection, others)
        except Exception as exc:  # noqa: BLE001  # raised by ``events``, which would wait forever otherwise
            self._events.end(exc)

    async def _close(self, connection: RoomConnection) -> None:
        """Close a connection in a separate task: a cancellation halfway would leave a session open."""
        self._connection = None
        self._closing = asyncio.create_task(self._close_all(connection), name="livekit-close")
        await asyncio.shield(self._closing)

    async def _close_all(self, connection: RoomConnection) -> None:
        ending = [*self._attending, *self._replies]
        for task in ending:
            task.cancel()
        cameras, self._cameras = self._cameras, None
        if cameras is not None:  # first: nothing may be looked at while opt-outs are not heard
            await cameras.close()
        self._students.lose()
        await asyncio.gather(self._announcer.close(), *ending, return_exceptions=True)
        await connection.leave()

    async def _remove_missing(self, missing: list[Student]) -> None:
        """Students who are not there after a loss get some time to come back, as after a restart."""
        if missing:
            await asyncio.sleep(self._settings.rejoin_s)
            for student in missing:
                if student.missing:
                    self._students.remove(student)

    async def _wait_until_deserted(self, connection: RoomConnection) -> None:
        connection.finish(await wait_until_deserted(lambda: len(self._students.present), self._patience))

    def _on_camera(self, student: Student) -> None:
        """Receive a student's camera, or stop."""
        camera, cameras = student.camera, self._cameras
        if cameras is None:
            return
        receivable = camera is not None and camera.state is not CameraState.ENCRYPTED
        if not receivable or student.opted_out or not self._receives or camera is None:
            cameras.drop(student.participant_id)
            return
        cameras.drop(student.participant_id, keep=camera.sid)
        muted = camera.state is CameraState.MUTED
        cameras.want(camera.sid, student.participant_id, camera.quality, muted=muted)

    def _on_reachable(self, identity: str, reachable: bool) -> None:
        if reachable:
            self._announcer.on_member_joined(identity)
        else:
            self._announcer.on_member_left(identity)

    def _on_unreachable(self) -> None:
        """Some students cannot be informed about the bot; with ``must_announce`` that ends the class."""
        if self._must_announce and self._has_announced and self._connection is not None:
            self._connection.finish(RoomDenied(f"the chat no longer reaches everybody, and {_MUST_ANNOUNCE}"))
