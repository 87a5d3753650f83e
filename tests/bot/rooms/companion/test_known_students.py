"""Students of an earlier class under the same code are recognised by their former token, once."""

from __future__ import annotations

from bot.rooms.companion.known_students import KnownStudents


def test_a_former_token_is_recognised_once() -> None:
    known = KnownStudents()
    ada = known.add(b"ada 1", None)
    assert known.add(b"ada 2", b"ada 1") == ada
    assert known.add(b"puppet", b"ada 1") != ada
    assert known.add(b"ada 3", b"ada 2") == ada


def test_an_unknown_former_token_makes_a_new_person() -> None:
    known = KnownStudents()
    assert known.add(b"a", b"guessed") != known.add(b"b", b"guessed")
