"""Everybody in the chat is told once, latecomers together, nobody twice in a minute; who cannot be told."""

from __future__ import annotations

import asyncio

import structlog

from bot.rooms.janus.announcer import REPEAT_S, Announcer


class Chat:
    """Takes down who was told; ``down`` while it passes nothing on, ``deaf`` while it does not whisper."""

    def __init__(self, chat_timeout_s: float = 20.0) -> None:
        self.told: list[tuple[str, list[str]]] = []
        self.tries = 0
        self.down = self.deaf = False
        self.now_s = 0.0
        self.untold = 0
        self.announcer = Announcer(
            self,
            lambda: self.now_s,
            self.on_unreachable,
            pauses_s=(0.02, 0.02, 0.02),
            chat_timeout_s=chat_timeout_s,
        )

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        self.tries += 1
        if self.down or self.deaf:
            return False
        self.told.append((text, sorted(usernames)))
        return True

    async def send(self, text: str) -> bool:
        if self.down:
            return False
        self.told.append((text, ["everyone"]))
        return True

    def on_unreachable(self) -> None:
        self.untold += 1

    def announce(self, *members: str) -> None:
        self.announcer.set_notice("a bot is here")
        self.announcer.mark_informed(members)


async def test_nobody_is_told_before_there_is_a_notice() -> None:
    chat = Chat(chat_timeout_s=0.01)
    chat.announcer.on_member_joined("ada")
    chat.announcer.on_chat_joined(["bea"])
    chat.announcer.on_member_left("ada")
    chat.announcer.on_chat_lost()
    await asyncio.sleep(0.1)
    assert (chat.told, chat.untold) == ([], 0)
    await chat.announcer.close()


async def test_latecomers_are_told_together_and_those_who_heard_it_not_again() -> None:
    chat = Chat()
    chat.announce("ada")
    for username in ("bea", "ada", "cem", "bea"):
        chat.announcer.on_member_joined(username)
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["bea", "cem"])]
    chat.announcer.on_member_left("bea")
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.1)
    assert len(chat.told) == 1, "a reload within a minute is not told again"
    chat.announcer.on_member_left("bea")
    chat.now_s += REPEAT_S
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.1)
    assert chat.told[1:] == [("a bot is here", ["bea"])]
    await chat.announcer.close()


async def test_who_came_while_the_bot_was_away_is_told_when_it_is_back() -> None:
    chat = Chat()
    chat.announce("ada", "dan")
    chat.announcer.on_member_joined("bea")
    await chat.announcer.close()
    chat.now_s += REPEAT_S
    chat.announcer.on_chat_joined(["ada", "bea", "cem"])  # dan has gone
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["bea", "cem"])]
    chat.announcer.on_member_joined("dan")
    await asyncio.sleep(0.1)
    assert chat.told[1:] == [("a bot is here", ["dan"])]
    await chat.announcer.close()


async def test_where_whispers_fail_everyone_is_told_once_more() -> None:
    chat = Chat()
    chat.announce("ada")
    chat.deaf = True
    chat.announcer.on_member_joined("u" * 70_000)
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.3)
    assert chat.told == [("a bot is here", ["everyone"])]
    assert (chat.tries, chat.untold) == (3, 0)
    await chat.announcer.close()


async def test_who_cannot_be_told_is_given_up_with_one_line_and_told_when_the_chat_is_back() -> None:
    chat = Chat()
    chat.announce("ada")
    chat.down = True
    with structlog.testing.capture_logs() as logs:
        chat.announcer.on_member_joined("bea")
        await asyncio.sleep(0.3)
    assert (chat.tries, chat.untold, len(logs)) == (3, 1, 1)
    assert "bea" not in repr(logs)
    chat.down = False
    chat.announcer.on_chat_joined(["ada", "bea"])
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["bea"])]
    await chat.announcer.close()


async def test_who_goes_before_they_could_be_told_is_not_waited_for() -> None:
    chat = Chat()
    chat.announce()
    chat.down = True
    chat.announcer.on_member_joined("bea")
    chat.announcer.on_member_left("bea")
    await asyncio.sleep(0.3)
    assert (chat.tries, chat.untold) == (0, 0)
    await chat.announcer.close()


async def test_a_chat_that_stays_away_is_told_and_one_that_comes_back_is_not() -> None:
    chat = Chat(chat_timeout_s=0.1)
    chat.announce("ada")
    chat.announcer.on_chat_lost()
    chat.announcer.on_chat_joined(["ada"])
    await asyncio.sleep(0.2)
    assert chat.untold == 0
    chat.announcer.on_chat_lost()
    chat.announcer.on_chat_lost()
    await asyncio.sleep(0.2)
    assert chat.untold == 1
    chat.announcer.on_chat_lost()
    await chat.announcer.close()
    await asyncio.sleep(0.2)
    assert chat.untold == 1


async def test_nobody_who_went_is_remembered_for_longer_than_it_matters() -> None:
    chat = Chat()
    chat.announce()
    for number in range(1000):
        chat.announcer.mark_informed([f"student {number}"])
        chat.announcer.on_member_left(f"student {number}")
    chat.now_s += REPEAT_S
    chat.announcer.on_member_left("nobody")
    assert not chat.announcer._informed_s
    await chat.announcer.close()
