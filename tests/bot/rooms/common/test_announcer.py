"""The announcer informs every member of the chat, but nobody twice within a minute."""

from __future__ import annotations

import asyncio

import structlog

from bot.rooms.common.announcer import REPEAT_S, Announcer


class FakeChat:
    """Records the messages with their recipients.

    Attributes:
        is_down: Whether it delivers nothing at all.
        refuses_whispers: Whether it delivers no private messages.
    """

    def __init__(self, chat_timeout_s: float = 20.0) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.attempts = 0
        self.is_down = self.refuses_whispers = False
        self.now_s = 0.0
        self.unreachable_calls = 0
        self.announcer = Announcer(
            self,
            lambda: self.now_s,
            self.on_unreachable,
            pauses_s=(0.02, 0.02, 0.02),
            chat_timeout_s=chat_timeout_s,
        )

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        self.attempts += 1
        if self.is_down or self.refuses_whispers:
            return False
        self.sent.append((text, sorted(usernames)))
        return True

    async def send(self, text: str) -> bool:
        if self.is_down:
            return False
        self.sent.append((text, ["everyone"]))
        return True

    def on_unreachable(self) -> None:
        self.unreachable_calls += 1

    def set_notice(self, *informed: str) -> None:
        self.announcer.set_notice("a bot is here")
        self.announcer.mark_informed(informed)


async def test_nothing_is_sent_before_there_is_a_notice() -> None:
    chat = FakeChat(chat_timeout_s=0.01)
    chat.announcer.on_member_joined("ada")
    chat.announcer.on_chat_joined(["bea"])
    chat.announcer.on_member_left("ada")
    chat.announcer.on_chat_lost()
    await asyncio.sleep(0.1)
    assert (chat.sent, chat.unreachable_calls) == ([], 0)
    await chat.announcer.close()


async def test_newcomers_share_one_message_and_nobody_gets_it_twice() -> None:
    chat = FakeChat()
    chat.set_notice("ada")
    for username in ("bea", "ada", "cem", "bea"):
        chat.announcer.on_member_joined(username)
    await asyncio.sleep(0.1)
    assert chat.sent == [("a bot is here", ["bea", "cem"])]
    chat.announcer.on_member_left("bea")
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.1)
    assert len(chat.sent) == 1, "after a reload within a minute the notice is not repeated"
    chat.announcer.on_member_left("bea")
    chat.now_s += REPEAT_S
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.1)
    assert chat.sent[1:] == [("a bot is here", ["bea"])]
    await chat.announcer.close()


async def test_members_who_joined_while_the_bot_was_away_are_informed_when_it_is_back() -> None:
    chat = FakeChat()
    chat.set_notice("ada", "dan")
    chat.announcer.on_member_joined("bea")
    await chat.announcer.close()
    chat.now_s += REPEAT_S
    chat.announcer.on_chat_joined(["ada", "bea", "cem"])  # dan has left
    await asyncio.sleep(0.1)
    assert chat.sent == [("a bot is here", ["bea", "cem"])]
    chat.announcer.on_member_joined("dan")
    await asyncio.sleep(0.1)
    assert chat.sent[1:] == [("a bot is here", ["dan"])]
    await chat.announcer.close()


async def test_if_private_messages_fail_the_notice_is_sent_to_everybody_again() -> None:
    chat = FakeChat()
    chat.set_notice("ada")
    chat.refuses_whispers = True
    chat.announcer.on_member_joined("u" * 70_000)
    chat.announcer.on_member_joined("bea")
    await asyncio.sleep(0.3)
    assert chat.sent == [("a bot is here", ["everyone"])]
    assert (chat.attempts, chat.unreachable_calls) == (3, 0)
    await chat.announcer.close()


async def test_unreachable_members_are_reported_once_and_informed_when_the_chat_is_back() -> None:
    chat = FakeChat()
    chat.set_notice("ada")
    chat.is_down = True
    with structlog.testing.capture_logs() as logs:
        chat.announcer.on_member_joined("bea")
        await asyncio.sleep(0.3)
    assert (chat.attempts, chat.unreachable_calls, len(logs)) == (3, 1, 1)
    assert "bea" not in repr(logs)
    chat.is_down = False
    chat.announcer.on_chat_joined(["ada", "bea"])
    await asyncio.sleep(0.1)
    assert chat.sent == [("a bot is here", ["bea"])]
    await chat.announcer.close()


async def test_members_who_leave_before_they_are_informed_are_dropped() -> None:
    chat = FakeChat()
    chat.set_notice()
    chat.is_down = True
    chat.announcer.on_member_joined("bea")
    chat.announcer.on_member_left("bea")
    await asyncio.sleep(0.3)
    assert (chat.attempts, chat.unreachable_calls) == (0, 0)
    await chat.announcer.close()


async def test_a_lost_chat_is_reported_only_if_it_does_not_come_back_in_time() -> None:
    chat = FakeChat(chat_timeout_s=0.1)
    chat.set_notice("ada")
    chat.announcer.on_chat_lost()
    chat.announcer.on_chat_joined(["ada"])
    await asyncio.sleep(0.2)
    assert chat.unreachable_calls == 0
    chat.announcer.on_chat_lost()
    chat.announcer.on_chat_lost()
    await asyncio.sleep(0.2)
    assert chat.unreachable_calls == 1
    chat.announcer.on_chat_lost()
    await chat.announcer.close()
    await asyncio.sleep(0.2)
    assert chat.unreachable_calls == 1


async def test_former_members_are_forgotten_after_the_repeat_time() -> None:
    chat = FakeChat()
    chat.set_notice()
    for number in range(1000):
        chat.announcer.mark_informed([f"student {number}"])
        chat.announcer.on_member_left(f"student {number}")
    chat.now_s += REPEAT_S
    chat.announcer.on_member_left("nobody")
    assert not chat.announcer._informed_s
    await chat.announcer.close()
