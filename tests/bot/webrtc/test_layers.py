"""Which pictures go to the decoder: checked on real L1T3 pictures, by decoding what is let through."""

import random

import av
import numpy as np
import pytest

from benchmarks.simulation.clips import Clip, ClipSpec, make_clip
from benchmarks.simulation.rtp import Packetiser
from bot.webrtc.jitter_buffer import EncodedFrame, JitterBuffer
from bot.webrtc.packets import fragment, parse_rtp

FPS = 15
MEASURED = 17  # pictures until the rates are known


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(ClipSpec(identity=3, width=160, height=90, fps=FPS, seconds=8))


def packets(clip: Clip, *, layered: bool = True) -> list[list[bytes]]:
    """Each picture's packets."""
    stream = Packetiser(7, None, layered=layered, first=65500)
    return [stream.packets(picture, number / FPS) for number, picture in enumerate(clip.pictures)]


def pass_on(buffer: JitterBuffer, sent: list[bytes], at_s: float) -> list[EncodedFrame]:
    found = []
    for packet in sent:
        header, payload = parse_rtp(packet)
        part = fragment("VP8", header.sequence_number, header.timestamp, header.marker, payload)
        found += buffer.add(part, at_s)
    return found


def number_of(picture: EncodedFrame) -> int:
    return round(picture.timestamp / 90_000 * FPS)


def decode(pictures: list[bytes]) -> list[np.ndarray]:
    decoder = av.VideoCodecContext.create("vp8", "r")
    return [frame.to_ndarray(format="gray") for data in pictures for frame in decoder.decode(av.Packet(data))]


def run(clip: Clip, wanted_fps: float | None, lost: set[int] = frozenset()) -> tuple[list[int], JitterBuffer]:  # type: ignore[assignment]
    """Numbers of the pictures let through when some are lost whole; every one must decode as in full."""
    buffer = JitterBuffer(wanted_fps)
    through: list[EncodedFrame] = []
    for number, sent in enumerate(packets(clip)):
        if number not in lost:
            through += pass_on(buffer, sent, number / FPS)
    numbers = [number_of(picture) for picture in through]
    full = decode([picture.data for picture in clip.pictures])
    for number, shown in zip(numbers, decode([picture.data for picture in through]), strict=True):
        assert (shown == full[number]).all(), f"picture {number} shows rubbish"
    return numbers, buffer


def test_a_decoder_by_itself_shows_rubbish_after_a_loss_without_an_error(clip: Clip) -> None:
    """Why pictures that build on a lost one are held back."""
    full = decode([picture.data for picture in clip.pictures])
    kept = [picture.data for number, picture in enumerate(clip.pictures) if number != 28]  # of layer 0
    shown = decode(kept)
    assert len(shown) == len(kept)
    assert (shown[27] == full[27]).all()
    assert all((picture != meant).any() for picture, meant in zip(shown[28:], full[29:], strict=True))


def test_only_the_base_is_decoded_when_few_are_wanted(clip: Clip) -> None:
    numbers, _ = run(clip, 4.0)
    assert numbers == [*range(MEASURED), *range(MEASURED + 3, len(clip.pictures), 4)]


def test_everything_is_decoded_when_nothing_is_said(clip: Clip) -> None:
    assert run(clip, None)[0] == list(range(len(clip.pictures)))


@pytest.mark.parametrize(("wanted_fps", "step"), [(6.0, 2), (12.0, 1)])
def test_upper_layers_come_in_as_far_as_they_are_wanted(clip: Clip, wanted_fps: float, step: int) -> None:
    numbers, _ = run(clip, wanted_fps)
    steady = [number for number in numbers if number >= 32]
    assert steady == list(range(32, len(clip.pictures), step))


def test_a_layer_of_which_much_is_lost_seems_no_smaller(clip: Clip) -> None:
    """Half of layer 1 lost, it gives about what is wanted: 5.6 pictures a second of 7.5."""
    half = {number for number in range(MEASURED, len(clip.pictures) - FPS) if number % 8 == 2}
    assert run(clip, 4.0, lost=half)[0] == run(clip, 4.0)[0]


def test_a_loss_above_the_base_needs_no_key_frame(clip: Clip) -> None:
    numbers, buffer = run(clip, 4.0, lost={21, 22, 23, 41})
    assert set(numbers) >= set(range(0, len(clip.pictures), 4))
    assert not buffer.awaiting_key


def test_a_loss_of_the_base_waits_for_a_key_frame(clip: Clip) -> None:
    numbers, buffer = run(clip, 4.0, lost={28})
    assert numbers == [*range(MEASURED), 20, 24]
    assert buffer.awaiting_key


def test_what_is_let_through_decodes_whatever_is_lost(clip: Clip) -> None:
    dice = random.Random(11)
    for wanted_fps in (None, 4.0, 6.0):
        for _ in range(2):
            above = [number for number in range(1, 100) if number % 4]
            numbers, buffer = run(clip, wanted_fps, lost=set(dice.sample(above, 20)))
            assert not buffer.awaiting_key
            assert len(numbers) >= len(clip.pictures) // 4


def test_without_layers_a_loss_waits_for_a_key_frame() -> None:
    clip = make_clip(ClipSpec(identity=3, width=160, height=90, fps=FPS, seconds=4, layers=1))
    buffer = JitterBuffer(4.0)
    through = []
    for number, sent in enumerate(packets(clip, layered=False)):
        if number != 20:
            through += pass_on(buffer, sent, number / FPS)
    assert [number_of(picture) for picture in through] == list(range(20))
    assert buffer.awaiting_key


def test_numbers_of_the_base_are_looked_at_after_a_loss_only(clip: Clip) -> None:
    """A sender that does not count them is received as long as nothing is lost."""
    buffer = JitterBuffer()
    through = []
    for number, sent in enumerate(packets(clip)):
        uncounted = [packet[:16] + b"\0" + packet[17:] for packet in sent]
        through += pass_on(buffer, uncounted, number / FPS)
    assert len(through) == len(clip.pictures)
