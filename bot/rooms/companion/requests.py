"""Parses the request bodies of the student page and defines the reasons to refuse a request. Pure.

Refusal
+-- BadRequest     400   a field or the offer is wrong
+-- NoConsent      403   joining without consent
+-- UnknownToken   403   no student has this token
+-- RoomEnded      404   there is no such class, or it has ended
+-- Away           409   the student left and must join again first
+-- Erased         410   the student was erased
+-- NoQuestion     422   the question is closed, or has no such answer
+-- TooFast        429   too many requests of one student or one address
+-- RoomFull       503   too many students or too many unprocessed events
+-- CannotReceive  503   this machine cannot receive video

Bodies that are too large, too slow or not JSON are refused by ``reports.web.requests``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from reports.summary.windows import PulseKind
from reports.web.requests import RequestRefused, parse_json_object

MAX_NAME_CHARS: Final = 80
MAX_TOKEN_CHARS: Final = 100


class Refusal(RequestRefused):
    """The embedded room refuses a request; the text is one line that says what to do."""


class BadRequest(Refusal):
    """A field or the offer is wrong."""


class NoConsent(Refusal):
    """Joining without consent."""

    status = 403


class UnknownToken(Refusal):
    """No student has this token."""

    status = 403


class RoomEnded(Refusal):
    """There is no such class, or it has ended."""

    status = 404


class Away(Refusal):
    """The student left and must join again first."""

    status = 409


class Erased(Refusal):
    """The student was erased."""

    status = 410


class NoQuestion(Refusal):
    """The question is closed, or has no such answer."""

    status = 422


class TooFast(Refusal):
    """Too many requests of one student or one address."""

    status = 429


class RoomFull(Refusal):
    """Too many students or too many unprocessed events."""

    status = 503


class CannotReceive(Refusal):
    """This machine cannot receive video."""

    status = 503


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a student sends to join; only requests with consent become one.

    Attributes:
        sdp: Offer with a camera; None to join without a camera.
        name: Cleaned name; None if there is none.
        individual: Whether the student agreed to check-ins.
        token: Token from an earlier join, which makes the student the same participant again.
        former_token: Token of an earlier class under the same code.
    """

    sdp: str | None
    name: str | None
    individual: bool
    token: str | None
    former_token: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a student who joins.

    Attributes:
        participant_id: Random, for this class only.
        token: Secret that the student's page sends with further requests and to join again.
        sdp: The SDP answer; None without a camera.
        trouble: Why the camera cannot be received; None if it can.
    """

    participant_id: str
    token: str
    sdp: str | None = None
    trouble: str | None = None


def parse_join(body: bytes) -> JoinRequest:
    """Parse the body of a request to join.

    Raises:
        NoConsent: ``consent`` is not true.
        BadRequest: another field is wrong.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    if fields.get("consent") is not True:
        raise NoConsent("tick the consent first: without it, nothing is received and nothing is stored")
    sdp, kind = fields.get("sdp"), fields.get("type")
    if sdp is not None and not isinstance(sdp, str):
        raise BadRequest("sdp must be a text, or null to join without a camera")
    if kind not in ((None, "offer") if sdp is None else ("offer",)):
        raise BadRequest('type must be "offer"')
    name, individual = fields.get("name"), fields.get("individual", False)
    if name is not None and not isinstance(name, str):
        raise BadRequest("name must be a text, or be left out")
    if not isinstance(individual, bool):
        raise BadRequest("individual must be true or false")
    token = _token(fields) if fields.get("token") is not None else None
    former = fields.get("former_token")
    return JoinRequest(
        sdp=sdp,
        name=clean_name(name),
        individual=individual,
        token=token,
        former_token=former if isinstance(former, str) else None,
    )


def parse_pulse(body: bytes) -> tuple[str, PulseKind]:
    """Parse the body of a pulse: the student's token and the kind of pulse.

    Raises:
        BadRequest: a field is wrong.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in set(PulseKind):
        raise BadRequest(f"kind must be one of {', '.join(PulseKind)}")
    return _token(fields), PulseKind(kind)


def parse_answer(body: bytes) -> tuple[str, str, str]:
    """Parse the body of an answer: the student's token, the identifier of the question, and the answer.

    Raises:
        BadRequest: a field is wrong.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    ask_id, answer = fields.get("ask_id"), fields.get("answer")
    if not isinstance(ask_id, str) or not isinstance(answer, str):
        raise BadRequest("ask_id and answer must be texts: the id of the question, and one of its answers")
    return _token(fields), ask_id, answer


def parse_wait(body: bytes) -> tuple[str, str]:
    """Parse the body of a page that waits: the student's token, and the question that the page shows.

    Raises:
        BadRequest: a field is wrong.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    known = fields.get("known", "")
    if not isinstance(known, str):
        raise BadRequest("known must be the id of a question, or empty")
    return _token(fields), known


def parse_withdrawal(body: bytes) -> str:
    """Parse the body that withdraws the consent to check-ins: the student's token.

    Raises:
        BadRequest: a field is wrong, or ``individual`` is true; students agree to check-ins only by joining.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    if fields.get("individual") is not False:
        raise BadRequest("individual must be false: students agree to check-ins by joining")
    return _token(fields)


def parse_camera(body: bytes) -> tuple[str, bool]:
    """Parse the body of a camera report: the student's token, and whether the camera is on.

    Raises:
        BadRequest: a field is wrong.
        NotJson: the body is not a JSON object.
    """
    fields = parse_json_object(body)
    on = fields.get("on")
    if not isinstance(on, bool):
        raise BadRequest("on must be true or false")
    return _token(fields), on


def parse_token(body: bytes) -> str:
    """Parse a body with a token; other fields are ignored.

    Raises:
        BadRequest: the token is missing or has the wrong form.
        NotJson: the body is not a JSON object.
    """
    return _token(parse_json_object(body))


def token_in(body: bytes) -> str | None:
    """The token in a body of any kind; None if there is none."""
    try:
        return parse_token(body)
    except RequestRefused:
        return None


def clean_name(name: str | None) -> str | None:
    """A name without control and formatting characters, cut to ``MAX_NAME_CHARS``; None if it is empty."""
    if name is None:
        return None
    printable = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name)
    return " ".join(printable.split())[:MAX_NAME_CHARS].strip() or None


def _token(fields: dict[str, Any]) -> str:
    token = fields.get("token")
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN_CHARS:
        raise BadRequest("token must be the text that joining returned")
    return token
