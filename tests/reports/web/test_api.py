"""The host's JSON API on a real store: classes, windows, markers, check-ins, reports, and wrong requests."""

from __future__ import annotations

from typing import Any

import pytest

from reports.document.class_report import load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.summary.records import CheckIn, CheckInKind, Consent
from reports.web import api
from tests.reports.builders import a_class, a_window
from tests.reports.web.app_client import BEARER, Host


async def test_class_is_started_marked_ended_and_deleted(host: Host) -> None:
    assert await host.json("GET", "/api/classes", 200) == []
    started = await host.json(
        "POST", "/api/classes", 201, json={"room": "companion:", "title": " My\n class "}
    )
    assert (started["title"], started["room"], started["state"]) == ("My class", "companion:", "live")
    path = f"/api/classes/{started['id']}"
    assert await host.json("GET", path, 200) == started
    assert await host.json("GET", "/api/classes", 200) == [started]
    marker = await host.json("POST", f"{path}/markers", 201, json={"label": "Quiz"})
    assert marker == {"class_id": started["id"], "at_s": 12.5, "label": "Quiz", "kind": "host"}
    assert await host.json("GET", f"{path}/markers", 200) == [marker]
    ended = await host.json("POST", f"{path}/end", 200)
    assert ended["state"] == "ended"
    assert await host.json("POST", f"{path}/end", 200) == ended
    assert "not running" in (await host.json("POST", f"{path}/markers", 409, json={"label": "x"}))["error"]
    async with host.client.delete(path, headers=BEARER) as response:
        assert (response.status, await response.read()) == (204, b"")
    await host.json("GET", path, 404)
    await host.json("DELETE", path, 404)


async def test_deleting_a_running_class_ends_it_first(host: Host) -> None:
    await host.store.put_class(a_class())
    with host.feed.subscribe("c1") as subscription:
        assert (await host.client.delete("/api/classes/c1", headers=BEARER)).status == 204
        assert [event.data["state"] async for event in subscription] == ["ended"]
    assert await host.store.get_class("c1") is None


async def test_room_and_title_are_optional(host: Host) -> None:
    started = await host.json("POST", "/api/classes", 201, json={"title": "  "})
    assert (started["room"], started["title"]) == ("companion:", "Class of the day"), (
        "the controller chooses a title"
    )


@pytest.mark.parametrize(
    ("status", "message", "request_options"),
    [
        (400, "not a room URL", {"json": {"room": "zoom:1", "title": "x"}}),
        (400, "title is too long", {"json": {"title": "x" * 201}}),
        (400, "title must be a text", {"json": {"title": 7}}),
        (400, "control characters", {"json": {"title": "a\x00b"}}),
        (400, "control characters", {"data": b'{"title":"\\ud800"}', "json_type": True}),
        (400, "not valid JSON", {"data": b"{", "json_type": True}),
        (400, "not valid JSON", {"data": b"\xff", "json_type": True}),
        (400, "not valid JSON", {"data": b"[" * 20_000, "json_type": True}),
        (400, "JSON object", {"json": ["x"]}),
        (413, "at most 64 KiB", {"json": {"title": "x" * 70_000}}),
        (415, "Content-Type: application/json", {"data": {"title": "x"}}),
        (415, "Content-Type: application/json", {"data": b'{"title":"x"}', "text_type": True}),
    ],
)
async def test_start_with_wrong_fields_is_refused_in_one_line(
    host: Host, status: int, message: str, request_options: dict[str, Any]
) -> None:
    headers = dict(BEARER)
    if request_options.pop("json_type", False):
        headers["Content-Type"] = "application/json"
    if request_options.pop("text_type", False):
        headers["Content-Type"] = "text/plain"
    async with host.client.post("/api/classes", headers=headers, **request_options) as response:
        error = (await response.json())["error"]
        assert (response.status, message in error, "\n" in error) == (status, True, False), error
    assert await host.store.classes() == []


async def test_host_opts_a_student_out_by_name(host: Host) -> None:
    await host.store.put_class(a_class())
    path = "/api/classes/c1/leave-out"
    assert await host.json("POST", path, 200, json={"who": " Ada "}) == {"left_out": 1}
    assert (
        "nobody here has that name or number"
        in (await host.json("POST", path, 404, json={"who": "Bea"}))["error"]
    )
    assert "who is missing" in (await host.json("POST", path, 400, json={}))["error"]
    assert (await host.client.post(path, json={"who": "Ada"})).status == 401
    await host.json("POST", "/api/classes/c1/end", 200)
    assert "not running" in (await host.json("POST", path, 409, json={"who": "Ada"}))["error"]


@pytest.mark.parametrize("label", [None, "", " \n", "x" * 201, 5, "a\x1bb"])
async def test_marker_with_a_wrong_label_is_refused(host: Host, label: object) -> None:
    await host.store.put_class(a_class())
    await host.json("POST", "/api/classes/c1/markers", 400, json={"label": label})
    assert await host.store.markers("c1") == []


async def test_markers_beyond_the_limit_are_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_MARKERS", 3)
    await host.store.put_class(a_class())
    for number in range(3):
        await host.json("POST", "/api/classes/c1/markers", 201, json={"label": str(number)})
    refused = await host.json("POST", "/api/classes/c1/markers", 409, json={"label": "one more"})
    assert "3 markers" in refused["error"]
    assert len(await host.store.markers("c1")) == 3


async def test_windows_can_be_listed_from_a_start_time(host: Host) -> None:
    await host.store.put_class(a_class())
    for start_s in (10.0, 0.0, 5.0):
        await host.store.add_window(a_window(start_s))
    path = "/api/classes/c1/windows"
    assert await host.json("GET", path, 200) == [a_window(at).to_json() for at in (0.0, 5.0, 10.0)]
    found = await host.json("GET", path, 200, params={"since_s": "5"})
    assert [window["start_s"] for window in found] == [5.0, 10.0]
    for wrong in ("-1", "nan", "inf", "x", ""):
        assert "since_s" in (await host.json("GET", path, 400, params={"since_s": wrong}))["error"]


async def test_indicators_are_computed_from_the_stored_windows(host: Host) -> None:
    await host.store.put_class(a_class())
    assert await host.json("GET", "/api/classes/c1/indicators", 200) == {"now": None, "alerts": []}
    for index in range(40):
        await host.store.add_window(a_window(5 * index))
    found = await host.json("GET", "/api/classes/c1/indicators", 200)
    assert found["alerts"] == []
    assert (found["now"]["word"], found["now"]["at_s"], found["now"]["analysed"]) == ("steady", 200, 6)
    await host.json("GET", "/api/classes/none/indicators", 404)


async def test_check_ins_have_the_name_and_a_suggested_phrase(host: Host) -> None:
    await host.store.put_class(a_class())
    assert await host.json("GET", "/api/classes/c1/check-ins", 200) == []
    await host.store.add_consent(Consent("c1", "p1", 1.0, True, "Zoë <b>"))
    await host.store.add_check_in(
        CheckIn("c1", "p1", 900.0, CheckInKind.LOST, "tapped lost 3 times in 10 min")
    )
    (found,) = await host.json("GET", "/api/classes/c1/check-ins", 200)
    assert (found["name"], found["at_s"], found["reason"]) == (
        "Zoë <b>",
        900,
        "tapped lost 3 times in 10 min",
    )
    assert set(found) == {"name", "at_s", "reason", "say"}
    assert "?" in found["say"]


async def test_reports_have_the_same_bytes_as_those_of_the_command_line(host: Host) -> None:
    await host.store.put_class(a_class(title="Ärger & <b>"))
    await host.store.add_window(a_window())
    report = await load_report(host.store, "c1", None)
    assert report is not None
    for ending, renderer, kind in (
        ("html", to_html, "text/html"),
        ("csv", to_csv, "text/csv"),
        ("json", to_json, "application/json"),
    ):
        async with host.client.get(f"/api/classes/c1/report.{ending}", headers=BEARER) as response:
            assert (response.status, response.content_type) == (200, kind)
            assert f'filename="classmood-c1.{ending}"' in response.headers["Content-Disposition"]
            assert await response.read() == renderer(report).encode()


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/api/classes/none"),
        ("DELETE", "/api/classes/none"),
        ("POST", "/api/classes/none/end"),
        ("GET", "/api/classes/none/live"),
        ("GET", "/api/classes/none/windows"),
        ("GET", "/api/classes/none/markers"),
        ("GET", "/api/classes/none/report.csv"),
        ("GET", "/api/classes/..%2F..%2Fetc"),
        ("GET", "/api/nothing"),
        ("GET", "/classes/none"),
        ("GET", "/static/0/none.css"),
    ],
)
async def test_unknown_classes_and_paths_get_404(host: Host, method: str, address: str) -> None:
    assert "\n" not in (await host.json(method, address, 404))["error"]


async def test_wrong_method_gets_405_with_the_allowed_methods(host: Host) -> None:
    assert "GET,HEAD,POST" in (await host.json("PUT", "/api/classes", 405))["error"].replace(", ", ",")
