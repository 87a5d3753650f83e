"""Every text of the pages is translated into every language, with the same placeholders."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from reports.languages import LANGUAGES, PSEUDO, choose, language
from reports.languages.collect import catalogue, collect

PLACEHOLDERS = re.compile(r"%\(\w+\)s|\{\w+\}|%%")
TEXTS = collect()


def test_texts_are_found_in_code_templates_and_scripts() -> None:
    assert "bot/rooms/companion/templates/student.html" in TEXTS["Join"]
    assert TEXTS["With me"] == ("bot/rooms/companion/static/questions.js",)
    assert "reports/summary/words.py" in TEXTS["Too few to show"]
    assert len(TEXTS) > 400


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_message_is_missing_or_superfluous(code: str) -> None:
    messages = {str(message.id): str(message.string) for message in catalogue(code) if message.id}
    missing = [text for text in TEXTS if not messages.get(text)]
    assert missing == [], "run `make texts` and translate them"
    assert sorted(messages.keys() - TEXTS.keys()) == [], "run `make texts` to drop them"
    for text, translation in messages.items():
        assert sorted(PLACEHOLDERS.findall(text)) == sorted(PLACEHOLDERS.findall(translation)), text


def test_a_browser_gets_its_language_and_a_choice_goes_first() -> None:
    assert choose(None, "de-AT,de;q=0.9,en;q=0.8").code == "de"
    assert choose(None, "ja, hi;q=0.5").code == "hi"
    assert choose(None, "en;q=0, *").code == "en"
    assert choose("fr", "de").code == "fr"
    assert choose("xx", "es").code == "es"


def test_numbers_and_dates_follow_the_language() -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert language("de").number(12.25) == "12,2"
    assert language("en").number(12.26) == "12.3"
    assert "März" in language("de").day(noon)
    assert "mars" in language("fr").day(noon)


def test_the_pseudo_language_marks_every_text_and_runs_from_right_to_left() -> None:
    pseudo = language(PSEUDO)
    assert pseudo.direction == "rtl"
    assert "[Join]" in pseudo.gettext("Join")
    assert "[With me]" in pseudo.of_files("bot/rooms/companion/", ".js")["With me"]
    assert language("en").of_files("bot/", ".js") == {}
