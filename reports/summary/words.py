"""What states, reasons and pulses are called in front of people: the live page and the report share it.

Pure data. Comes in: nothing. Goes to: templates, the report's renderers and the live page's script.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reports.summary.classes import ClassState, analyses_faces
from reports.summary.indications import AlertKind, Sureness, Word
from reports.summary.records import CheckInKind
from reports.summary.windows import NotAnalysed, PulseKind

STATE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ClassState.JOINING.value: "Joining the room",
        ClassState.LOBBY.value: "Waiting to be let in",
        ClassState.LIVE.value: "Live",
        ClassState.RECONNECTING.value: "Connection to the room lost, trying again",
        ClassState.ENDED.value: "Ended",
        ClassState.DENIED.value: "Not let in",
        ClassState.REMOVED.value: "Removed from the room",
        ClassState.FAILED.value: "Failed",
        ClassState.INTERRUPTED.value: "Interrupted",
    }
)

NOT_ANALYSED_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        NotAnalysed.CAMERA_OFF.value: "camera off",
        NotAnalysed.NO_FACE.value: "no face in the picture",
        NotAnalysed.TOO_SMALL.value: "face too small",
        NotAnalysed.LOW_CONFIDENCE.value: "expression unclear",
        NotAnalysed.UNSUPPORTED_CODEC.value: "video format not supported",
        NotAnalysed.NO_FRAMES.value: "no picture arriving",
        NotAnalysed.OPTED_OUT.value: "opted out",
    }
)

PULSE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        PulseKind.LOST.value: "lost",
        PulseKind.OK.value: "OK",
        PulseKind.TOO_SLOW.value: "too slow",
    }
)

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: "Settling",
        Word.UNSEEN.value: "Unseen",
        Word.STEADY.value: "Steady",
        Word.LIVELIER.value: "Livelier",
        Word.QUIETER.value: "Quieter",
        Word.TENSER.value: "Tenser",
        Word.CALMER.value: "Calmer",
        Word.LOST.value: "Lost",
        Word.TOO_SLOW.value: "Too slow",
        Word.OK.value: "OK",
    }
)
"""The one word for the class now."""

WORD_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: "Finding out what is usual here: three minutes or so.",
        Word.UNSEEN.value: "Too few faces: a figure would show single students.",
        Word.STEADY.value: "Faces look as they usually do here.",
        Word.LIVELIER.value: "More smiles and surprise than usual here.",
        Word.QUIETER.value: "Fewer smiles than usual: ask something, or pause.",
        Word.TENSER.value: "More tense looks than usual: ask, do not conclude.",
        Word.CALMER.value: "Fewer tense looks than usual here.",
        Word.LOST.value: "Students tap “lost”: slow down, ask where.",
        Word.TOO_SLOW.value: "Students tap “too slow”: go a little faster.",
        Word.OK.value: "Students tap “OK”: go on.",
    }
)
"""What each word says, and what a host may do about it; stands under the word, on one line of a desktop."""

TERMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seen": "Faces whose expression was read, of everyone present.",
        "tension": "Share of angry, disgusted, afraid and sad looks.",
        "liveliness": "Share of happy and surprised looks.",
        "baseline": "What has been usual for this class since it began.",
        "points": "Percentage points above or below the baseline.",
        "sure": "How far the figures bear the word: how many faces were seen, how long, how far from usual.",
        "pulses": "Taps of the students: lost, OK, too slow. They outrank the faces.",
    }
)
"""What the host's pages mean by their own terms."""

SURE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {Sureness.LOW.value: "unsure", Sureness.MEDIUM.value: "fairly sure", Sureness.HIGH.value: "sure"}
)

ALERT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        AlertKind.LOST.value: "Students say lost",
        AlertKind.TOO_SLOW.value: "Students say too slow",
        AlertKind.TENSION.value: "Faces look tenser",
        AlertKind.QUIET.value: "Faces look quieter",
    }
)

KIND_PHRASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        CheckInKind.TENSION.value: "How was class for you today? I have time to talk if you like.",
        CheckInKind.LOST.value: "Thank you for tapping when you were lost. Shall we go through it together?",
    }
)
"""How to open a word kindly, by the kind of a check-in: a question, nothing of what a camera saw."""

NOT_MEANT: Final = (
    "Visible expressions, not feelings, attention or understanding. "
    "Not for grading, discipline or attendance."
)
"""Stays in view wherever the figures are."""

NOT_MEANT_WITHOUT_FACES: Final = (
    "Taps and how many were present, no face looked at. Not for grading, discipline or attendance."
)
"""Instead of ``NOT_MEANT``, where no figure is about faces."""

SYNTHETIC: Final = "Drawn students, not people: this class was made by the demo."
"""Banner of a class whose participants are not people."""

NO_FACES: Final = (
    "Profile eu-education: no face is looked at and no picture is received. "
    "Who takes part, taps, markers and the report stay."
)
"""Where the law forbids looking at faces."""

FACES: Final = (
    "Privacy profile none: faces are looked at. "
    "Schools in the EU may not do that: there, set privacy.jurisdiction to eu-education."
)


def profile(jurisdiction: str) -> str:
    """Which privacy profile is on, and what that means."""
    return FACES if analyses_faces(jurisdiction) else NO_FACES


def profile_held(faces: bool) -> str:
    """Under which profile a class was held, for its report."""
    if faces:
        return "Profile none: faces were looked at"
    return "Profile eu-education: no face was looked at, no picture received"


def link_limit(student_url: str, faces: bool) -> str | None:
    """What to say where a student link reaches not everybody, or no camera though ``faces`` are looked at."""
    address = urlsplit(student_url)
    try:
        here = ip_address(address.hostname or "").is_loopback
    except ValueError:
        here = address.hostname == "localhost"
    if here:
        return (
            "This link works on this machine only. For students elsewhere, put a TLS proxy in front and set "
            "web.public_url (docs/operations.md)."
        )
    if faces and address.scheme != "https":
        return (
            "Browsers give this link no camera, only the buttons work: put a TLS proxy in front and set "
            "web.public_url to its https address (docs/operations.md)."
        )
    return None


USUAL_MIN_GROUP: Final = 5
"""Smallest group shown unless someone lowered it."""


def low_group(min_group: int) -> str | None:
    """What to say when figures are shown for fewer people than usual; None when they are not."""
    if min_group >= USUAL_MIN_GROUP:
        return None
    people = "a single person" if min_group == 1 else f"as few as {min_group} people"
    return (
        f"Figures are shown for {people} in this class; "
        f"the usual minimum is {USUAL_MIN_GROUP}, so that nobody stands out."
    )
