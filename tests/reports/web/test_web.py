"""The host's API and pages on a real store: answers, errors, headers."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from reports.document.class_report import load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.summary.classes import ClassState
from reports.summary.records import CheckIn, CheckInKind, Consent, Marker
from reports.web import api
from tests.reports.builders import START, a_class, a_window
from tests.reports.web.app_client import BEARER, Host


async def test_health_and_readiness(host: Host) -> None:
    assert (await host.client.get("/healthz")).status == 200
    assert (await host.client.get("/readyz")).status == 200
    host.unready = "the model is missing: run classmood doctor"
    response = await host.client.get("/readyz")
    assert response.status == 503
    assert await response.json() == {"error": host.unready}
    assert (await host.client.get("/healthz")).status == 200


async def test_metrics_are_prometheus_text(host: Host) -> None:
    response = await host.client.get("/metrics", headers=BEARER)
    assert response.content_type == "text/plain"
    assert "# TYPE process_cpu_seconds_total counter" in await response.text()


async def test_a_class_from_start_to_deletion(host: Host) -> None:
    assert await host.json("GET", "/api/classes", 200) == []
    made = await host.json("POST", "/api/classes", 201, json={"room": "companion:", "title": " My\n class "})
    assert (made["title"], made["room"], made["state"]) == ("My class", "companion:", "live")
    path = f"/api/classes/{made['id']}"
    assert await host.json("GET", path, 200) == made
    assert await host.json("GET", "/api/classes", 200) == [made]
    marker = await host.json("POST", f"{path}/markers", 201, json={"label": "Quiz"})
    assert marker == {"class_id": made["id"], "at_s": 12.5, "label": "Quiz"}
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


async def test_somebody_is_left_out_by_what_the_host_knows_of_them(host: Host) -> None:
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


async def test_start_has_defaults(host: Host) -> None:
    made = await host.json("POST", "/api/classes", 201, json={"title": "  "})
    assert (made["room"], made["title"]) == ("companion:", "Class of the day"), "the controller titles it"


@pytest.mark.parametrize(
    ("status", "said", "request_"),
    [
        (400, "no room URL", {"json": {"room": "zoom:1", "title": "x"}}),
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
async def test_a_wrong_start_is_refused_in_one_line(
    host: Host, status: int, said: str, request_: dict[str, Any]
) -> None:
    headers = dict(BEARER)
    if request_.pop("json_type", False):
        headers["Content-Type"] = "application/json"
    if request_.pop("text_type", False):
        headers["Content-Type"] = "text/plain"
    async with host.client.post("/api/classes", headers=headers, **request_) as response:
        error = (await response.json())["error"]
        assert (response.status, said in error, "\n" in error) == (status, True, False), error
    assert await host.store.classes() == []


@pytest.mark.parametrize("label", [None, "", " \n", "x" * 201, 5, "a\x1bb"])
async def test_a_wrong_label_is_refused(host: Host, label: object) -> None:
    await host.store.put_class(a_class())
    await host.json("POST", "/api/classes/c1/markers", 400, json={"label": label})
    assert await host.store.markers("c1") == []


async def test_windows_since(host: Host) -> None:
    await host.store.put_class(a_class())
    for start_s in (10.0, 0.0, 5.0):
        await host.store.add_window(a_window(start_s))
    path = "/api/classes/c1/windows"
    assert await host.json("GET", path, 200) == [a_window(at).to_json() for at in (0.0, 5.0, 10.0)]
    found = await host.json("GET", path, 200, params={"since_s": "5"})
    assert [window["start_s"] for window in found] == [5.0, 10.0]
    for wrong in ("-1", "nan", "inf", "x", ""):
        assert "since_s" in (await host.json("GET", path, 400, params={"since_s": wrong}))["error"]


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
async def test_unknown_things_are_404(host: Host, method: str, address: str) -> None:
    assert "\n" not in (await host.json(method, address, 404))["error"]


async def test_indicators_are_those_of_the_stored_windows(host: Host) -> None:
    await host.store.put_class(a_class())
    assert await host.json("GET", "/api/classes/c1/indicators", 200) == {"now": None, "alerts": []}
    for index in range(40):
        await host.store.add_window(a_window(5 * index))
    found = await host.json("GET", "/api/classes/c1/indicators", 200)
    assert found["alerts"] == []
    assert (found["now"]["word"], found["now"]["at_s"], found["now"]["analysed"]) == ("steady", 200, 6)
    await host.json("GET", "/api/classes/none/indicators", 404)


async def test_check_ins_are_given_by_name_with_a_kind_phrase(host: Host) -> None:
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


async def test_a_wrong_method_says_which_is_right(host: Host) -> None:
    assert "GET,HEAD,POST" in (await host.json("PUT", "/api/classes", 405))["error"].replace(", ", ",")


async def test_people_get_errors_as_a_page(host: Host) -> None:
    for path in ("/classes/none", "/api/classes/none/report.html"):
        response = await host.client.get(path, headers=BEARER | {"Accept": "text/html"})
        assert (response.status, response.content_type) == (404, "text/html")
        assert "No such class" in await response.text()


async def test_reports_are_the_command_lines_bytes(host: Host) -> None:
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


async def test_headers_guard_every_answer(host: Host) -> None:
    await host.store.put_class(a_class())
    style = re.findall(r'href="(/static/[^"]+css)"', await host.page("/"))[0]
    statuses = set()
    for method, path, headers in (
        ("GET", "/", BEARER),
        ("GET", "/classes/c1", BEARER),
        ("GET", "/api/classes", BEARER),
        ("GET", "/api/none", BEARER),
        ("GET", "/api/classes", {}),
        ("PUT", "/api/classes", BEARER),
        ("POST", "/api/classes", BEARER),
        ("GET", "/healthz", {}),
        ("GET", "/api/classes/c1/live", BEARER),
        ("GET", style, {}),
        ("GET", "/static/0/none.css", {}),
    ):
        async with host.client.request(method, path, headers=headers) as response:
            statuses.add(response.status)
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Server"] == "ClassMood"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Permissions-Policy"].startswith("camera=(self), microphone=()")
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            if path != style:
                assert response.headers["Cache-Control"] in {"no-store", "no-cache"}
    assert statuses == {200, 401, 404, 405, 415}


async def test_a_fault_of_the_program_is_told_in_one_line_without_its_insides(host: Host) -> None:
    with capture_logs() as logs:
        assert await host.json("GET", "/fails", 500) == {"error": "internal error: see the server log"}
        page = await host.client.get("/fails", headers=BEARER | {"Accept": "text/html"})
    assert [(log["event"], log["address"]) for log in logs] == [("request_failed", "/fails")] * 2
    assert (page.status, page.content_type) == (500, "text/html")
    assert "secret detail" not in await page.text()
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_the_report_may_use_its_own_style_and_nothing_else(host: Host) -> None:
    await host.store.put_class(a_class(title="<style>*{color:red}</style>"))
    await host.store.add_window(a_window())
    async with host.client.get("/api/classes/c1/report.html", headers=BEARER) as response:
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=", text)


async def test_a_class_takes_so_many_markers_and_no_more(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_MARKERS", 3)
    await host.store.put_class(a_class())
    for number in range(3):
        await host.json("POST", "/api/classes/c1/markers", 201, json={"label": str(number)})
    refused = await host.json("POST", "/api/classes/c1/markers", 409, json={"label": "one more"})
    assert "3 markers" in refused["error"]
    assert len(await host.store.markers("c1")) == 3


async def test_pages_have_no_inline_code_and_their_files_are_versioned(host: Host) -> None:
    await host.store.put_class(a_class())
    for path in ("/", "/classes/c1"):
        text = await host.page(path)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)
        links = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
        assert len(links) >= 5
        for link in links:
            assert re.match(r"/static/[0-9a-f]{12}/", link)
            async with host.client.get(link) as response:
                assert response.status == 200
                assert "immutable" in response.headers["Cache-Control"]
                content = await response.read()
            other_version = re.sub(r"/static/[0-9a-f]{12}/", "/static/000000000000/", link)
            async with host.client.get(other_version) as response:
                assert (response.status, await response.read()) == (200, content)
                assert response.headers["Cache-Control"] == "no-cache"


async def test_pages_escape_what_people_wrote(host: Host) -> None:
    hostile = "\"'><img src=x onerror=alert(1)>"
    await host.store.put_class(a_class(title=hostile, reason=hostile, student_url="http://h/c/A"))
    for path in ("/", "/classes/c1"):
        text = await host.page(path)
        assert "<img" not in text
        assert "&lt;img" in text


async def test_without_javascript_the_live_page_says_that_it_shows_no_figures(host: Host) -> None:
    over = {"state": ClassState.ENDED, "ended_at": START + timedelta(minutes=1)}
    for more, said in (({}, "The figures so far are in"), (over, "The figures are in")):
        await host.store.put_class(a_class(**more))
        text = await host.page("/classes/c1")
        found = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)
        assert found is not None
        assert said in " ".join(found[1].split())
        assert 'href="/api/classes/c1/report.html"' in found[1]


async def test_the_list_shows_classes_and_the_form(host: Host) -> None:
    assert "No class yet" in await host.page("/")
    await host.store.put_class(a_class("run", title="Running one"))
    over = {"state": ClassState.ENDED, "ended_at": START + timedelta(minutes=1)}
    await host.store.put_class(a_class("over", title="Past one", **over))
    text = await host.page("/")
    assert 'href="/classes/run"' in text
    assert 'href="/api/classes/over/report.html"' in text
    assert 'href="/api/classes/run/report.html"' not in text
    assert 'name="title"' in text
    assert "Not for grading, discipline or attendance" in text


async def test_the_live_page_has_its_hooks_and_banners(host: Host) -> None:
    await host.store.put_class(a_class(min_group=1, synthetic=True))
    text = await host.page("/classes/c1")
    hooks = (
        "state coverage shares timeline not-analysed connection student-link end-class report-link add-marker"
    )
    for hook in hooks.split():
        assert text.count(f'id="{hook}"') == 1, hook
    assert re.findall(r'data-emotion="(\w+)"', text) == [
        "happy", "surprise", "neutral", "sad", "fear", "disgust", "angry",
    ]  # fmt: skip
    assert "Drawn students, not people" in text
    assert "a single person" in text
    assert "not feelings, attention or understanding" in text
    await host.store.put_class(a_class())
    assert 'class="banner"' not in await host.page("/classes/c1")


async def test_the_timeline_is_drawn_for_a_width(host: Host) -> None:
    await host.store.put_class(a_class())
    await host.store.add_window(a_window())
    await host.store.add_marker(Marker("c1", 2, "Warm-up"))
    async with host.client.get("/classes/c1/timeline.svg?width=400", headers=BEARER) as response:
        assert response.content_type == "image/svg+xml"
        text = await response.text()
    assert 'width="400"' in text
    assert "Warm-up" in text
    for wrong in ("x", "-5", "1e3", "9999999"):
        await host.json("GET", "/classes/c1/timeline.svg", 400, params={"width": wrong})
    await host.json("GET", "/classes/none/timeline.svg", 404)
