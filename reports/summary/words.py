"""The texts that people read about a class; the live page, the report and the commands share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reports.summary.asks import WITH_ME, Ask
from reports.summary.classes import ClassState, analyses_faces
from reports.summary.indications import AlertKind, Sureness, Word
from reports.summary.records import CheckInKind
from reports.summary.windows import NotAnalysed, PulseKind


def N_(text: str) -> str:  # noqa: N802  # the name by which tools find texts that are translated later
    """Mark a text for translation."""
    return text


STATE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ClassState.JOINING.value: N_("Joining the room"),
        ClassState.LOBBY.value: N_("Waiting to be let in"),
        ClassState.LIVE.value: N_("Live"),
        ClassState.RECONNECTING.value: N_("Connection to the room lost, trying again"),
        ClassState.ENDED.value: N_("Ended"),
        ClassState.DENIED.value: N_("Not let in"),
        ClassState.REMOVED.value: N_("Removed from the room"),
        ClassState.FAILED.value: N_("Failed"),
        ClassState.INTERRUPTED.value: N_("Interrupted"),
    }
)

NOT_ANALYSED_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        NotAnalysed.CAMERA_OFF.value: N_("camera off"),
        NotAnalysed.NO_FACE.value: N_("no face in the picture"),
        NotAnalysed.TOO_SMALL.value: N_("face too small"),
        NotAnalysed.LOW_CONFIDENCE.value: N_("expression unclear"),
        NotAnalysed.UNSUPPORTED_CODEC.value: N_("video format not supported"),
        NotAnalysed.NO_FRAMES.value: N_("no video arriving"),
        NotAnalysed.OPTED_OUT.value: N_("opted out"),
        NotAnalysed.UNDECODABLE.value: N_("video that cannot be decoded"),
    }
)

PULSE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        PulseKind.LOST.value: N_("lost"),
        PulseKind.OK.value: N_("OK"),
        PulseKind.TOO_FAST.value: N_("too fast"),
        PulseKind.TOO_SLOW.value: N_("too slow"),
    }
)

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: N_("Settling"),
        Word.UNSEEN.value: N_("Too few to show"),
        Word.STEADY.value: N_("Steady"),
        Word.LIVELIER.value: N_("Livelier"),
        Word.QUIETER.value: N_("Quieter"),
        Word.TENSER.value: N_("Tenser"),
        Word.CALMER.value: N_("Calmer"),
        Word.LOST.value: N_("Lost"),
        Word.TOO_FAST.value: N_("Too fast"),
        Word.TOO_SLOW.value: N_("Too slow"),
        Word.OK.value: N_("OK"),
    }
)
"""The word of the indicator, as people read it."""

WORD_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Word.SETTLING.value: N_("Learning what is usual here: about three minutes."),
        Word.UNSEEN.value: N_("Figures of so few faces could reveal one student."),
        Word.STEADY.value: N_("Faces look as they usually do here."),
        Word.LIVELIER.value: N_("More smiles and surprise than usual here."),
        Word.QUIETER.value: N_("Fewer smiles than usual: ask the class, or pause."),
        Word.TENSER.value: N_("More tense looks than usual: ask the class, do not assume."),
        Word.CALMER.value: N_("Fewer tense looks than usual here."),
        Word.LOST.value: N_("Explain it again, or ask where they were lost."),
        Word.TOO_FAST.value: N_("Slow down."),
        Word.TOO_SLOW.value: N_("Go a little faster."),
        Word.OK.value: N_("Half the class or more says OK: go on."),
    }
)
"""What each word means and what the host can do about it.

Shown below the word; short enough for one line on a desktop screen.
"""

TERM_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seen": N_("seen"),
        "tension": N_("tension"),
        "liveliness": N_("liveliness"),
        "baseline": N_("baseline"),
        "points": N_("points"),
        "sure": N_("sure"),
        "now": N_("now"),
    }
)
"""The terms of the host's pages."""

TERMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seen": N_("Students whose face was analysed, out of everyone present."),
        "tension": N_("Share of angry, disgusted, afraid and sad looks."),
        "liveliness": N_("Share of happy and surprised looks."),
        "baseline": N_("What has been usual for this class since it began."),
        "points": N_("Percentage points above or below the baseline."),
        "sure": N_(
            "How well the figures support the word: how many faces, for how long, how far from usual."
        ),
        "now": N_(
            "What students said last, by tap or answer, within a minute. It fades, and outranks faces."
        ),
    }
)
"""The terms, explained."""

EMOTION_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "angry": N_("angry"),
        "disgust": N_("disgust"),
        "fear": N_("fear"),
        "happy": N_("happy"),
        "sad": N_("sad"),
        "surprise": N_("surprise"),
        "neutral": N_("neutral"),
    }
)
"""The expressions."""

SURE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Sureness.LOW.value: N_("unsure"),
        Sureness.MEDIUM.value: N_("fairly sure"),
        Sureness.HIGH.value: N_("sure"),
    }
)

ALERT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        AlertKind.LOST.value: N_("Students say lost"),
        AlertKind.TOO_FAST.value: N_("Students say too fast"),
        AlertKind.TOO_SLOW.value: N_("Students say too slow"),
        AlertKind.TENSION.value: N_("Faces look tenser"),
        AlertKind.QUIET.value: N_("Faces look quieter"),
    }
)

ANSWER_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        WITH_ME: N_("with me"),
        "lost": N_("lost"),
        "too_fast": N_("too fast"),
        "too_slow": N_("too slow"),
    }
)
"""The answers to the usual question."""

USUAL_QUESTION: Final = N_("Are you with me?")

DEALT_WITH: Final = N_("Dealt with it")
"""Label of the marker that the host sets by saying so."""

KIND_PHRASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        CheckInKind.TENSION.value: N_("How was class for you today? I have time to talk if you like."),
        CheckInKind.LOST.value: N_(
            "Thank you for tapping when you were lost. Shall we go through it together?"
        ),
    }
)
"""A kind opening question for each kind of check-in; it mentions nothing that a camera saw."""

NOT_MEANT: Final = N_(
    "Visible expressions, not feelings, attention or understanding. "
    "Not for grading, discipline or attendance."
)
"""Always visible on pages that show figures about faces."""

NOT_MEANT_SHORT: Final = N_("Expressions, not feelings; not for grades or attendance.")
"""The same in one line, at the bottom of the live page."""

NOT_MEANT_SHORT_WITHOUT_FACES: Final = N_("No face analysis; not for grades or attendance.")

NOT_MEANT_WITHOUT_FACES: Final = N_(
    "Taps and the number of students present, without face analysis. "
    "Not for grading, discipline or attendance."
)
"""Shown instead of ``NOT_MEANT`` for a class without face analysis."""

SYNTHETIC: Final = N_("Drawn students, not people: this class was made by the demo.")
"""Banner of a class with synthetic students."""

NO_FACES: Final = N_(
    "Faces are not analysed here, and no video is received. Attendance, what students say, markers and the "
    "report work."
)
"""Meaning of the profile for places where the law forbids face analysis."""

FACES: Final = N_(
    "Faces are analysed. Schools in the European Union must not do this: ask whoever runs ClassMood to "
    "switch it off there."
)
"""Meaning of the default profile, for hosts."""

_FACES_FOR_ADMINISTRATORS: Final = (
    "Privacy profile none: faces are analysed. "
    "Schools in the EU must not do this: set privacy.jurisdiction to eu-education there."
)
_NO_FACES_FOR_ADMINISTRATORS: Final = (
    "Profile eu-education: faces are not analysed and no video is received. "
    "Attendance, taps, markers and the report still work."
)


def profile(jurisdiction: str) -> str:
    """The privacy profile in force and what it means, in one line, for whoever runs the server."""
    return _FACES_FOR_ADMINISTRATORS if analyses_faces(jurisdiction) else _NO_FACES_FOR_ADMINISTRATORS


def profile_held(faces: bool) -> str:
    """The privacy profile under which a class was held, for its report."""
    if faces:
        return N_("Faces were analysed")
    return N_("No face analysis, and no video received")


def answer_words(ask: Ask, say: Callable[[str], str] = str) -> list[str]:
    """The answers of a question as people read them; those to the host's own question are the host's."""
    return [say(ANSWER_WORDS[answer]) if ask.usual else answer for answer in ask.answers]


def asked(ask: Ask, say: Callable[[str], str] = str) -> str:
    """What the class answered, in one line: "Asked: 21 with me · 6 lost · 3 silent"."""
    counted = zip(ask.answers, answer_words(ask, say), strict=True)
    counts = [f"{ask.counts[answer]} {word}" for answer, word in counted if ask.counts.get(answer)]
    silent = say(N_("%(count)s silent")) % {"count": ask.silent}
    return f"{ask.question or say(N_('Asked'))}: {' · '.join([*counts, silent])}"


def chat_question(ask: Ask, say: Callable[[str], str] = str) -> str:
    """A question as it is said in the chat of a room, where a digit is an answer."""
    choices = ", ".join(f"{number} {word}" for number, word in enumerate(answer_words(ask, say), 1))
    asks = say(N_("Answer with a digit: %(choices)s.")) % {"choices": choices}
    return f"{ask.question or say(USUAL_QUESTION)} {asks}"


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
        return N_(
            "This link works on this machine only. For students elsewhere, whoever runs ClassMood sets up a "
            "public https address: see “Access from other machines” in docs/operations.md."
        )
    if faces and address.scheme != "https":
        return N_(
            "With this link, browsers allow no camera and only the buttons work. Whoever runs ClassMood sets "
            "up a public https address: see “Access from other machines” in docs/operations.md."
        )
    return None


USUAL_MIN_GROUP: Final = 5
"""Default of the minimum group."""


def low_group(min_group: int, say: Callable[[str], str] = str) -> str | None:
    """A warning that the minimum group is below the default, translated by ``say``; None when it is not."""
    if min_group >= USUAL_MIN_GROUP:
        return None
    if min_group == 1:
        shown = say("In this class, figures are shown even for a single person.")
    else:
        shown = say("In this class, figures are shown even for as few as %(count)s people.")
    usual = say("The usual minimum is %(usual)s, so that nobody can be singled out.")
    return f"{shown} {usual}" % {"count": min_group, "usual": USUAL_MIN_GROUP}
