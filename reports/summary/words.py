"""The texts that people read about a class; the live page, the report and the commands share them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reports.summary.asks import WITH_ME, Ask
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
        NotAnalysed.NO_FRAMES.value: "no video arriving",
        NotAnalysed.OPTED_OUT.value: "opted out",
        NotAnalysed.UNDECODABLE.value: "video that cannot be decoded",
    }
)

PULSE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        PulseKind.LOST.value: "lost",
        PulseKind.OK.value: "OK",
        PulseKind.TOO_FAST.value: "too fast",
        PulseKind.TOO_SLOW.value: "too slow",
    }
)

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: "Settling",
        Word.UNSEEN.value: "Too few to show",
        Word.STEADY.value: "Steady",
        Word.LIVELIER.value: "Livelier",
        Word.QUIETER.value: "Quieter",
        Word.TENSER.value: "Tenser",
        Word.CALMER.value: "Calmer",
        Word.LOST.value: "Lost",
        Word.TOO_FAST.value: "Too fast",
        Word.TOO_SLOW.value: "Too slow",
        Word.OK.value: "OK",
    }
)
"""The word of the indicator, as people read it."""

WORD_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: "Learning what is usual here: about three minutes.",
        Word.UNSEEN.value: "Figures of so few faces could reveal one student.",
        Word.STEADY.value: "Faces look as they usually do here.",
        Word.LIVELIER.value: "More smiles and surprise than usual here.",
        Word.QUIETER.value: "Fewer smiles than usual: ask the class, or pause.",
        Word.TENSER.value: "More tense looks than usual: ask the class, do not assume.",
        Word.CALMER.value: "Fewer tense looks than usual here.",
        Word.LOST.value: "Explain it again, or ask where they were lost.",
        Word.TOO_FAST.value: "Slow down.",
        Word.TOO_SLOW.value: "Go a little faster.",
        Word.OK.value: "Half the class or more says OK: go on.",
    }
)
"""What each word means and what the host can do about it.

Shown below the word; short enough for one line on a desktop screen.
"""

TERMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seen": "Students whose face was analysed, out of everyone present.",
        "tension": "Share of angry, disgusted, afraid and sad looks.",
        "liveliness": "Share of happy and surprised looks.",
        "baseline": "What has been usual for this class since it began.",
        "points": "Percentage points above or below the baseline.",
        "sure": "How well the figures support the word: how many faces, for how long, how far from usual.",
        "now": "What students said last, by tap or answer, within a minute. It fades, and outranks faces.",
    }
)
"""The terms of the host's pages, explained."""

SURE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {Sureness.LOW.value: "unsure", Sureness.MEDIUM.value: "fairly sure", Sureness.HIGH.value: "sure"}
)

ALERT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        AlertKind.LOST.value: "Students say lost",
        AlertKind.TOO_FAST.value: "Students say too fast",
        AlertKind.TOO_SLOW.value: "Students say too slow",
        AlertKind.TENSION.value: "Faces look tenser",
        AlertKind.QUIET.value: "Faces look quieter",
    }
)

ANSWER_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {WITH_ME: "with me", "lost": "lost", "too_fast": "too fast", "too_slow": "too slow"}
)
"""The answers to the usual question."""

USUAL_QUESTION: Final = "Are you with me?"

DEALT_WITH: Final = "Dealt with it"
"""Label of the marker that the host sets by saying so."""

KIND_PHRASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        CheckInKind.TENSION.value: "How was class for you today? I have time to talk if you like.",
        CheckInKind.LOST.value: "Thank you for tapping when you were lost. Shall we go through it together?",
    }
)
"""A kind opening question for each kind of check-in; it mentions nothing that a camera saw."""

NOT_MEANT: Final = (
    "Visible expressions, not feelings, attention or understanding. "
    "Not for grading, discipline or attendance."
)
"""Always visible on pages that show figures about faces."""

NOT_MEANT_WITHOUT_FACES: Final = (
    "Taps and the number of students present, without face analysis. "
    "Not for grading, discipline or attendance."
)
"""Shown instead of ``NOT_MEANT`` for a class without face analysis."""

SYNTHETIC: Final = "Drawn students, not people: this class was made by the demo."
"""Banner of a class with synthetic students."""

NO_FACES: Final = (
    "Profile eu-education: faces are not analysed and no video is received. "
    "Attendance, taps, markers and the report still work."
)
"""Meaning of the profile for places where the law forbids face analysis."""

FACES: Final = (
    "Privacy profile none: faces are analysed. "
    "Schools in the EU must not do this: set privacy.jurisdiction to eu-education there."
)
"""Meaning of the default profile, for whoever runs the server."""


def profile(jurisdiction: str) -> str:
    """The privacy profile in force and what it means, in one line."""
    return FACES if analyses_faces(jurisdiction) else NO_FACES


def profile_held(faces: bool) -> str:
    """The privacy profile under which a class was held, for its report."""
    if faces:
        return "Profile none: faces were analysed"
    return "Profile eu-education: no face analysis, no video received"


def answer_words(ask: Ask) -> list[str]:
    """The answers of a question as people read them; those to the host's own question are the host's."""
    return [ANSWER_WORDS[answer] if ask.usual else answer for answer in ask.answers]


def asked(ask: Ask) -> str:
    """What the class answered, in one line: "Asked: 21 with me · 6 lost · 3 silent"."""
    counted = zip(ask.answers, answer_words(ask), strict=True)
    counts = [f"{ask.counts.get(answer, 0)} {word}" for answer, word in counted if ask.counts.get(answer, 0)]
    return f"{ask.question or 'Asked'}: {' · '.join([*counts, f'{ask.silent} silent'])}"


def chat_question(ask: Ask) -> str:
    """A question as it is said in the chat of a room, where a digit is an answer."""
    choices = ", ".join(f"{number} {word}" for number, word in enumerate(answer_words(ask), 1))
    return f"{ask.question or USUAL_QUESTION} Answer with a digit: {choices}."


def link_limit(student_url: str, faces: bool) -> str | None:
    """A warning about a student link that does not work for everyone; None when it does.

    Args:
        student_url: The link.
        faces: Whether the class has face analysis, so that students need the camera.
    """
    address = urlsplit(student_url)
    try:
        local = ip_address(address.hostname or "").is_loopback
    except ValueError:  # a host name
        local = address.hostname == "localhost"
    if local:
        return (
            "This link works on this machine only. Before you invite students elsewhere, set up a public "
            "https address (docs/operations.md, Access from other machines)."
        )
    if faces and address.scheme != "https":
        return (
            "Set up a public https address (docs/operations.md, Access from other machines). With this link, "
            "browsers allow no camera and only the buttons work."
        )
    return None


USUAL_MIN_GROUP: Final = 5
"""Default of the minimum group."""


def low_group(min_group: int) -> str | None:
    """A warning that the minimum group is below the default; None when it is not."""
    if min_group >= USUAL_MIN_GROUP:
        return None
    people = "a single person" if min_group == 1 else f"as few as {min_group} people"
    return (
        f"In this class, figures are shown even for {people}. "
        f"The usual minimum is {USUAL_MIN_GROUP}, so that nobody can be singled out."
    )
