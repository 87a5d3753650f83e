"""What a student's page may ask of the embedded room, and how it is refused.

Comes in: request bodies of strangers. Goes out: checked values, or a ``Refusal``. Pure.

Refusal
+-- BadRequest     400   the body or the offer is wrong
+-- NoConsent      403   joining without consent
+-- UnknownToken   403   the token is nobody's
+-- RoomEnded      404   there is no such class, or no longer
+-- BodyTooSlow    408
+-- Away           409   the token's owner left and must join again first
+-- Erased         410   the token's owner had everything erased
+-- BodyTooLarge   413
+-- TooFast        429   too many requests of one student or one address
+-- RoomFull       503   too many students
+-- CannotReceive  503   this machine cannot receive video
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from reports.summary.windows import PulseKind

MAX_BODY_BYTES: Final = 64 * 1024
MAX_NAME_CHARS: Final = 80
MAX_TOKEN_CHARS: Final = 100


class Refusal(Exception):
    """A request is refused; the text is one line that says what to do.

    Attributes:
        status: HTTP status to answer with.
    """

    status: ClassVar[int] = 400


class BadRequest(Refusal):
    """The body or the offer is wrong."""


class NoConsent(Refusal):
    """Joining without consent."""

    status = 403


class UnknownToken(Refusal):
    """The token is nobody's."""

    status = 403


class RoomEnded(Refusal):
    """There is no such class, or no longer."""

    status = 404


class Away(Refusal):
    """The token's owner left and must join again first."""

    status = 409


class Erased(Refusal):
    """The token's owner had everything erased."""

    status = 410


class BodyTooLarge(Refusal):
    """More than ``MAX_BODY_BYTES``."""

    status = 413


class BodyTooSlow(Refusal):
    """The body did not arrive in time."""

    status = 408


class TooFast(Refusal):
    """Too many requests of one student or one address."""

    status = 429


class RoomFull(Refusal):
    """Too many students."""

    status = 503


class CannotReceive(Refusal):
    """This machine cannot receive video."""

    status = 503


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a student sends to join; that the consent is ticked has been checked.

    Attributes:
        sdp: Offer with a camera; None to join without one.
        name: As given, cleaned; None if none.
        individual: Whether individual check-ins were agreed to.
        token: Of an earlier join, to be the same participant again.
    """

    sdp: str | None
    name: str | None
    individual: bool
    token: str | None


@dataclass(frozen=True, slots=True)
class Admission:
    """What a student gets for joining.

    Attributes:
        participant_id: Random, for this class only.
        token: Secret to come back with.
        sdp: The answer; None without a camera.
        trouble: Why the camera cannot be received, if it cannot.
    """

    participant_id: str
    token: str
    sdp: str | None = None
    trouble: str | None = None


def parse_join(body: bytes) -> JoinRequest:
    """Read the body of an offer.

    Raises:
        NoConsent: ``consent`` is not true.
        BadRequest: anything else is wrong.
    """
    fields = _fields(body)
    if fields.get("consent") is not True:
        raise NoConsent("tick the consent first: without it nothing is received and nothing is kept")
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
    return JoinRequest(sdp=sdp, name=clean_name(name), individual=individual, token=token)


def parse_pulse(body: bytes) -> tuple[str, PulseKind]:
    """Read the body of a pulse: its sender's token and its kind.

    Raises:
        BadRequest: something is wrong with it.
    """
    fields = _fields(body)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in set(PulseKind):
        raise BadRequest(f"kind must be one of {', '.join(PulseKind)}")
    return _token(fields), PulseKind(kind)


def parse_withdrawal(body: bytes) -> str:
    """Read the body that takes back the consent to individual check-ins: its sender's token.

    Raises:
        BadRequest: something is wrong with it, or it asks to agree, which is done by joining.
    """
    fields = _fields(body)
    if fields.get("individual") is not False:
        raise BadRequest("individual must be false: agreeing is done by joining")
    return _token(fields)


def parse_camera(body: bytes) -> tuple[str, bool]:
    """Read the body of a camera report: its sender's token, and whether the camera is on.

    Raises:
        BadRequest: something is wrong with it.
    """
    fields = _fields(body)
    on = fields.get("on")
    if not isinstance(on, bool):
        raise BadRequest("on must be true or false")
    return _token(fields), on


def parse_token(body: bytes) -> str:
    """Read a body that holds a token only.

    Raises:
        BadRequest: it does not.
    """
    return _token(_fields(body))


def token_in(body: bytes) -> str | None:
    """The token a body holds beside whatever else; None if none."""
    try:
        return parse_token(body)
    except BadRequest:
        return None


def clean_name(name: str | None) -> str | None:
    """A name without control and formatting characters, at most ``MAX_NAME_CHARS``; None if none is left."""
    if name is None:
        return None
    printable = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name)
    return " ".join(printable.split())[:MAX_NAME_CHARS].strip() or None


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("the body must be a JSON object") from exc
    if not isinstance(fields, dict):
        raise BadRequest("the body must be a JSON object")
    return fields


def _token(fields: dict[str, Any]) -> str:
    token = fields.get("token")
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN_CHARS:
        raise BadRequest("token must be the text given on joining")
    return token
