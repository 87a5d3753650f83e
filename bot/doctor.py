"""``classmood doctor``: does everything a class needs work on this machine?

Comes in: settings. Goes out: one ``Finding`` a check, each tried for real: models run, the database is
opened, the port bound, a picture sent through the codec.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final

import av
import numpy as np

from bot.config import ConfigError, Settings
from bot.host_token import KeyFile, configured_token
from bot.rooms import RoomContext, adapters
from bot.webrtc.network import NoUdp, udp_addresses
from inference.classifier import CnnClassifier
from inference.detector import BlazeFace
from inference.emotions import CROP_PX
from inference.errors import InferenceError
from reports.host_keys import HostKeysError
from reports.store import Store, StoreError

_LIBRARIES: Final = ("aiohttp", "aiortc", "ai-edge-litert", "opencv-python-headless", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``text`` says how it stands; where ``good`` is False, how to mend it."""

    subject: str
    good: bool
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Check one thing after another."""
    yield Finding("settings", True, _profile(settings))
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield Finding("program", True, f"Python {platform.python_version()}, {libraries}")
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
            yield Finding(subject, True, check(settings))
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
            yield Finding(subject, False, str(exc))


class _Wrong(Exception):
    """A check failed; the text says how to mend it."""


def _profile(settings: Settings) -> str:
    privacy = settings.privacy
    if not privacy.looks_at_faces:
        return "profile eu-education: no face is looked at, no video is asked for"
    return (
        f"profile none: faces are looked at, windows below {privacy.min_group} students are withheld "
        "(in the EU set privacy.jurisdiction to eu-education)"
    )


def _models(settings: Settings) -> str:
    if not settings.privacy.looks_at_faces:
        return "not loaded: the profile is eu-education"
    BlazeFace(settings.analysis.detector_threshold).detect(np.zeros((180, 320), np.uint8))
    probs = CnnClassifier().predict(np.zeros((1, CROP_PX, CROP_PX, 1), np.float32))
    if not np.isclose(probs.sum(), 1, atol=1e-3):
        raise _Wrong("the expression model gives no probabilities: restore inference/models")
    return "detector and expression model are intact and run"


def _database(settings: Settings) -> str:
    Store.open(settings.store.url).close()
    return "opens, is of this version and can be written"


def _port(settings: Settings) -> str:
    web = settings.web
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as exc:
            raise _Wrong(
                f"cannot listen on {web.host}:{web.port} ({exc.strerror}): set web.port to another port"
            ) from exc
    return f"{web.host}:{web.port} is free"


def _exposure(settings: Settings) -> str:
    web = settings.web
    try:
        local = ip_address(web.host).is_loopback
    except ValueError:
        local = web.host == "localhost"
    public = (web.public_url or "").lower()
    told = [] if local else [f"anyone who reaches {web.host} can ask, without encryption: keep 127.0.0.1"]
    if not public:
        told.append("web.public_url is not set: student links work on this machine only")
    elif not public.startswith("https://"):
        told.append("web.public_url is no https address: browsers will give it no camera")
    if public and not web.trusted_proxies:
        told.append("name the TLS proxy in web.trusted_proxies, or all students share one address's limits")
    return "; ".join(told) or "this machine only, behind the TLS proxy named"


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
