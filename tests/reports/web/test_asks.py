"""The API for asking a class."""

from __future__ import annotations

from typing import Any

import pytest

from reports.summary.classes import ClassState
from tests.reports.builders import a_class
from tests.reports.web.app_client import Host

ASKS = "/api/classes/c1/asks"


async def test_the_usual_question_and_a_question_of_ones_own(host: Host) -> None:
    await host.store.put_class(a_class())
    assert await host.json("GET", ASKS, 200) == []
    asked = await host.json("POST", ASKS, 201, json={"alert_at_s": 12.5})
    assert asked["answers"] == ["with_me", "lost", "too_fast", "too_slow"]
    assert (asked["alert_at_s"], asked["open"], asked["confirmed"], asked["silent"]) == (12.5, True, None, 8)
    own = await host.json("POST", ASKS, 201, json={"question": " Which? ", "answers": ["this", "that"]})
    assert (own["question"], own["answers"]) == ("Which?", ["this", "that"])
    assert [ask["question"] for ask in await host.json("GET", ASKS, 200)] == ["Which?"]


@pytest.mark.parametrize(
    "body",
    [
        {"question": "Which?"},
        {"answers": ["this", "that"]},
        {"question": "Which?", "answers": ["this"]},
        {"question": "Which?", "answers": ["this", "this"]},
        {"question": "Which?", "answers": ["1", "2", "3", "4", "5"]},
        {"question": "Which?", "answers": "this that"},
        {"question": "Which?", "answers": ["this", 5]},
        {"question": "q" * 201, "answers": ["this", "that"]},
        {"question": "Which?", "answers": ["this", "a" * 41]},
        {"alert_at_s": "now"},
        {"alert_at_s": True},
        {"alert_at_s": -1},
    ],
)
async def test_a_wrong_question_is_refused_in_one_line(host: Host, body: dict[str, Any]) -> None:
    await host.store.put_class(a_class())
    assert "\n" not in (await host.json("POST", ASKS, 400, json=body))["error"]


async def test_a_class_that_has_ended_is_not_asked_and_not_calmed(host: Host) -> None:
    await host.store.put_class(a_class(state=ClassState.ENDED))
    await host.json("POST", ASKS, 409, json={})
    await host.json("POST", "/api/classes/c1/calm", 409, json={})
    await host.json("POST", "/api/classes/none/asks", 404, json={})


async def test_calm_sets_a_marker(host: Host) -> None:
    await host.store.put_class(a_class())
    marker = await host.json("POST", "/api/classes/c1/calm", 201, json={})
    assert (marker["kind"], marker["label"]) == ("calm", "Dealt with it")
