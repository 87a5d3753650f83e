"""The report in a real browser: its content, its size, its layout on a screen and in print."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.async_api import expect

from reports.summary.classes import ClassState
from reports.summary.windows import WindowSummary
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import accessibility_violations
from tests.reports.builders import START, a_class
from tests.reports.summary.simulated_classes import a_window, simulate

pytestmark = [pytest.mark.browser, needs_chromium]

REPORT = "/api/classes/c1/report.html"
OVER = a_class(
    state=ClassState.ENDED, reason="The host ended the class.", ended_at=START + timedelta(hours=1.5)
)
MARKERS = [(0.0, "Welcome"), (900.0, "Group <b>work</b>"), (2700.0, "مراجعة الدرس"), (5390.0, "End")]


def ninety_minutes() -> list[WindowSummary]:
    """Thirty students: tense for ten minutes, lost for one, with a gap and a time with too few faces."""
    windows = []
    for index, window in enumerate(simulate(1, 90, students=30, shifts=[(2400, 0.2, 0), (3000, -0.2, 0)])):
        if 300 <= index < 330:
            continue
        if 100 <= index < 120:
            reasons = dict(window.not_analysed) | {"camera_off": 37}
            window = replace(window, expressions=None, analysed=3, cameras_on=3, not_analysed=reasons)
        if 1000 <= index < 1012:
            window = replace(window, pulses=dict(window.pulses) | {"lost": 1}, votes={"lost": 12}, weights={})
        windows.append(window)
    return windows


async def test_the_report_has_every_section_with_its_figures(host_server: HostServer) -> None:
    earlier = replace(OVER, id="c0", started_at=START - timedelta(days=7))
    await host_server.add_class(simulate(2, 30), info=earlier)
    await host_server.add_class(ninety_minutes(), MARKERS, OVER)
    page = await host_server.page(REPORT)
    moments = page.locator("section[aria-labelledby=moments] li")
    await expect(moments).to_have_count(3)
    await expect(moments.filter(has_text="say lost")).to_have_count(1)
    await expect(moments.filter(has_text="Tension").first).to_contain_text("of 40.0 faces")
    await expect(moments.filter(has_text="say lost")).to_contain_text("1:23:00 to 1:24:00")
    alerts = page.locator("section[aria-labelledby=alerts] li")
    await expect(alerts.first).to_contain_text("Faces look tenser tension +")
    await expect(alerts.last).to_contain_text("Students say lost")
    segments = page.locator("section[aria-labelledby=segments] tbody tr")
    await expect(segments).to_have_count(4)
    await expect(segments.nth(1)).to_contain_text("Group <b>work</b>")
    await expect(segments.nth(1)).to_contain_text("±")
    await expect(segments.nth(3)).not_to_contain_text("±")
    await expect(page.locator("section[aria-labelledby=around-taps]")).to_contain_text("lost (12)")
    classes = page.locator("section[aria-labelledby=earlier] tbody tr")
    await expect(classes).to_have_count(2)
    await expect(classes.last).to_contain_text("this class")
    await expect(page.locator("section[aria-labelledby=limits]")).to_contain_text("20 of 1050 windows")
    await expect(page.locator("section[aria-labelledby=how]")).to_contain_text("The model in brief")
    await expect(page.locator("svg.timeline")).to_have_count(2)
    overall = page.locator("section[aria-labelledby=overall]")
    await expect(overall).to_contain_text("of the faces were turned to the screen")
    await expect(classes.last.locator("td").nth(4)).to_have_text("90\u00a0%")


async def test_the_report_is_small_and_the_same_every_time(host_server: HostServer) -> None:
    """``python -m benchmarks pages`` measures how long it takes to load."""
    await host_server.add_class(ninety_minutes(), MARKERS, OVER)
    page = await host_server.page("/")
    bodies = []
    for _ in range(3):
        answer = await page.goto(host_server.url + REPORT)
        assert answer is not None
        bodies.append(await answer.body())
    assert len(bodies[0]) < 500_000
    assert len(set(bodies)) == 1


async def test_the_content_security_policy_allows_the_embedded_style(host_server: HostServer) -> None:
    await host_server.add_class(ninety_minutes(), MARKERS, OVER)
    page = await host_server.page("/")
    console_errors: list[str] = []
    page.on("console", lambda line: console_errors.append(line.text) if line.type == "error" else None)
    await page.goto(host_server.url + REPORT)
    assert await page.evaluate("[...document.styleSheets].map((sheet) => sheet.cssRules.length > 20)") == [
        True
    ]
    assert console_errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
async def test_the_report_is_accessible_and_fits_every_width(
    host_server: HostServer, width: int, scheme: str
) -> None:
    await host_server.add_class(ninety_minutes(), MARKERS, OVER)
    page = await host_server.page(REPORT, width=width, scheme=scheme)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    # The policy of the report blocks every script, so axe checks a copy without the policy.
    saved = await page.context.new_page()
    await saved.set_content(await page.content())
    assert await accessibility_violations(saved) == []


async def test_the_report_prints_on_a4(host_server: HostServer) -> None:
    await host_server.add_class(ninety_minutes(), MARKERS, OVER)
    page = await host_server.page(REPORT)
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": 680, "height": 960})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 680
    pdf = await page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")


async def test_unusual_classes_have_a_report(host_server: HostServer) -> None:
    nothing, too_short = "Nothing stands out", "Too little was observed"
    unusual = {
        "empty": ([], "Nothing to show"),
        "faceless": ([a_window(5 * n, analysed=0, camera_off=4, shown=False) for n in range(60)], nothing),
        "alone": ([a_window(5 * n, analysed=1, camera_off=0) for n in range(60)], nothing),
        "jump": ([a_window(0), a_window(1e6), a_window(1e6 + 5)], too_short),
    }
    for name, (windows, message) in unusual.items():
        # The wall clock was set back during the class.
        info = replace(OVER, id=name, title="عنوان " + name, ended_at=START - timedelta(hours=1))
        await host_server.add_class(windows, info=info)
        page = await host_server.page(f"/api/classes/{name}/report.html")
        await expect(page.locator("h1")).to_have_text("عنوان " + name)
        await expect(page.locator("section[aria-labelledby=moments]")).to_contain_text(message)
        await page.context.close()
