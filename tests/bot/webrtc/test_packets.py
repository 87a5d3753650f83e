"""RTP headers and VP8 descriptors are parsed as aiortc parses them."""

from contextlib import suppress

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket, pack_header_extensions
from hypothesis import given
from hypothesis import strategies as st

from bot.webrtc.packets import extension, fragment, parse_rtp


@given(
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=3),
    st.binary(max_size=40),
)
def test_headers_are_parsed_as_aiortc_writes_them(
    kind: int, marker: bool, sequence: int, timestamp: int, sources: list[int], payload: bytes
) -> None:
    packet = RtpPacket(kind, int(marker), sequence, timestamp, 99, payload)
    packet.csrc = sources
    header, found = parse_rtp(packet.serialize())
    assert header == (kind, marker, sequence, timestamp, 99)
    assert found == payload


def test_the_payload_excludes_extensions_and_padding() -> None:
    header = bytes([0xB0, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3])
    extension = bytes([0xBE, 0xDE, 0, 1, 0x22, 1, 2, 3])
    assert parse_rtp(header + extension + b"body" + b"\0\0\3")[1] == b"body"


@given(st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=20), max_size=5), st.booleans())
def test_header_extensions_are_parsed_as_aiortc_writes_them(
    extensions: dict[int, bytes], sources: bool
) -> None:
    profile, words = pack_header_extensions(list(extensions.items()))
    first = 0x80 | bool(words) << 4 | sources
    packet = bytes([first, 97, *range(10), *([7] * 4 * sources)])
    if words:
        packet += profile.to_bytes(2, "big") + (len(words) // 4).to_bytes(2, "big") + words
    packet += b"body"
    assert parse_rtp(packet)[1] == b"body"
    assert {number: extension(packet, number) for number in extensions} == extensions
    assert all(extension(packet, number) is None for number in {*range(1, 15)} - {*extensions})


@given(st.binary(max_size=64), st.sampled_from([b"\xbe\xde", b"\x10\x00", b""]), st.integers(0, 255))
def test_noise_raises_only_value_errors(noise: bytes, profile: bytes, number: int) -> None:
    extended = b"\x90" + noise[1:12] + profile + noise[12:]
    for packet in (noise, extended):
        with suppress(ValueError):
            parse_rtp(packet)
            extension(packet, number)
    for read in (lambda: parse_rtp(noise), lambda: fragment("VP8", 1, 2, False, noise)):
        with suppress(ValueError):
            read()


@pytest.mark.parametrize("picture_id", [None, 5, 300])
@pytest.mark.parametrize("layer", [None, (0, 0), (1, 1), (2, 0)])
@pytest.mark.parametrize("begins", [0, 1])
def test_vp8_descriptors_are_parsed_as_aiortc_writes_them(
    picture_id: int | None, layer: tuple[int, int] | None, begins: int
) -> None:
    base = None if layer is None else 17
    key_id = None if layer is None else 4
    written = VpxPayloadDescriptor(begins, 0, picture_id, base, layer, key_id)
    part = fragment("VP8", 1, 2, True, bytes(written) + b"\x10data")
    assert part.data == b"\x10data"
    assert part.base == base
    assert (part.layer, part.sync) == ((0, False) if layer is None else (layer[0], bool(layer[1])))
    assert part.begins is part.starts_key is bool(begins)
