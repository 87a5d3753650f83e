"""What receiver reports say, beside aiortc's own statistics where those are right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiortc.rtcrtpreceiver import StreamStatistics
from hypothesis import given
from hypothesis import strategies as st

from bot.webrtc.receive_statistics import ReceiveStatistics

HZ = 90_000


def fed(*packets: tuple[int, int, float]) -> ReceiveStatistics:
    """Told of packets: sequence number, timestamp, when they came."""
    reception = ReceiveStatistics(7)
    for packet in packets:
        reception.add(*packet)
    return reception


def in_time(*sequences: int) -> list[tuple[int, int, float]]:
    return [(sequence & 0xFFFF, 0, 0.0) for sequence in sequences]


def test_before_the_first_packet_there_is_nothing_to_report() -> None:
    assert fed().report(0, 0) is None


def test_lost_packets_are_counted_over_the_wrap_of_the_sequence_number() -> None:
    reception = fed(*in_time(65_533, 65_534, 65_537, 65_538))
    info = reception.report(last_sr=5, delay=6)
    assert info is not None
    assert (info.ssrc, info.lsr, info.dlsr) == (7, 5, 6)
    assert (info.packets_lost, info.highest_sequence) == (2, 65_538)
    assert info.fraction_lost == 2 * 256 // 6


def test_the_share_lost_is_of_the_time_since_the_last_report() -> None:
    reception = fed(*in_time(1, 2, 4))
    assert (info := reception.report(0, 0)) is not None
    assert info.fraction_lost == 64
    for packet in in_time(5, 6):
        reception.add(*packet)
    assert (info := reception.report(0, 0)) is not None
    assert (info.fraction_lost, info.packets_lost) == (0, 1)
    assert (info := reception.report(0, 0)) is not None
    assert info.fraction_lost == 0


def test_what_came_late_or_twice_makes_up_for_what_was_lost() -> None:
    """As RFC 3550 has it: the number may be negative."""
    assert (info := fed(*in_time(1, 3, 2)).report(0, 0)) is not None
    assert (info.packets_lost, info.highest_sequence) == (0, 3)
    assert (info := fed(*in_time(1, 2, 2)).report(0, 0)) is not None
    assert info.packets_lost == -1


def test_jitter_is_of_the_arrival_not_of_when_it_is_told() -> None:
    steady = fed(*((number, number * 6000, number / 15) for number in range(100)))
    assert (info := steady.report(0, 0)) is not None
    assert info.jitter == 0
    uneven = fed(*((number, number * 6000, number / 15 + 0.01 * (number % 2)) for number in range(200)))
    assert (info := uneven.report(0, 0)) is not None
    assert info.jitter == pytest.approx(900, abs=3)  # every other picture comes 10 ms late


def test_a_timestamp_that_wraps_is_no_jitter() -> None:
    reception = fed(
        *((number, (0xFFFFFFFF - 9000 + number * 6000) & 0xFFFFFFFF, number / 15) for number in range(5))
    )
    assert (info := reception.report(0, 0)) is not None
    assert info.jitter == 0


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(-3, 9), st.integers(0, 3)), min_size=1, max_size=60),
)
def test_it_counts_as_aiortc_does(first: int, steps: list[tuple[int, int]]) -> None:
    theirs, ours, sequence, timestamp = StreamStatistics(HZ), ReceiveStatistics(7), first, 0
    for ahead, later in [(0, 0), *steps]:
        sequence, timestamp = (sequence + ahead) & 0xFFFF, timestamp + 3000 * later
        theirs.add(SimpleNamespace(sequence_number=sequence, timestamp=timestamp))  # type: ignore[arg-type]
        ours.add(sequence, timestamp, 0.0)
    info = ours.report(0, 0)
    assert info is not None
    assert info.packets_lost == theirs.packets_lost
    assert info.fraction_lost == theirs.fraction_lost
    assert info.highest_sequence == theirs.cycles + (theirs.max_seq or 0)
