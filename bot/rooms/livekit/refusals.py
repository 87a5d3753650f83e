"""What the server's refusals and farewells mean for the class. Pure.

The server's own texts may contain the token, so they are only searched for known words.
"""

from __future__ import annotations

from typing import Final

from livekit.protocol import models, rtc

from bot.rooms.contract import RoomDenied, RoomEnded, RoomError, RoomRemoved, RoomUnavailable

_GRANTS: Final = "roomJoin, canSubscribe and canPublishData for this room"


class NoSuchRoom(RoomUnavailable):
    """The server has no such room and creates none."""


class RoomFull(RoomDenied):
    """The room is full; this may be over soon."""


def refusal(status: int, text: str, room: str) -> RoomError:
    """Return the error for a refused handshake.

    Args:
        status: HTTP status.
        text: The server's text; may contain the token.
        room: Name of the room.
    """
    lowered = text.lower()
    if status in (401, 403):
        return RoomDenied(_why_unauthorized(lowered))
    if status == 404:
        if "room" in lowered:
            return NoSuchRoom(f"check the room's name: there is no room {room}, and the server creates none")
        return RoomUnavailable("check host, port and path: no LiveKit server answers there")
    if "closed by media" in lowered or "limit" in lowered:
        return RoomFull(
            "the room is full, or the server cannot take the bot (it does not say which): raise the room's "
            "limit of participants by one for the bot, or see the server's log"
        )
    return RoomUnavailable(f"the LiveKit server refused the connection with status {status}: see its log")


def _why_unauthorized(text: str) -> str:
    if "expired" in text:
        return "the token has expired: get a new one, or set rooms.livekit.api_key and api_secret"
    if "api key" in text:
        return "check rooms.livekit.api_key, or who made the token: the LiveKit server does not know this key"
    if "signature" in text or "cryptographic" in text:
        return "check rooms.livekit.api_secret, or who made the token: it is signed with another secret"
    if "not valid yet" in text or "nbf" in text:
        return "set the clocks of this machine and of the LiveKit server: the token is not valid yet"
    if "permission" in text:
        return f"get a token with {_GRANTS}: this one does not let the bot in"
    return f"check the token, or rooms.livekit.api_key and api_secret: the token needs {_GRANTS}"


_LOSSES: Final[dict[int, str]] = {
    models.SERVER_SHUTDOWN: "the LiveKit server is shutting down",
    models.STATE_MISMATCH: "the LiveKit server has lost the bot's session",
    models.MIGRATION: "the LiveKit server moves the room to another machine",
    models.SIGNAL_CLOSE: "the LiveKit server closed the connection",
    models.CONNECTION_TIMEOUT: "the connection for video timed out",
    models.MEDIA_FAILURE: "the connection for video failed",
}


def farewell(leave: rtc.LeaveRequest) -> RoomError | str:
    """Return the error that ends the class when the server sends the bot away, or why to join again."""
    if leave.action != rtc.LeaveRequest.Action.DISCONNECT and not _is_final(leave.reason):
        return _LOSSES.get(leave.reason, "the LiveKit server asks the bot to connect again")
    match leave.reason:
        case models.PARTICIPANT_REMOVED:
            return RoomRemoved("a moderator removed the bot from the room")
        case models.DUPLICATE_IDENTITY:
            return RoomRemoved(
                "somebody else joined with the bot's token: give each class a token of its own"
            )
        case models.ROOM_DELETED | models.ROOM_CLOSED:
            return RoomEnded("The room was closed on the LiveKit server.")
    return _LOSSES.get(leave.reason, "the LiveKit server ended the bot's session")


def _is_final(reason: models.DisconnectReason) -> bool:
    return reason in (
        models.PARTICIPANT_REMOVED,
        models.DUPLICATE_IDENTITY,
        models.ROOM_DELETED,
        models.ROOM_CLOSED,
    )


def check_permission(permission: models.ParticipantPermission) -> None:
    """Raise an error if the bot may not do in this room what it has to.

    Raises:
        RoomDenied: the bot is hidden, or may not see cameras.
    """
    if permission.hidden:
        raise RoomDenied("get a token without the grant hidden: ClassMood joins only visibly")
    if not permission.can_subscribe:
        raise RoomDenied("get a token with the grant canSubscribe: without it the bot sees no camera")


CANNOT_WRITE: Final = (
    "The class is running, but the bot may not write to the chat: tell the class that it is here, and give "
    "its token the grant canPublishData."
)
