"""Tracks the participants of a VideoRoom, reports changes as room events, and receives their cameras.

The participants are kept when the connection is lost. Those who are not in the room after reconnecting have
left.
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
from bot.rooms.janus.identities import Identities, Participant
from bot.rooms.janus.videoroom import (
    Camera,
    Feed,
    Leaving,
    Moderated,
    Notification,
    Present,
    Publishing,
    Renamed,
    RoomMember,
    Unpublished,
    normalize_name,
)
from bot.tracks import VideoTrack

_MAX_MISSED_LISTS: Final = 2
_MAX_FORMER_OWN_FEEDS: Final = 100


class Participants:
    """Everybody in the room except the bot."""

    def __init__(self, emit: Callable[[RoomEvent], None], *, receives: bool) -> None:
        """Start empty.

        Args:
            emit: Called with each room event.
            receives: Whether cameras are received.
        """
        self._emit, self._receives = emit, receives
        self._identities = Identities(lambda: secrets.token_hex(8))
        self._own_feed: Feed | None = None
        self._own_name: str | None = None
        self._former_own_feeds: deque[Feed] = deque(maxlen=_MAX_FORMER_OWN_FEEDS)
        self._feeds_before: dict[str, Feed] = {}  # while a lost connection is being replaced
        self._reception: Reception | None = None
        self._receiving: dict[str, asyncio.Task[None]] = {}  # by participant identifier
        self._ending: set[asyncio.Task[None]] = set()
        self._new_cameras_paused = False

    def connect(self, reception: Reception, own_feed: Feed | None, notifications: list[Notification]) -> None:
        """A connection to the room has been made.

        Args:
            reception: Options and limits for receiving cameras during this connection.
            own_feed: The bot's own feed. Feeds of its lost connections may stay in the room for a while.
            notifications: The participants present.
        """
        self._reception = reception
        if self._own_feed is not None:
            self._former_own_feeds.append(self._own_feed)
        self._own_feed, self._own_name = own_feed, normalize_name(reception.address.name)
        before = self._identities.present
        self._feeds_before = {participant.participant_id: participant.feed for participant in before}
        for participant in before:
            participant.present = False
        for notification in notifications:
            self.on_notification(notification)
        for participant in before:
            if not participant.present:
                self._remove(participant)
        self._feeds_before = {}

    async def disconnect(self) -> None:
        """The connection is lost: stop receiving all cameras."""
        self._reception = None
        for participant in self._identities.present:
            self._stop_receiving(participant)
            participant.camera = None
        if self._ending:
            await asyncio.wait(self._ending)

    def on_notification(self, notification: Notification) -> None:
        """Apply a change in the room."""
        match notification:
            case Publishing(member):
                if (participant := self._add(member)) is not None:
                    self._set_camera(participant, member.camera)
            case Present(member):
                self._add(member)
            case Unpublished(feed):
                if (participant := self._identities.find(feed)) is not None:
                    self._set_camera(participant, None)
            case Moderated(feed, mid, muted):
                participant = self._identities.find(feed)
                camera = None if participant is None else participant.camera
                if participant is not None and camera is not None and camera.mid == mid:
                    self._set_camera(participant, replace(camera, moderated=muted))
            case Renamed(feed, display):
                if (participant := self._identities.find(feed)) is not None:
                    self._identities.rename(participant, display)
            case Leaving(feed):
                if (participant := self._identities.find(feed)) is not None:
                    self._remove(participant)

    def on_participant_list(self, confirmed: list[RoomMember], listed: set[Feed]) -> None:
        """Add and remove participants about whom Janus sent no event.

        Somebody missing from two lists in a row has left.

        Args:
            confirmed: Those on both this list and the previous one.
            listed: Feeds of everybody on this list.
        """
        for member in confirmed:
            self._add(member)
        for participant in self._identities.present:
            participant.missed_lists = 0 if participant.feed in listed else participant.missed_lists + 1
            if participant.missed_lists >= _MAX_MISSED_LISTS:
                self._remove(participant)

    def pause_new_cameras(self, paused: bool) -> None:
        """While paused, receive only the cameras that are already being received."""
        self._new_cameras_paused = paused
        for participant in self._identities.present:
            self._receive(participant)

    def opt_out(self, *names: str | None) -> int:
        """Opt out everybody with one of these display names, and return how many there are.

        If two participants share a name, both are opted out: nobody may be analysed against their will.
        """
        participants = self._identities.present_with_name(*names)
        for participant in participants:
            if not participant.opted_out:
                participant.opted_out = True
                self._stop_receiving(participant)
                self._emit(contract.OptedOut(participant.participant_id))
        return len(participants)

    def answer(self, number: int, display: str | None, username: str) -> None:
        """A member of the chat wrote a digit: the answer of the participant with that name.

        If no participant has the member's display name, or several do, it counts as that of the chat member.
        """
        named = self._identities.present_with_name(display)
        participant_id = named[0].participant_id if len(named) == 1 else f"chat-{username}"
        self._emit(contract.Answered(participant_id, number, by_chat=True))

    def _add(self, member: RoomMember) -> Participant | None:
        """Add a member, unless already present, and return the participant; None for the bot itself."""
        # The name is compared too: a restarted server may give a lost bot's feed to somebody else.
        is_lost_bot = member.feed in self._former_own_feeds and member.display == self._own_name
        if member.feed == self._own_feed or is_lost_bot:
            return None
        participant, joined = self._identities.add(member)
        if joined:
            participant_id = participant.participant_id
            if self._feeds_before.get(participant_id, member.feed) != member.feed:
                # After a lost connection only the name matches, so this may be somebody else.
                self._emit(contract.Left(participant_id))
            self._emit(contract.Joined(participant_id, participant.display))
            self._emit(contract.Muted(participant_id, member.camera is None or member.camera.moderated))
            if participant.opted_out:
                self._emit(contract.OptedOut(participant_id))
        return participant

    def _remove(self, participant: Participant) -> None:
        self._stop_receiving(participant)
        self._identities.mark_absent(participant)
        self._emit(contract.Left(participant.participant_id))

    def _set_camera(self, participant: Participant, camera: Camera | None) -> None:
        """Apply a change of the camera that a participant publishes."""
        if camera == participant.camera:
            return
        self._stop_receiving(participant)
        participant.camera = camera
        if camera is None or camera.moderated:
            self._emit(contract.Muted(participant.participant_id, True))
        elif not camera.decodable:
            self._emit(contract.UnsupportedCodec(participant.participant_id, camera.codec))
        else:
            self._emit(contract.Muted(participant.participant_id, False))
            self._receive(participant)

    def _receive(self, participant: Participant) -> None:
        """Start receiving a camera, if possible and allowed, unless it is already being received."""
        camera = participant.camera
        if camera is None or camera.moderated or not camera.decodable or participant.opted_out:
            return
        participant_id = participant.participant_id
        already_receiving = participant_id in self._receiving
        if self._reception is None or not self._receives or self._new_cameras_paused or already_receiving:
            return
        listener = _CameraEvents(participant_id, self._emit)
        receiving = CameraReception(self._reception, participant.feed, camera, participant_id, listener)
        task = asyncio.create_task(receiving.run(), name="janus-camera")
        self._receiving[participant_id] = task

    def _stop_receiving(self, participant: Participant) -> None:
        task = self._receiving.pop(participant.participant_id, None)
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


@dataclass(frozen=True, slots=True)
class _CameraEvents:
    """Turns the events of one participant's camera into room events."""

    participant_id: str
    emit: Callable[[RoomEvent], None]

    def on_track(self, track: VideoTrack) -> None:
        self.emit(contract.TrackAdded(track))

    def on_track_removed(self, track: VideoTrack) -> None:
        self.emit(contract.TrackRemoved(track.track_id, self.participant_id))

    def on_sending(self, sending: bool) -> None:
        self.emit(contract.Muted(self.participant_id, not sending))

    def on_unsupported(self, codec: str) -> None:
        self.emit(contract.UnsupportedCodec(self.participant_id, codec))
