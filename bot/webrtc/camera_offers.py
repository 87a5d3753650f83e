"""Reads a server's offers of many cameras over one connection, and writes the answers. Pure.

aiortc takes 0.1 s on the event loop to answer an offer of 50 cameras, and it does so again whenever somebody
joins or leaves. It needs only the transport, which the section of the data channel describes and which all
sections share (BUNDLE). So aiortc gets an offer with that section alone, and the sections of the cameras are
answered here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
)

from bot.webrtc.offers import BadOffer
from bot.webrtc.packets import CLOCK_HZ
from bot.webrtc.setup import ORIENTATION
from bot.webrtc.stream import Ssrcs

MAX_OFFER_CHARS: Final = 2 << 20
"""An offer of 50 cameras has 145,000 characters. LiveKit keeps the sections of cameras that have left."""

_FEEDBACK: Final = ("nack", "nack pli")
_SENT: Final = frozenset({"sendonly", "sendrecv"})
_DIRECTIONS: Final = frozenset({"sendonly", "sendrecv", "recvonly", "inactive"})
_TRANSPORT_LINES: Final = ("ice-ufrag:", "ice-pwd:", "fingerprint:", "setup:")


@dataclass(frozen=True, slots=True)
class OfferedCamera:
    """A camera that the server sends.

    Attributes:
        track_id: The server's name for the camera (the second part of ``msid``).
        ssrcs: The SSRCs of its packets.
        parameters: The payload types and header extensions of the answer.
    """

    track_id: str
    ssrcs: Ssrcs
    parameters: RTCRtpReceiveParameters = field(compare=False)


@dataclass(slots=True)
class Section:
    """One media section of an offer.

    Attributes:
        lines: All its lines; the first one begins with ``m=``.
        kind: ``application``, ``video`` or ``audio``.
        mid: Identifier of the section.
        direction: What the server does: ``sendonly``, ``inactive`` and so on.
        attributes: Values of its ``a=`` lines, by name, in order.
    """

    lines: list[str]
    kind: str = ""
    mid: str = ""
    direction: str = "sendrecv"
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        """Values of the attributes of this name."""
        return self.attributes.get(name, [])


class ServerOffer:
    """An offer, parsed as far as it is needed.

    Attributes:
        sections: Its media sections, in order.
        ice_ufrag: Identifies the ICE session; a new one means that the server wants another connection.
    """

    def __init__(self, sdp: str) -> None:
        """Parse an offer.

        Raises:
            BadOffer: it is too long, or no SDP with a section for a data channel.
        """
        if len(sdp) > MAX_OFFER_CHARS or not sdp.startswith("v=0"):
            raise BadOffer("the server's offer is not usable: it is no SDP, or too long")
        self._session: list[str] = []
        self.sections: list[Section] = []
        for line in sdp.splitlines():
            if line.startswith("m="):
                self.sections.append(Section([line], line[2:].partition(" ")[0]))
            elif self.sections:
                _add_line(self.sections[-1], line)
            else:
                self._session.append(line)
        self._codecs = _CodecReader()
        self._transport = self._find_transport()
        self.ice_ufrag = next(iter(self._transport.values("ice-ufrag")), "")

    def transport_offer(self) -> str:
        """An offer of the data channel alone, for aiortc, without candidates."""
        session = [line for line in self._session if not line.startswith("a=group:")]
        lines = [line for line in self._transport.lines if not _is_candidate(line)]
        return _join([*session, f"a=group:BUNDLE {self._transport.mid}", *lines])

    def candidates(self) -> list[str]:
        """The server's candidates in this offer, without ``a=``."""
        return [f"candidate:{value}" for value in self._transport.values("candidate")]

    def cameras(self) -> dict[str, OfferedCamera]:
        """The cameras that the server sends, by the server's name for the track."""
        found: dict[str, OfferedCamera] = {}
        for section in self.sections:
            if section.kind != "video" or section.direction not in _SENT:
                continue
            camera = _camera(section, self._codecs.read(section))
            if camera is not None:
                found[camera.track_id] = camera
        return found

    def answer(self, transport_answer: str) -> str:
        """Write the answer.

        Args:
            transport_answer: aiortc's answer to ``transport_offer``.
        """
        ours = Section([])
        session: list[str] = []
        for line in transport_answer.splitlines():
            if line.startswith("m=") or ours.lines:
                _add_line(ours, line)
            elif not line.startswith("a=group:"):
                session.append(line)
        shared = [line for line in ours.lines if line[2:].startswith(_TRANSPORT_LINES)]
        bundled: list[str] = []
        media: list[str] = []
        for section in self.sections:
            lines = ours.lines if section is self._transport else self._answer_section(section, shared)
            if lines[0].split()[1] != "0":  # with port 0, the section is refused
                bundled.append(section.mid)
            media += lines
        return _join([*session, f"a=group:BUNDLE {' '.join(bundled)}", *media])

    def _answer_section(self, section: Section, transport_lines: list[str]) -> list[str]:
        """Answer a section that is not the transport's: receive a camera, and nothing else."""
        codecs = self._codecs.read(section) if section.kind == "video" else []
        words = section.lines[0].split()
        profile = words[2] if len(words) > 3 else "UDP/TLS/RTP/SAVPF"
        if not codecs:
            return [
                f"m={section.kind} 0 {profile} 0", "c=IN IP4 0.0.0.0", f"a=mid:{section.mid}", "a=inactive"
            ]  # fmt: skip
        numbers = " ".join(str(codec.payloadType) for codec in codecs)
        return [
            f"m=video 9 {profile} {numbers}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{section.mid}",
            "a=recvonly" if section.direction in _SENT else "a=inactive",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            *transport_lines,
            *(f"a=extmap:{known.id} {known.uri}" for known in _extensions(section)),
            *_codec_lines(codecs),
        ]

    def _find_transport(self) -> Section:
        for section in self.sections:
            if section.kind == "application" and section.mid and section.values("ice-ufrag"):
                return section
        raise BadOffer("the server's offer is not usable: it has no data channel")


def _add_line(section: Section, line: str) -> None:
    section.lines.append(line)
    if not line.startswith("a="):
        return
    name, _, value = line[2:].partition(":")
    if name in _DIRECTIONS:
        section.direction = name
    elif name == "mid":
        section.mid = value
    else:
        section.attributes.setdefault(name, []).append(value)


def _is_candidate(line: str) -> bool:
    return line.startswith(("a=candidate:", "a=end-of-candidates"))


def _camera(section: Section, codecs: list[RTCRtpCodecParameters]) -> OfferedCamera | None:
    msid = next((value.split() for value in section.values("msid")), [])
    ssrcs = _ssrcs(section)
    if len(msid) != 2 or ssrcs is None or not codecs:
        return None
    parameters = RTCRtpReceiveParameters(codecs=codecs, headerExtensions=_extensions(section))
    return OfferedCamera(msid[1], ssrcs, parameters)


def _ssrcs(section: Section) -> Ssrcs | None:
    """The SSRCs of the video and of its retransmissions; None if the section names none."""
    named = list(dict.fromkeys(value.split()[0] for value in section.values("ssrc") if value))
    for group in section.values("ssrc-group"):
        kind, *numbers = group.split()
        if kind == "FID" and len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            return Ssrcs(int(numbers[0]), int(numbers[1]))
    return Ssrcs(int(named[0]), None) if named and named[0].isdecimal() else None


class _CodecReader:
    """Reads the codecs of the sections of one offer; most sections have the same ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], list[RTCRtpCodecParameters]] = {}

    def read(self, section: Section) -> list[RTCRtpCodecParameters]:
        """The codecs of a section, see ``_codecs``."""
        lines = (*section.values("rtpmap"), *section.values("fmtp"))
        if lines not in self._known:
            self._known[lines] = _codecs(section)
        return self._known[lines]


def _codecs(section: Section) -> list[RTCRtpCodecParameters]:
    """The offered codecs that can be decoded, and their retransmissions, in the order of the offer."""
    maps = dict(_numbered(section.values("rtpmap")))
    options = {number: _parameters(text) for number, text in _numbered(section.values("fmtp"))}
    decodable = {
        number
        for number, text in maps.items()
        if text.upper().startswith("VP8/")
        or (text.upper().startswith("H264/") and options.get(number, {}).get("packetization-mode") == "1")
    }
    found = []
    for number, text in maps.items():
        name = text.partition("/")[0].upper()
        if number in decodable:
            found.append(_codec(name, number, options.get(number, {})))
        elif name == "RTX":
            original = options.get(number, {}).get("apt", "")
            if original.isdecimal() and int(original) in decodable:
                found.append(_codec("rtx", number, {"apt": int(original)}))
    return found


def _codec(name: str, number: int, parameters: dict[str, str] | dict[str, int]) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(f"video/{name}", CLOCK_HZ, None, number, [], dict(parameters))


def _numbered(values: list[str]) -> Iterator[tuple[int, str]]:
    """The payload type and the rest of each value."""
    for value in values:
        number, _, rest = value.partition(" ")
        if number.isdecimal() and int(number) < 128:
            yield int(number), rest


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name: value for name, _, value in pairs}


def _extensions(section: Section) -> list[RTCRtpHeaderExtensionParameters]:
    """The offered header extensions that are used: the rotation of the frames."""
    found = []
    for number, uri in _numbered(section.values("extmap")):
        if uri.split()[:1] == [ORIENTATION]:
            found.append(RTCRtpHeaderExtensionParameters(number, ORIENTATION))
    return found


def _codec_lines(codecs: list[RTCRtpCodecParameters]) -> Iterator[str]:
    for codec in codecs:
        number = codec.payloadType
        yield f"a=rtpmap:{number} {codec.name}/{CLOCK_HZ}"
        if options := ";".join(f"{name}={value}" for name, value in codec.parameters.items() if name):
            yield f"a=fmtp:{number} {options}"
        if codec.name != "rtx":
            yield from (f"a=rtcp-fb:{number} {kind}" for kind in _FEEDBACK)


def _join(lines: list[str]) -> str:
    return "\r\n".join(lines) + "\r\n"
