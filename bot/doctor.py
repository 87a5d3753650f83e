"""``classmood doctor``: does everything a class needs work on this machine?

Comes in: settings. Goes out: one ``Finding`` a check, each tried for real: models run, the database is
read, the port bound, a picture sent through the codec. Nothing is made or changed by it, and a server may
run meanwhile.
"""

from __future__ import annotations

import errno
import json
import platform
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from http.client import HTTPException
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import av
import numpy as np

from bot.config import ConfigError, Settings
from bot.host_links import configured_token
from bot.rooms.registry import RoomContext, adapters
from bot.webrtc.network import NoUdp, udp_addresses
from inference.classifier import CnnClassifier
from inference.detector import BlazeFace
from inference.emotions import CROP_PX
from inference.errors import InferenceError
from reports.store import StoreError
from reports.store.inspection import Standing, inspect
from reports.web.host_keys import HostKeysError
from reports.web.key_file import KeyFile

_LIBRARIES: Final = ("aiohttp", "aiortc", "ai-edge-litert", "opencv-python-headless", "sqlalchemy")


_ANSWER_S: Final = 2.0
"""How long a ClassMood that runs already may take to say that it is alive."""


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        subject: What was looked at.
        verdict: ``WARN`` is for what works here but not as a class needs it.
        text: How it stands; where that is not well, what to do.
    """

    subject: str
    verdict: Verdict
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Check one thing after another."""
    yield Finding("settings", Verdict.OK, _profile(settings))
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield Finding("program", Verdict.OK, f"Python {platform.python_version()}, {libraries}")
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("models", _models),
        ("database", _database),
        ("port", _port),
        ("exposure", _exposure),
        ("host token", _token),
        ("network", _network),
        ("video codec", _codec),
        ("rooms", _rooms),
    )
    for subject, check in checks:
        try:
            yield Finding(subject, Verdict.OK, check(settings))
        except _Doubtful as exc:
            yield Finding(subject, Verdict.WARN, str(exc))
        except (
            ConfigError,
            HostKeysError,
            InferenceError,
            StoreError,
            OSError,
            av.FFmpegError,
            NoUdp,
            _Wrong,
        ) as exc:
            yield Finding(subject, Verdict.WRONG, str(exc))


class _Doubtful(Exception):
    """It works, but not as a class needs it; the text says what to do."""


class _Wrong(Exception):
    """A check failed; the text says how to mend it."""


def _profile(settings: Settings) -> str:
    privacy = settings.privacy
    if not privacy.analyses_faces:
        return "profile eu-education: no face is looked at, no video is asked for"
    return (
        f"profile none: faces are looked at, windows below {privacy.min_group} students are withheld "
        "(in the EU set privacy.jurisdiction to eu-education)"
    )


def _models(settings: Settings) -> str:
    if not settings.privacy.analyses_faces:
        return "not loaded: the profile is eu-education"
    BlazeFace(settings.analysis.detector_threshold).detect(np.zeros((180, 320), np.uint8))
    probs = CnnClassifier().predict(np.zeros((1, CROP_PX, CROP_PX, 1), np.float32))
    if not np.isclose(probs.sum(), 1, atol=1e-3):
        raise _Wrong("the expression model gives no probabilities: restore inference/models")
    return "detector and expression model are intact and run"


def _database(settings: Settings) -> str:
    seen = inspect(settings.store.url)
    if seen.standing is Standing.NEWER:
        raise _Wrong(f"{seen.name} was written by a newer ClassMood: update this one, or change store.url")
    told = {
        Standing.ABSENT: f"there is no {seen.name} yet: the first start makes it",
        Standing.EMPTY: f"{seen.name} has no tables yet: the next start makes them",
        Standing.OLDER: (
            f"{seen.name} is at revision {seen.found}: the next start brings it to {seen.wanted}, "
            "so make a backup first"
        ),
    }
    return told.get(seen.standing, f"{seen.name} is of this version, revision {seen.found}")


def _port(settings: Settings) -> str:
    web = settings.web
    if web.port == 0:
        return f"any free one of {web.host} is taken"
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise _Wrong(
                    f"cannot listen on {web.host}:{web.port} ({exc.strerror}): check web.host and web.port"
                ) from exc
            if _runs_already(web.local_url()):
                return f"ClassMood runs on {web.host}:{web.port} already; a second one needs another port"
            raise _Wrong(
                f"another program has port {web.port} on {web.host}: end it, or set web.port to another port"
            ) from exc
    return f"{web.host}:{web.port} is free"


def _runs_already(url: str) -> bool:
    """Whether what listens there is a ClassMood."""
    try:
        # Not by a proxy the environment names: it is this machine that is asked.
        with build_opener(ProxyHandler({})).open(f"{url}/healthz", timeout=_ANSWER_S) as response:
            alive: bool = json.loads(response.read(1024)) == {"alive": True}
            return alive and response.headers.get("Server") == "ClassMood"
    except (OSError, ValueError, HTTPException):
        return False


def _exposure(settings: Settings) -> str:
    web = settings.web
    local = _is_this_machine(web.host)
    public = urlsplit((web.public_url or "").lower())
    encrypted = public.scheme == "https"
    doubts = []
    if not local and not encrypted:
        doubts.append(
            f"web.host {web.host} lets other machines in without encryption, and browsers give students no "
            "camera there: put a TLS proxy in front (docs/operations.md), set web.public_url to its https "
            "address and web.host to 127.0.0.1"
        )
    elif not local:
        doubts.append(
            f"web.host {web.host} lets other machines in past the TLS proxy, without encryption: "
            "set it to 127.0.0.1, or to an address only the proxy reaches"
        )
    elif web.public_url and not encrypted and not _is_this_machine(public.hostname or ""):
        doubts.append(
            "web.public_url is no https address, and browsers give students no camera there: put a TLS "
            "proxy in front (docs/operations.md) and set web.public_url to its https address"
        )
    if encrypted and not web.trusted_proxies:
        doubts.append("name the TLS proxy in web.trusted_proxies, or all students share one address's limits")
    if doubts:
        raise _Doubtful("; ".join(doubts))
    if encrypted:
        return "this machine only, behind the TLS proxy named"
    return (
        "this machine only, student links too: for a class elsewhere set web.public_url (docs/operations.md)"
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(settings: Settings) -> str:
    path = settings.web.token_file
    if configured_token(settings.web) is not None:
        return "web.token is set and long enough"
    if not path.exists():
        return f"is made at the first start and kept as a hash in {path}"
    KeyFile(path).read()
    return f"is kept as a hash in {path}, which others cannot read"


def _network(settings: Settings) -> str:
    count = len(udp_addresses())
    return f"UDP works on {count} address{'' if count == 1 else 'es'}"


def _codec(settings: Settings) -> str:
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base = Fraction(1, 10)
    picture = av.VideoFrame(64, 48, "yuv420p")
    picture.pts = 0
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    decoder = av.CodecContext.create("libvpx", "r")
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    if not frames:
        raise _Wrong("VP8 does not work: install again (pip install --force-reinstall av)")
    return "VP8 encodes and decodes"


def _rooms(settings: Settings) -> str:
    known = adapters(RoomContext(settings))
    return ", ".join(sorted(adapter.example for adapter in known.values()))
