"""Room URLs that no room answers to."""

from pathlib import Path

import pytest

from bot.config import Settings
from bot.rooms.contract import RoomUrlError
from bot.rooms.registry import RoomContext, adapters, open_room

LINKS = {
    "https://zoom.us/j/123?pwd=secret": "Zoom",
    "https://us02web.zoom.us/j/123": "Zoom",
    "zoom.us/j/5": "Zoom",
    "zoommtg://zoom.us/join?confno=1": "Zoom",
    "https://teams.microsoft.com/l/meetup-join/19%3a": "Teams",
    "https://teams.live.com/meet/9": "Teams",
    "meet.google.com/abc-defg-hij": "Google Meet",
    "HTTPS://Meet.Google.com/abc": "Google Meet",
    "https://school.webex.com/meet/x": "Webex",
    "https://www.zoomgov.com/j/1": "Zoom",
    "https://school.zoom.com.cn/j/1": "Zoom",
    "https://teacher@zoom.us/j/1": "Zoom",
    "https://gov.teams.microsoft.us/l/meetup-join/1": "Teams",
    "https://teams.cloud.microsoft/meet/1": "Teams",
    "msteams:/l/meetup-join/1": "Teams",
    "https://meet.google.com./abc": "Google Meet",
    "https://g.co/meet/maths": "Google Meet",
    "webexteams://meet?sip=1": "Webex",
    "Join Zoom Meeting https://zoom.us/j/1?pwd=secret Passcode: 1": "Zoom",
    "<https://teams.live.com/meet/9>": "Teams",
}


@pytest.mark.parametrize("link", LINKS)
def test_a_meeting_link_is_answered_with_what_to_do_instead(link: str) -> None:
    with pytest.raises(RoomUrlError) as caught:
        open_room(link, adapters(RoomContext(Settings())))
    text = str(caught.value)
    assert text.startswith("leave the address of the room empty (on the command line, give companion:)")
    assert "student link" in text
    assert text.endswith(f"ClassMood cannot enter the meetings of {LINKS[link]}")
    assert "secret" not in text


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/zoom.us",
        "https://notzoom.us/j/1",
        "nowhere",
        "zoom.us.example/j",
        "g.co/x",
        "http:",
    ],
)
def test_other_urls_get_a_list_of_examples(url: str) -> None:
    with pytest.raises(RoomUrlError, match="is not a room URL"):
        open_room(url, adapters(RoomContext(Settings())))


@pytest.mark.parametrize(
    "link", ["https://meet.jit.si/maths?jwt=secret", "http://call.school.example/rooms/1"]
)
def test_a_web_link_of_any_other_call_is_answered_with_what_to_do_instead(link: str) -> None:
    with pytest.raises(RoomUrlError, match="paste the class's student link into the call's chat") as caught:
        open_room(link, adapters(RoomContext(Settings())))
    assert "is not a room URL, but a web page" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_may_be_named_after_a_platform(tmp_path: Path) -> None:
    (tmp_path / "zoom.us").mkdir()
    with pytest.raises(RoomUrlError, match="no video"):
        open_room(f"replay:{tmp_path}//zoom.us/", adapters(RoomContext(Settings())))
