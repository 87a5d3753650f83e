"""Room URLs that no room answers to."""

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
}


@pytest.mark.parametrize("link", LINKS)
def test_a_meeting_link_is_answered_with_what_to_do_instead(link: str) -> None:
    with pytest.raises(RoomUrlError) as caught:
        open_room(link, adapters(RoomContext(Settings())))
    text = str(caught.value)
    assert text.startswith("leave the room empty and paste the class's student link")
    assert LINKS[link] in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "url", ["https://example.org/zoom.us", "https://notzoom.us/j/1", "nowhere", "zoom.us.example/j"]
)
def test_other_urls_get_a_list_of_examples(url: str) -> None:
    with pytest.raises(RoomUrlError, match="is not a room URL"):
        open_room(url, adapters(RoomContext(Settings())))
