"""Who is in the chat, as its messages tell."""

from __future__ import annotations

import json

from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.textroom import ChatMessage, TextRoom
from bot.rooms.janus.videoroom import RoomAddress


class Ears:
    """Takes down what happens."""

    def __init__(self) -> None:
        self.lines: list[ChatMessage] = []
        self.came: list[str] = []
        self.went: list[str] = []

    def on_chat_message(self, line: ChatMessage) -> None:
        self.lines.append(line)

    def on_chat_member_joined(self, username: str) -> None:
        self.came.append(username)

    def on_chat_member_left(self, username: str) -> None:
        self.went.append(username)

    def on_chat_joined(self, usernames: list[str]) -> None:
        raise AssertionError("nobody was asked")


async def test_nobody_who_left_or_was_put_out_is_kept() -> None:
    ears = Ears()
    chat = TextRoom(JanusSession("ws://192.0.2.1", 1.0), RoomAddress("", 1, None, "Bot", ""), ears)
    assert chat.members == []
    for number in range(300):
        for kind in ("join", "leave" if number % 2 else "kicked"):
            chat._on_message(json.dumps({"textroom": kind, "room": 1, "username": f"u{number}"}))
    chat._on_message(json.dumps({"textroom": "join", "room": 1, "username": "ada", "display": "Ada"}))
    assert chat.members == ["ada"]
    assert ears.went == [f"u{number}" for number in range(300)]
    assert ears.came[-1] == "ada"
    assert not chat.lost.is_set()


async def test_the_bot_put_out_of_the_chat_or_its_end_loses_it() -> None:
    for message in ({"textroom": "destroyed"}, {"textroom": "kicked", "username": "ME"}):
        chat = TextRoom(JanusSession("ws://192.0.2.1", 1.0), RoomAddress("", 1, None, "Bot", ""), Ears())
        chat._on_message(json.dumps(message).replace("ME", chat._username))
        assert chat.lost.is_set()
