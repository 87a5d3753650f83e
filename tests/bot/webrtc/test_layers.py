"""Which frames are passed to the decoder, tested by decoding them. The frames are a real L1T3 stream."""

import random

import av
import numpy as np
import pytest

from benchmarks.simulation.clips import Clip, ClipSpec, make_clip
from benchmarks.simulation.rtp import Packetiser
from bot.webrtc.jitter_buffer import EncodedFrame, JitterBuffer
from bot.webrtc.packets import fragment, parse_rtp

FPS = 15
MEASURED_AFTER = 17  # number of frames until the frame rates of the layers are known


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(ClipSpec(identity=3, width=160, height=90, fps=FPS, seconds=8))


def packets_of(clip: Clip, *, layered: bool = True) -> list[list[bytes]]:
    """The packets of each frame."""
    stream = Packetiser(7, None, layered=layered, first=65500)
    return [stream.packets(frame, number / FPS) for number, frame in enumerate(clip.frames)]


def add_packets(buffer: JitterBuffer, frame_packets: list[bytes], at_s: float) -> list[EncodedFrame]:
    frames = []
    for packet in frame_packets:
        header, payload = parse_rtp(packet)
        part = fragment("VP8", header.sequence_number, header.timestamp, header.marker, payload)
        frames += buffer.add(part, at_s)
    return frames


def frame_number(frame: EncodedFrame) -> int:
    return round(frame.timestamp / 90_000 * FPS)


def decode(frames: list[bytes]) -> list[np.ndarray]:
    decoder = av.VideoCodecContext.create("vp8", "r")
    return [frame.to_ndarray(format="gray") for data in frames for frame in decoder.decode(av.Packet(data))]


def run(clip: Clip, wanted_fps: float | None, lost: set[int] = frozenset()) -> tuple[list[int], JitterBuffer]:  # type: ignore[assignment]
    """Lose whole frames. Return the numbers of those admitted, after checking that each decodes correctly."""
    buffer = JitterBuffer(wanted_fps)
    admitted: list[EncodedFrame] = []
    for number, frame_packets in enumerate(packets_of(clip)):
        if number not in lost:
            admitted += add_packets(buffer, frame_packets, number / FPS)
    numbers = [frame_number(frame) for frame in admitted]
    expected = decode([frame.data for frame in clip.frames])
    for number, shown in zip(numbers, decode([frame.data for frame in admitted]), strict=True):
        assert (shown == expected[number]).all(), f"frame {number} decodes incorrectly"
    return numbers, buffer


def test_a_decoder_alone_outputs_garbage_after_a_loss_without_an_error(clip: Clip) -> None:
    """Why frames that depend on a lost one must be dropped."""
    expected = decode([frame.data for frame in clip.frames])
    kept = [frame.data for number, frame in enumerate(clip.frames) if number != 28]  # of layer 0
    shown = decode(kept)
    assert len(shown) == len(kept)
    assert (shown[27] == expected[27]).all()
    assert all((frame != meant).any() for frame, meant in zip(shown[28:], expected[29:], strict=True))


def test_only_layer_0_is_decoded_at_a_low_wanted_frame_rate(clip: Clip) -> None:
    numbers, _ = run(clip, 4.0)
    assert numbers == [*range(MEASURED_AFTER), *range(MEASURED_AFTER + 3, len(clip.frames), 4)]


def test_all_layers_are_decoded_without_a_wanted_frame_rate(clip: Clip) -> None:
    assert run(clip, None)[0] == list(range(len(clip.frames)))


@pytest.mark.parametrize(("wanted_fps", "step"), [(6.0, 2), (12.0, 1)])
def test_upper_layers_are_decoded_up_to_the_wanted_frame_rate(
    clip: Clip, wanted_fps: float, step: int
) -> None:
    numbers, _ = run(clip, wanted_fps)
    steady = [number for number in numbers if number >= 32]
    assert steady == list(range(32, len(clip.frames), step))


def test_losses_do_not_lower_the_measured_rate_of_a_layer(clip: Clip) -> None:
    """Half of layer 1 is lost, so its rate seems to be near the wanted one: 5.6 frames a second, not 7.5."""
    half = {number for number in range(MEASURED_AFTER, len(clip.frames) - FPS) if number % 8 == 2}
    assert run(clip, 4.0, lost=half)[0] == run(clip, 4.0)[0]


def test_a_loss_above_layer_0_needs_no_key_frame(clip: Clip) -> None:
    numbers, buffer = run(clip, 4.0, lost={21, 22, 23, 41})
    assert set(numbers) >= set(range(0, len(clip.frames), 4))
    assert not buffer.awaiting_key


def test_after_a_loss_in_layer_0_a_key_frame_is_awaited(clip: Clip) -> None:
    numbers, buffer = run(clip, 4.0, lost={28})
    assert numbers == [*range(MEASURED_AFTER), 20, 24]
    assert buffer.awaiting_key


def test_admitted_frames_decode_correctly_whatever_is_lost(clip: Clip) -> None:
    rng = random.Random(11)
    for wanted_fps in (None, 4.0, 6.0):
        for _ in range(2):
            upper = [number for number in range(1, 100) if number % 4]
            numbers, buffer = run(clip, wanted_fps, lost=set(rng.sample(upper, 20)))
            assert not buffer.awaiting_key
            assert len(numbers) >= len(clip.frames) // 4


def test_without_layers_a_key_frame_is_awaited_after_a_loss() -> None:
    clip = make_clip(ClipSpec(identity=3, width=160, height=90, fps=FPS, seconds=4, layers=1))
    buffer = JitterBuffer(4.0)
    admitted = []
    for number, frame_packets in enumerate(packets_of(clip, layered=False)):
        if number != 20:
            admitted += add_packets(buffer, frame_packets, number / FPS)
    assert [frame_number(frame) for frame in admitted] == list(range(20))
    assert buffer.awaiting_key


def test_layer_0_numbers_matter_only_after_a_loss(clip: Clip) -> None:
    """A sender that does not number the frames of layer 0 is received while nothing is lost."""
    buffer = JitterBuffer()
    admitted = []
    for number, frame_packets in enumerate(packets_of(clip)):
        uncounted = [packet[:16] + b"\0" + packet[17:] for packet in frame_packets]
        admitted += add_packets(buffer, uncounted, number / FPS)
    assert len(admitted) == len(clip.frames)
