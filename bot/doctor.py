"""``classmood doctor`` checks whether everything that a class needs works on this machine.

The checks use the real parts: they run the models, read the database, bind the port, and encode and decode a
frame. They create and change nothing, and a server may run at the same time.
"""

from __future__ import annotations

import errno
import json
import platform
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import partial
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
from bot.rooms.contract import RoomError
from bot.rooms.registry import Checkable, RoomContext, adapters
from bot.webrtc.network import NoUdp, udp_addresses
from inference.classifier import CnnClassifier
from inference.detector import BlazeFace
from inference.emotions import CROP_PX
from inference.errors import InferenceError
from reports.store import StoreError
from reports.store.inspection import SchemaState, inspect
from reports.store.postgresql import OLDEST_MAJOR, SLOW_MS, ServerFacts
from reports.web.host_keys import HostKeysError
from reports.web.key_file import KeyFile

_LIBRARIES: Final = ("aiohttp", "aiortc", "ai-edge-litert", "opencv-python-headless", "sqlalchemy")

_TIMED_FACES: Final = 16

_HEALTH_TIMEOUT_S: Final = 2.0
"""Timeout of the request that finds out whether ClassMood already uses the port."""


class Verdict(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and its result.

    Attributes:
        subject: What was checked.
        verdict: ``WARN`` means that it works locally, but not enough for a class.
        text: What was found; for ``WARN`` and ``WRONG``, what to do comes first.
    """

    subject: str
    verdict: Verdict
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Run the checks one after another."""
    yield Finding("settings", Verdict.OK, _profile(settings))
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield Finding("program", Verdict.OK, f"Python {platform.python_version()}, {libraries}")
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("models", _models),
        ("database", _database),
        ("port", _port),
        ("exposure", _exposure),
        ("host token", _token),
        ("network", _network),
        ("video codec", _codec),
        ("rooms", _rooms),
    ]
    for scheme, adapter in adapters(RoomContext(settings)).items():
        if isinstance(adapter, Checkable):
            checks.append((f"{scheme} server", partial(_room_server, adapter)))
    for subject, check in checks:
        try:
            yield Finding(subject, Verdict.OK, check(settings))
        except _Warning as exc:
            yield Finding(subject, Verdict.WARN, str(exc))
        except (
            ConfigError,
            HostKeysError,
            InferenceError,
            StoreError,
            OSError,
            av.FFmpegError,
            NoUdp,
            RoomError,
            _Wrong,
        ) as exc:
            yield Finding(subject, Verdict.WRONG, str(exc))


class _Warning(Exception):
    """It works locally, but not enough for a class; the text says what to do."""


class _Wrong(Exception):
    """A check failed; the text says how to fix it."""


def _profile(settings: Settings) -> str:
    privacy = settings.privacy
    if not privacy.analyses_faces:
        return "profile eu-education: no face is analysed, no video is requested"
    return (
        f"profile none: faces are analysed; windows with fewer than {privacy.min_group} analysed students "
        "are suppressed (in the EU, set privacy.jurisdiction to eu-education)"
    )


def _models(settings: Settings) -> str:
    if not settings.privacy.analyses_faces:
        return "not loaded: the profile is eu-education"
    BlazeFace(settings.analysis.detector_threshold).detect(np.zeros((180, 320), np.uint8))
    classifier, faces = CnnClassifier(), np.zeros((_TIMED_FACES, CROP_PX, CROP_PX, 1), np.float32)
    probs = classifier.predict(faces)
    if not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise _Wrong("restore the folder inference/models: the output of the expression model is wrong")
    began_s = time.thread_time()
    classifier.predict(faces)
    each_ms = (time.thread_time() - began_s) * 1000 / _TIMED_FACES
    return f"face detector and expression model load and run, {each_ms:.1f} ms of CPU per face"


def _database(settings: Settings) -> str:
    database = inspect(settings.store.url)
    name, revision = database.name, database.revision
    if database.state is SchemaState.NEWER:
        raise _Wrong(f"update ClassMood, or change store.url: a newer version wrote {name}")
    if database.open_files:
        files = " ".join(str(file) for file in database.open_files)
        raise _Warning(
            f"run `chmod 600 {files}`, or let the next start do it: other users of this machine can read "
            "the database"
        )
    if database.server is not None:
        _require_server(database.server)
    texts = {
        SchemaState.ABSENT: f"{name} does not exist yet: the first start creates it",
        SchemaState.EMPTY: f"{name} has no tables yet: the next start creates them",
        SchemaState.OLDER: (
            f"make a backup of {name} before the next start, which migrates it from revision {revision} "
            f"to {database.required_revision}"
        ),
    }
    text = texts.get(database.state, f"{name} has the tables of this version, revision {revision}")
    facts = database.server
    return text if facts is None else f"{text}; PostgreSQL {facts.version}, {facts.latency_ms:.1f} ms away"


def _require_server(facts: ServerFacts) -> None:
    """Check what a PostgreSQL server said.

    Raises:
        _Wrong: the role of store.url lacks rights.
        _Warning: the server is old or far away.
    """
    if facts.missing:
        raise _Wrong(
            "give the role of store.url the rights that it lacks, or name another role: "
            f"{', '.join(facts.missing)}"
        )
    if facts.major < OLDEST_MAJOR:
        raise _Warning(f"update PostgreSQL to {OLDEST_MAJOR} or later: this is {facts.version}")
    if facts.latency_ms > SLOW_MS:
        raise _Warning(
            f"move the database nearer: an answer takes {facts.latency_ms:.0f} ms, more than {SLOW_MS:.0f} ms"
        )


def _port(settings: Settings) -> str:
    web = settings.web
    if web.port == 0:
        return f"0: any free port of {web.host} is used"
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise _Wrong(
                    f"check web.host and web.port: cannot listen on {web.host}:{web.port} ({exc.strerror})"
                ) from exc
            if _is_classmood(web.local_url()):
                return f"ClassMood already runs on {web.host}:{web.port}; a second server needs another port"
            raise _Wrong(
                f"set web.port to another port, or end the program that uses port {web.port} on {web.host}"
            ) from exc
    return f"{web.host}:{web.port} is free"


def _is_classmood(url: str) -> bool:
    """Whether the program that listens at this URL is ClassMood."""
    try:
        # Without the proxy that the environment may name: the request is for this machine.
        with build_opener(ProxyHandler({})).open(f"{url}/healthz", timeout=_HEALTH_TIMEOUT_S) as response:
            alive: bool = json.loads(response.read(1024)) == {"alive": True}
            return alive and response.headers.get("Server") == "ClassMood"
    except (OSError, ValueError, HTTPException):
        return False


def _exposure(settings: Settings) -> str:
    web = settings.web
    local = _is_loopback(web.host)
    public = urlsplit((web.public_url or "").lower())
    encrypted = public.scheme == "https"
    warnings = []
    if not local and not encrypted:
        warnings.append(
            "put a TLS proxy in front (docs/operations.md), set web.public_url to its https address and "
            f"web.host to 127.0.0.1: with web.host {web.host} other machines connect without encryption, and "
            "browsers give pages without https no camera"
        )
    elif not local:
        warnings.append(
            "set web.host to 127.0.0.1, or to an address that only the proxy can reach: with web.host "
            f"{web.host} other machines can bypass the TLS proxy and connect without encryption"
        )
    elif web.public_url and not encrypted and not _is_loopback(public.hostname or ""):
        warnings.append(
            "put a TLS proxy in front (docs/operations.md) and set web.public_url to its https address: "
            "browsers give pages without https no camera"
        )
    if encrypted and not web.trusted_proxies:
        warnings.append(
            "name the TLS proxy in web.trusted_proxies: otherwise all students share one rate limit"
        )
    if warnings:
        raise _Warning("; ".join(warnings))
    if encrypted:
        return "only this machine connects directly; others go through the TLS proxy"
    return (
        "only this machine can connect, student links included: for students on other machines set "
        "web.public_url (docs/operations.md)"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(settings: Settings) -> str:
    path = settings.web.token_file
    if configured_token(settings.web) is not None:
        return "web.token is set and long enough"
    if not settings.store.is_file:
        return "its hash is stored in the database, for every server that shares it"
    if not path.exists():
        return f"created at the first start; its hash will be stored in {path}"
    KeyFile(path).read()
    return f"its hash is stored in {path}, which others cannot read"


def _network(settings: Settings) -> str:
    count = len(udp_addresses())
    return f"UDP works on {count} address{'' if count == 1 else 'es'}"


def _codec(settings: Settings) -> str:
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base = Fraction(1, 10)
    frame = av.VideoFrame(64, 48, "yuv420p")
    frame.pts = 0
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.CodecContext.create("libvpx", "r")
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    if not decoded:
        raise _Wrong("reinstall the codecs (pip install --force-reinstall av): VP8 does not work")
    return "VP8 encodes and decodes"


def _room_server(adapter: Checkable, _settings: Settings) -> str:
    return adapter.check()


def _rooms(settings: Settings) -> str:
    known = adapters(RoomContext(settings))
    return ", ".join(sorted(adapter.example for adapter in known.values()))
