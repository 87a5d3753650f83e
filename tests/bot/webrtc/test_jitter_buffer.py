"""The jitter buffer, packet by packet, and compared with aiortc's."""

import random

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.jitterbuffer import JitterBuffer as StockJitterBuffer
from aiortc.rtp import RtpPacket

from bot.webrtc.jitter_buffer import GAP_TIMEOUT_S, EncodedFrame, JitterBuffer
from bot.webrtc.packets import Fragment, fragment

KEY, DELTA = 0x10, 0x11  # VP8 frame tags: bit 0 is clear in key frames


def vp8(
    sequence: int, frame: int, *, tag: int | None = DELTA, last: bool = True, body: bytes = b""
) -> Fragment:
    """A VP8 packet; with ``tag`` it is the first of its frame."""
    begins = tag is not None
    descriptor = bytes(
        VpxPayloadDescriptor(partition_start=int(begins), partition_id=0, picture_id=frame % 128)
    )
    payload = descriptor + (bytes([tag]) if tag is not None else b"") + body
    return fragment("VP8", sequence & 0xFFFF, frame * 9000, last, payload)


def add_all(buffer: JitterBuffer, parts: list[Fragment], *, start_s: float = 0.0) -> list[EncodedFrame]:
    """Add the packets, ten a second."""
    frames: list[EncodedFrame] = []
    for number, part in enumerate(parts):
        frames += buffer.add(part, start_s + number * 0.1)
    return frames


def stream(first: int, count: int) -> list[Fragment]:
    return [vp8(first + n, n, tag=DELTA if n else KEY) for n in range(count)]


def frame_numbers(frames: list[EncodedFrame]) -> list[int]:
    return [frame.timestamp // 9000 for frame in frames]


def test_a_frame_is_complete_with_its_last_packet() -> None:
    buffer = JitterBuffer()
    assert buffer.add(vp8(7, 0, tag=KEY, last=False, body=b"a"), 1.0) == []
    (frame,) = buffer.add(vp8(8, 0, tag=None, body=b"b"), 1.5)
    assert (frame.data, frame.key, frame.at_s) == (bytes([KEY]) + b"ab", True, 1.5)
    assert not buffer.awaiting_key


def test_frames_before_the_first_key_frame_are_dropped() -> None:
    buffer = JitterBuffer()
    assert add_all(buffer, [vp8(1, 1), vp8(2, 2), vp8(3, 3, tag=KEY), vp8(4, 4)])[0].key
    assert not buffer.awaiting_key


@pytest.mark.parametrize("first", [100, 65533])
def test_reordered_and_duplicated_packets_are_put_in_order(first: int) -> None:
    parts = stream(first, 12)
    shuffled = [parts[0], parts[2], parts[1], parts[1], parts[4], parts[5], parts[3], *parts[6:], parts[7]]
    buffer = JitterBuffer()
    assert frame_numbers(add_all(buffer, shuffled)) == list(range(12))
    assert buffer.missing() == []


def test_missing_packets_are_listed_across_the_wrap_of_sequence_numbers() -> None:
    buffer = JitterBuffer()
    parts = stream(65534, 6)
    add_all(buffer, [parts[0], parts[4]])
    assert buffer.missing() == [65535, 0, 1]


def test_after_a_gap_frames_are_dropped_until_a_key_frame() -> None:
    parts = stream(0, 20)
    parts[14] = vp8(14, 14, tag=KEY)
    del parts[5]
    buffer = JitterBuffer()
    assert frame_numbers(add_all(buffer, parts[:12])) == [0, 1, 2, 3, 4]
    assert buffer.awaiting_key
    assert frame_numbers(add_all(buffer, parts[12:], start_s=1.2)) == [14, 15, 16, 17, 18, 19]
    assert not buffer.awaiting_key


def test_a_late_packet_within_the_gap_timeout_closes_the_gap() -> None:
    parts = stream(0, 8)
    buffer = JitterBuffer()
    frames = add_all(buffer, parts[:3] + parts[4:7])  # 3 missing for 0.3 s
    assert frame_numbers(frames) == [0, 1, 2]
    assert not buffer.awaiting_key
    assert frame_numbers(buffer.add(parts[3], 0.5)) == [3, 4, 5, 6]


def test_a_gap_is_skipped_after_the_gap_timeout() -> None:
    parts = stream(0, 3)
    buffer = JitterBuffer()
    buffer.add(parts[0], 0.0)
    buffer.add(parts[2], 1.0)
    assert not buffer.awaiting_key
    buffer.add(vp8(3, 3), 1.01 + GAP_TIMEOUT_S)
    assert buffer.awaiting_key


def test_a_key_frame_does_not_wait_for_a_gap_before_it() -> None:
    parts = stream(0, 4)
    buffer = JitterBuffer()
    add_all(buffer, parts[:2])
    assert frame_numbers(buffer.add(vp8(5, 5, tag=KEY), 0.2)) == [5]


def test_a_frame_whose_first_packet_is_lost_is_dropped() -> None:
    buffer = JitterBuffer()
    add_all(buffer, stream(0, 2))
    late = [
        vp8(3, 2, tag=None, body=b"tail"),  # 2, the key frame's beginning, is lost
        vp8(4, 3),
        vp8(5, 4),
    ]
    assert [*add_all(buffer, late, start_s=1.0), *buffer.add(vp8(6, 5), 2.0)] == []


def test_the_stream_continues_when_the_sender_restarts_its_numbering() -> None:
    buffer = JitterBuffer()
    add_all(buffer, stream(0, 3))
    assert frame_numbers(add_all(buffer, stream(30000, 3), start_s=1.0)) == [0, 1, 2]


def test_padding_and_missing_markers_are_tolerated() -> None:
    buffer = JitterBuffer()
    parts = [
        vp8(0, 0, tag=KEY, last=False),
        Fragment(1, 0, False, b"", False),
        vp8(2, 1, last=False),
        vp8(3, 2, last=False),
    ]
    assert frame_numbers(add_all(buffer, parts)) == [0, 1]


def test_every_returned_frame_is_decodable_whatever_is_lost() -> None:
    rng = random.Random(4)
    for _ in range(200):
        keys = {0, *rng.sample(range(60), 4)}
        parts = [
            vp8(
                n * 2 + half,
                n,
                tag=(KEY if n in keys else DELTA) if half == 0 else None,
                last=half == 1,
                body=b"x",
            )
            for n in range(60)
            for half in (0, 1)
        ]
        kept = [part for part in parts if rng.random() > 0.1]
        for _swap in range(6):
            at = rng.randrange(len(kept) - 1)
            kept[at], kept[at + 1] = kept[at + 1], kept[at]
        buffer = JitterBuffer()
        frames = [frame for n, part in enumerate(kept) for frame in buffer.add(part, n * 0.05)]
        previous = -1
        for frame in frames:
            number = frame.timestamp // 9000
            assert frame.key or number == previous + 1, "a frame after a gap that is not a key frame"
            assert len(frame.data) == 3, "an incomplete frame"
            previous = number


def test_stock_freezes_after_a_loss_and_ours_does_not() -> None:
    """Why we do not use aiortc's buffer: one packet is lost, then follow a key frame and thirty seconds."""
    stock, buffer = StockJitterBuffer(capacity=512, is_video=True), JitterBuffer()
    parts = stream(0, 300)
    parts[12] = vp8(12, 12, tag=KEY)
    del parts[5]
    our_frames = add_all(buffer, parts)
    stock_frames = []
    for part in parts:
        packet = RtpPacket(sequence_number=part.sequence, timestamp=part.timestamp)
        packet._data = part.data  # type: ignore[attr-defined]
        stock_frames.append(stock.add(packet)[1])
    assert len(our_frames) == 5 + 288
    assert len([frame for frame in stock_frames if frame is not None]) <= 5


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (bytes([0x67, 1, 2]), True),  # SPS
        (bytes([0x65, 1, 2]), True),  # IDR
        (bytes([0x61, 1, 2]), False),  # non-IDR slice
        (bytes([0x78, 0, 2, 0x67, 1]), True),  # STAP-A with an SPS
        (bytes([0x78, 0, 2, 0x61, 1]), False),
        (bytes([0x7C, 0x85, 1]), True),  # FU-A, first part of an IDR
        (bytes([0x7C, 0x05, 1]), False),  # FU-A, later part
        (b"", False),
    ],
)
def test_h264_key_frames_are_recognised_by_their_nal_type(payload: bytes, starts: bool) -> None:
    assert fragment("H264", 1, 2, False, payload).starts_key is starts


@pytest.mark.parametrize("payload", [b"\x90", b"\x90\x80", b"\x90\x80\x80"])
def test_truncated_vp8_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        fragment("VP8", 1, 2, False, payload)
