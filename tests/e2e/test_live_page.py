"""The live page in a real browser: figures, alerts, check-ins, a lost connection, the keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from reports.summary.records import CheckIn, CheckInKind, Consent
from reports.summary.words import TERM_WORDS, TERMS, WORD_MEANINGS, WORDS
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, accessibility_violations, add_running_class, steady
from tests.reports.builders import a_class
from tests.reports.summary.simulated_classes import a_window

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_a_host_who_opens_the_page_late_sees_the_whole_class(host_server: HostServer) -> None:
    tense = steady(90, 900, tense=0.45)
    await add_running_class(host_server, steady(900) + tense, markers=[(600, "Group work")])
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Tenser")
    await expect(page.locator("#arrow")).to_have_attribute("aria-label", "up")
    await expect(page.locator("#sure")).to_contain_text("sure")
    await expect(page.locator("#now")).to_have_attribute("data-level", "caution")
    await expect(page.locator("#since")).to_contain_text("since 15:")
    await expect(page.locator("#coverage")).to_have_text("14 of 18 faces seen")
    await expect(page.locator("#word-detail")).to_contain_text("points over the class's baseline")
    await expect(page.locator("#newest-alert")).to_contain_text("Faces look tenser tension +")
    await expect(page.locator("#newest-alert")).to_contain_text("14 of 18 faces")
    await expect(page.locator("#markers")).to_contain_text("Group work")
    await expect(page.locator("#timeline svg .tl-marker")).to_have_count(1)


async def test_word_alert_and_pulses_update_live_without_layout_shift(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await expect(page.locator("#timeline svg")).to_be_visible()
    await expect(page.locator("#connection")).to_have_text("connected")
    await page.evaluate(
        """() => { window.layoutShift = 0; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.layoutShift += entry.value;
        }).observe({ type: "layout-shift" }); }"""
    )
    before = await page.locator("#timeline").bounding_box()
    await host_server.publish_window(a_window(900, lost=3))
    await expect(page.locator("#word")).to_have_text("Lost")
    await expect(page.locator("#word-source")).to_have_text("Students say")
    await expect(page.locator("#disagreement")).to_have_text("Faces look as usual; what students say counts.")
    await expect(page.locator("#newest-alert")).to_contain_text("3 of 18 students say lost, last 1 min")
    await expect(page.locator("[data-pulse=lost]")).to_have_text("3")
    for index in range(1, 4):
        await host_server.publish_window(a_window(900 + 5 * index, tense=0.3, analysed=3, shown=False))
    await expect(page.locator("#coverage")).to_have_text("3 of 7 faces seen")
    await expect(page.locator("#shares-note")).to_contain_text("Not shown")
    assert await page.locator("#timeline").bounding_box() == before
    assert await page.evaluate("window.layoutShift") < 0.01


async def test_facing_is_shown_with_the_shares_and_withheld_with_them(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(30, facing=0.832))
    page = await host_server.page(LIVE)
    await expect(page.locator("#facing")).to_contain_text("turned to the screen")
    await expect(page.locator("#facing .share")).to_have_text("83\u00a0%")
    await expect(page.locator("#shares-note")).to_contain_text("not a measure of attention")
    await host_server.publish_window(a_window(30))
    await expect(page.locator("#facing .share")).to_have_text("–")
    await expect(page.locator("#shares-note")).to_contain_text("some faces were too small")
    await host_server.publish_window(a_window(35, shown=False, analysed=3))
    await expect(page.locator("#shares-note")).to_contain_text("Not shown")
    await expect(page.locator("#facing")).to_have_attribute("data-share", "")


async def test_a_class_without_windows_shows_waiting(host_server: HostServer) -> None:
    await add_running_class(host_server, [])
    page = await host_server.page(LIVE)
    await expect(page.locator("#connection")).to_have_text("connected")
    await expect(page.locator("#word")).to_have_text("Waiting")
    await expect(page.locator("#coverage")).to_have_text("for the first figures")
    await expect(page.locator("#arrow")).to_be_hidden()


async def test_the_page_explains_the_current_word_and_lists_all_words(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(900) + steady(90, 900, tense=0.45))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word-meaning")).to_have_text(WORD_MEANINGS["tenser"])
    await expect(page.locator("#word-detail")).to_contain_text("Tension +")
    await expect(page.locator("#why")).to_be_hidden()
    await expect(page.get_by_text(TERMS["baseline"])).to_be_hidden()
    await page.locator("#words summary").focus()
    await page.keyboard.press("Enter")
    for term in (*TERM_WORDS.values(), *WORDS.values()):
        await expect(page.locator("#words dt").get_by_text(term, exact=True)).to_be_visible()
    assert await accessibility_violations(page) == []


async def test_a_student_link_that_works_only_locally_has_a_warning(host_server: HostServer) -> None:
    await add_running_class(host_server, [])
    page = await host_server.page(LIVE, width=390)
    await expect(page.locator("#link-limit")).to_contain_text("works on this machine only")
    assert await accessibility_violations(page) == []
    await host_server.store.put_class(a_class(student_url="https://mood.example/c/ABCD"))
    await page.reload()
    await expect(page.locator("#invite")).to_be_visible()
    await expect(page.locator("#link-limit")).to_have_count(0)


async def test_an_empty_room_asks_the_host_to_share_the_student_link(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(30, analysed=0, camera_off=0, shown=False))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Nobody")
    await expect(page.locator("#coverage")).to_have_text("0 present")
    await expect(page.locator("#word-meaning")).to_contain_text("Give the student link to your class")


async def test_without_face_analysis_no_face_figures_are_shown(host_server: HostServer) -> None:
    cameras_off = steady(60, analysed=0, camera_off=9, shown=False)
    await add_running_class(host_server, cameras_off, info=a_class(jurisdiction="eu-education"))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word-line")).to_contain_text("Students: Silent")
    await expect(page.locator("#coverage")).to_have_text("9 present")
    await expect(page.locator("#timeline svg")).to_be_visible()
    await expect(page.locator("#timeline .tl-withheld")).to_have_count(0)
    await expect(page.locator("#timeline .cov-present")).to_be_visible()
    for hidden in ("#shares", "#facing", "#not-analysed", "#why"):
        await expect(page.locator(hidden)).to_be_hidden()
    await expect(page.locator("main")).not_to_contain_text("seen")
    await host_server.publish_window(a_window(60, analysed=0, camera_off=9, shown=False, lost=3))
    await expect(page.locator("#word-line")).to_contain_text("Students say Lost")
    assert await accessibility_violations(page) == []


async def test_a_dropped_stream_reconnects_and_loads_what_it_missed(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(600))
    page = await host_server.page(LIVE)
    await expect(page.locator("#connection")).to_have_text("connected")
    await expect(page.locator("#as-of")).to_have_text("at 10:00")
    await page.route("**/markers", lambda route: route.abort())
    await page.click("#add-marker")
    await expect(page.locator("#failed")).to_contain_text("the server cannot be reached")
    await page.unroute("**/markers")
    host_server.feed.close("c1")
    await expect(page.locator("#connection")).to_have_text("connection lost, trying again…")
    await expect(page.locator("body.stale")).to_have_count(1)
    for window in steady(30, 600, ok=1):
        await host_server.publish_window(window)
    await expect(page.locator("#connection")).to_have_text("connected", timeout=15_000)
    await expect(page.locator("#as-of")).to_have_text("at 10:30")
    await expect(page.locator("body.stale")).to_have_count(0)
    await expect(page.locator("[data-pulse=ok]")).to_have_text("1")
    await expect(page.locator("[data-pulse=silent]")).to_have_text("17")
    await expect(page.locator("#failed")).to_be_empty()
    await host_server.publish_window(a_window(630, ok=1))
    await expect(page.locator("#as-of")).to_have_text("at 10:35")


async def test_the_page_works_by_keyboard(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await page.keyboard.press("m")
    await page.keyboard.type("Quiz & <i>more</i>")
    await page.keyboard.press("Enter")
    await expect(page.locator("#markers")).to_contain_text("Quiz & <i>more</i>")
    await expect(page.locator("#marker-label")).to_be_focused()
    await page.keyboard.type("q")
    await expect(page.locator("#marker-label")).to_have_value("q")
    await page.locator("#marker-label").blur()
    await page.keyboard.press("q")
    await expect(page.locator("#quiet")).to_have_attribute("aria-pressed", "true")
    await page.locator("#end-class").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#end-dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#end-dialog")).to_be_hidden()


async def test_quiet_mode_shows_only_word_and_coverage_and_is_remembered(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(LIVE)
    await page.click("#quiet")
    await host_server.publish_window(a_window(900, lost=4))
    await expect(page.locator("#word")).to_have_text("Lost")
    for shown in ("#word-line", "#coverage", "#marker-label", "#not-meant"):
        await expect(page.locator(shown)).to_be_visible()
    for hidden in ("#newest-alert", "#timeline", "#shares", "#pulses"):
        await expect(page.locator(hidden)).to_be_hidden()
    await page.reload()
    await expect(page.locator("#newest-alert")).to_be_hidden()
    await page.click("#quiet")
    await expect(page.locator("#newest-alert")).to_contain_text("Students say lost")
    await expect(page.locator("#timeline svg")).to_be_visible()


async def test_the_form_starts_a_class_with_a_title_or_a_room_address(host_server: HostServer) -> None:
    page = await host_server.page("/")
    await expect(page.locator(".empty")).to_contain_text("No class yet")
    await expect(page.locator("#room")).to_be_hidden()
    await page.fill("#title", "Physics")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Physics")
    await page.goto(host_server.url)
    await page.locator("#other-room summary").focus()
    await page.keyboard.press("Enter")
    assert await accessibility_violations(page) == []
    await page.fill("#room", "nowhere")
    await page.keyboard.press("Enter")
    await expect(page.locator("#start-error")).to_contain_text("'nowhere' is not a room URL")
    await page.fill("#room", "n" * 60)
    await page.keyboard.press("Enter")
    await page.set_viewport_size({"width": 320, "height": 700})
    await expect(page.locator("#start-error")).to_contain_text("n" * 60)
    assert await page.locator("#start-class").evaluate("form => form.scrollWidth <= form.clientWidth")


async def test_check_ins_are_in_a_closed_list_in_alphabetical_order(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await expect(page.locator("#check-ins")).to_be_hidden()
    for participant_id, name, at_s in (("p1", "Zoë", 200.0), ("p2", "<b>Anna</b>", 290.0)):
        await host_server.store.add_consent(Consent("c1", participant_id, 1.0, True, name))
        reason = "tension +22 points over their own baseline for 6 min"
        await host_server.store.add_check_in(CheckIn("c1", participant_id, at_s, CheckInKind.TENSION, reason))
    host_server.feed.publish("c1", "check_in", {})
    await expect(page.locator("#check-ins-title")).to_have_text("May need a word (2)")
    await expect(page.get_by_text("Zoë")).to_be_hidden()
    await page.get_by_role("link", name="2 may need a word").focus()
    await page.keyboard.press("Enter")
    names = page.locator("#check-in-list strong")
    await expect(names).to_have_text(["<b>Anna</b>", "Zoë"])
    await expect(page.locator("#check-ins-title")).to_be_focused()
    await expect(page.locator("#check-in-list")).to_contain_text(
        "+22 points over their own baseline for 6 min"
    )
    assert await accessibility_violations(page) == []
    await page.click("#quiet")
    await expect(page.locator("#check-ins")).to_be_hidden()


async def test_the_host_leaves_a_student_out_by_name_or_number(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await page.locator("#leave-out summary").focus()
    await page.keyboard.press("Enter")
    for who, answer in (("Bea", "nobody here has that name or number"), ("Ada", "Left out from now on.")):
        await page.fill("#leave-out-who", who)
        await page.keyboard.press("Enter")
        await expect(page.locator("#leave-out-result")).to_contain_text(answer)
    await expect(page.locator("#leave-out-who")).to_have_value("")
    assert await accessibility_violations(page) == []
