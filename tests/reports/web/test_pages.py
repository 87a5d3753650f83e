"""The host's pages and the timeline, as a browser without JavaScript receives them."""

from __future__ import annotations

import re
from datetime import timedelta

from reports.summary.classes import ClassState
from reports.summary.records import Marker
from tests.reports.builders import START, a_class, a_window
from tests.reports.web.app_client import BEARER, Host


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


async def test_text_from_people_is_escaped(host: Host) -> None:
    hostile = "\"'><img src=x onerror=alert(1)>"
    await host.store.put_class(a_class(title=hostile, reason=hostile, student_url="http://h/c/A"))
    for path in ("/", "/classes/c1"):
        text = await host.page(path)
        assert "<img src=x" not in text
        assert "&lt;img" in text


async def test_live_page_without_javascript_links_to_the_report(host: Host) -> None:
    ended = {"state": ClassState.ENDED, "ended_at": START + timedelta(minutes=1)}
    for changes, expected in (({}, "The figures so far are in"), (ended, "The figures are in")):
        await host.store.put_class(a_class(**changes))
        text = await host.page("/classes/c1")
        noscript = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)
        assert noscript is not None
        assert expected in " ".join(noscript[1].split())
        assert 'href="/api/classes/c1/report.html"' in noscript[1]


async def test_class_list_has_links_and_the_start_form(host: Host) -> None:
    assert "No class yet" in await host.page("/")
    await host.store.put_class(a_class("run", title="Running one"))
    ended = {"state": ClassState.ENDED, "ended_at": START + timedelta(minutes=1)}
    await host.store.put_class(a_class("over", title="Past one", **ended))
    text = await host.page("/")
    assert 'href="/classes/run"' in text
    assert 'href="/api/classes/over/report.html"' in text
    assert 'href="/api/classes/run/report.html"' not in text
    assert 'name="title"' in text
    assert "Not for grading, discipline or attendance" in text


async def test_live_page_has_the_elements_its_script_needs_and_banners(host: Host) -> None:
    await host.store.put_class(a_class(min_group=1, synthetic=True))
    text = await host.page("/classes/c1")
    element_ids = (
        "state coverage shares timeline not-analysed connection student-link end-class report-link add-marker"
    )
    for element_id in element_ids.split():
        assert text.count(f'id="{element_id}"') == 1, element_id
    assert re.findall(r'data-emotion="(\w+)"', text) == [
        "happy", "surprise", "neutral", "sad", "fear", "disgust", "angry",
    ]  # fmt: skip
    assert "Drawn students, not people" in text
    assert "a single person" in text
    assert "not feelings, attention or understanding" in text
    await host.store.put_class(a_class())
    assert 'class="banner"' not in await host.page("/classes/c1")


async def test_timeline_is_drawn_for_the_requested_width(host: Host) -> None:
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
