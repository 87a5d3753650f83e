"""Random bodies, tokens and headers of strangers: refused with one line, or read as what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rooms.companion import known_students
from bot.rooms.companion.client_address import client_address
from bot.rooms.companion.known_students import KnownStudents
from bot.rooms.companion.requests import (
    MAX_NAME_CHARS,
    JoinRequest,
    parse_camera,
    parse_join,
    parse_pulse,
    parse_token,
    parse_withdrawal,
)
from bot.rooms.companion.student import new_student
from reports.web.requests import RequestRefused

ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["consent", "sdp", "type", "name", "individual", "token", "former_token", "kind", "on", "other"]
    ),
    ODD | st.sampled_from([True, "offer", "ok", "\ud800", "x" * 200]),
)
BODIES = FIELDS.map(lambda fields: json.dumps(fields).encode()) | st.binary(max_size=50)


@pytest.mark.parametrize("parse", [parse_join, parse_pulse, parse_withdrawal, parse_camera, parse_token])
@settings(deadline=None)
@given(body=BODIES)
def test_any_body_is_read_or_refused_in_one_line(parse: Callable[[bytes], Any], body: bytes) -> None:
    found, refusal = None, ""
    try:
        found = parse(body)
    except RequestRefused as refused:
        refusal = str(refused)
    assert "\n" not in refusal
    assert len(refusal) < 300
    if isinstance(found, JoinRequest):
        assert json.loads(body)["consent"] is True
        assert found.name is None or 0 < len(found.name) <= MAX_NAME_CHARS


@settings(deadline=None)
@given(st.text() | st.text(st.characters(categories=["Cs"]), max_size=3) | st.none())
def test_any_former_token_makes_a_new_person_unless_it_is_known(former: str | None) -> None:
    known = KnownStudents()
    first, token = new_student(0.0, known, former)
    second, _ = new_student(0.0, known, former)
    assert first.person != second.person
    assert new_student(0.0, known, token)[0].person == first.person


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30) | st.none()), max_size=60))
def test_a_person_belongs_to_one_token_at_a_time(joins: list[tuple[int, int | None]]) -> None:
    """Otherwise a puppet could take the place of a student in a privacy group while the student is there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(known_students, "_MAX_TOKENS", 8)
        known, persons = KnownStudents(), dict[bytes, str]()
        for number, (_, former) in enumerate(joins):
            token = number.to_bytes(2, "big")
            former_token = None if former is None else former.to_bytes(2, "big")
            person = known.add(token, former_token)
            expected = persons.pop(former_token, None) if former_token is not None else None
            assert person == expected or person not in persons.values()
            persons[token] = person
            assert len(set(persons.values())) == len(persons)
            assert len(known._persons) <= 8


@given(st.text(max_size=20) | st.ip_addresses().map(str), st.lists(st.text() | st.ip_addresses().map(str)))
def test_a_stranger_cannot_choose_the_address_that_counts(peer: str, forwarded: list[str]) -> None:
    trusted = [ip_network("10.0.0.0/8")]
    chosen = client_address("203.0.113.7", [*forwarded, peer], trusted)
    assert chosen == "203.0.113.7"
    behind_proxy = client_address("10.0.0.1", [*forwarded, "203.0.113.7"], trusted)
    assert behind_proxy == "203.0.113.7"
    client_address(peer, forwarded, trusted)
