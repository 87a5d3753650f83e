"""Everybody in the chat is told once, latecomers together, and nobody twice in a minute."""

from __future__ import annotations

import asyncio

from bot.janus.announcer import REPEAT_S, Announcer


class Chat:
    """Takes down who was told; ``down`` while it passes nothing on."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str]]] = []
        self.down = False
        self.now_s = 0.0
        self.announcer = Announcer(self.whisper, lambda: self.now_s, gather_s=0.02)

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        if self.down:
            return False
        self.told.append((text, usernames))
        return True


async def test_nobody_is_told_before_there_is_a_notice() -> None:
    chat = Chat()
    chat.announcer.came("ada")
    chat.announcer.present(["bea"])
    await asyncio.sleep(0.1)
    assert chat.told == []
    await chat.announcer.close()


async def test_latecomers_are_told_together_and_those_who_heard_it_not_again() -> None:
    chat = Chat()
    chat.announcer.announced("a bot is here", ["ada"])
    for username in ("bea", "ada", "cem", "bea"):
        chat.announcer.came(username)
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["bea", "cem"])]
    chat.announcer.came("bea")
    await asyncio.sleep(0.1)
    assert len(chat.told) == 1, "a reload within a minute is not told again"
    chat.now_s += REPEAT_S
    chat.announcer.came("bea")
    await asyncio.sleep(0.1)
    assert chat.told[1:] == [("a bot is here", ["bea"])]
    await chat.announcer.close()


async def test_who_came_while_the_bot_was_away_is_told_when_it_is_back() -> None:
    chat = Chat()
    chat.announcer.announced("a bot is here", ["ada"])
    chat.down = True
    chat.announcer.came("bea")
    await asyncio.sleep(0.1)
    await chat.announcer.close()
    chat.down = False
    chat.now_s += REPEAT_S
    chat.announcer.present(["ada", "bea", "cem"])
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["bea", "cem"])]
    await chat.announcer.close()


async def test_what_is_remembered_is_bounded() -> None:
    chat = Chat()
    chat.announcer.announced("a bot is here", [f"student {number}" for number in range(6000)])
    chat.announcer.present(["student 0", "student 5999"])
    await asyncio.sleep(0.1)
    assert chat.told == [("a bot is here", ["student 0"])]
    await chat.announcer.close()
