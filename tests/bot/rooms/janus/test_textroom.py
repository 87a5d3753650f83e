"""The list of chat members follows the messages of the chat."""

from __future__ import annotations

import json

from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.textroom import ChatMessage, TextRoom
from bot.rooms.janus.videoroom import RoomAddress


class RecordingListener:
    """Records the events of the chat."""

    def __init__(self) -> None:
        self.messages: list[ChatMessage] = []
        self.joined: list[str] = []
        self.left: list[str] = []

    def on_chat_message(self, message: ChatMessage) -> None:
        self.messages.append(message)

    def on_chat_member_joined(self, username: str) -> None:
        self.joined.append(username)

    def on_chat_member_left(self, username: str) -> None:
        self.left.append(username)

    def on_chat_joined(self, usernames: list[str]) -> None:
        raise AssertionError("the chat was never joined")


async def test_members_who_left_or_were_kicked_are_forgotten() -> None:
    listener = RecordingListener()
    chat = TextRoom(JanusSession("ws://192.0.2.1", 1.0), RoomAddress("", 1, None, "Bot", ""), listener)
    assert chat.members == []
    for number in range(300):
        for kind in ("join", "leave" if number % 2 else "kicked"):
            chat._on_message(json.dumps({"textroom": kind, "room": 1, "username": f"u{number}"}))
    chat._on_message(json.dumps({"textroom": "join", "room": 1, "username": "ada", "display": "Ada"}))
    assert chat.members == ["ada"]
    assert listener.left == [f"u{number}" for number in range(300)]
    assert listener.joined[-1] == "ada"
    assert not chat.lost.is_set()


async def test_the_chat_is_lost_when_it_is_destroyed_or_the_bot_is_kicked() -> None:
    for message in ({"textroom": "destroyed"}, {"textroom": "kicked", "username": "ME"}):
        chat = TextRoom(
            JanusSession("ws://192.0.2.1", 1.0), RoomAddress("", 1, None, "Bot", ""), RecordingListener()
        )
        chat._on_message(json.dumps(message).replace("ME", chat._username))
        assert chat.lost.is_set()
