"""Late and old frames are detected, and clock drift and restarts are tolerated."""

from bot.webrtc.lateness import BEHIND_FOR_S, BEHIND_S, PAUSE_S, STALE_S, Lateness

HZ = 90_000
START = 0xFFFF_0000  # the timestamps wrap within a second


def stamp(media_s: float) -> int:
    return (START + int(media_s * HZ)) & 0xFFFFFFFF


def steady(lateness: Lateness, from_s: float, to_s: float, late_s: float = 0.0) -> list[bool]:
    """Five frames a second, each this much later than it was captured."""
    count = round((to_s - from_s) * 5)
    times = [from_s + number / 5 for number in range(count)]
    return [lateness.is_fresh(stamp(media_s), 100 + media_s + late_s) for media_s in times]


def test_a_steady_stream_is_fresh_and_survives_the_wrap() -> None:
    lateness = Lateness()
    assert all(steady(lateness, 0, 10))
    assert not lateness.behind


def test_jitter_below_the_limit_is_tolerated() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    assert all(steady(lateness, 2, 4, late_s=STALE_S * 0.9))


def test_an_old_frame_after_a_pause_is_not_fresh() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    assert not lateness.is_fresh(stamp(2.0), 100 + 7.0)  # captured before the pause
    assert all(steady(lateness, 7.1, 9))


def test_the_first_frame_after_a_pause_is_not_fresh_even_with_a_new_timestamp() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    resumed_s = 1.8 + PAUSE_S + 0.1
    assert not lateness.is_fresh(stamp(resumed_s), 100 + resumed_s)
    assert lateness.is_fresh(stamp(resumed_s + 0.2), 100 + resumed_s + 0.2)


def test_a_burst_of_delayed_frames_is_not_fresh() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    burst = [lateness.is_fresh(stamp(2 + number / 5), 100 + 12 + number / 1000) for number in range(40)]
    assert not any(burst)
    assert not lateness.behind  # it catches up, so the connection can stay
    assert all(steady(lateness, 12.2, 13))


def test_a_connection_that_stays_late_is_behind() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    assert not any(steady(lateness, 2, 2 + BEHIND_FOR_S / 2, late_s=BEHIND_S + 1))
    assert not lateness.behind
    steady(lateness, 2 + BEHIND_FOR_S / 2, 4 + BEHIND_FOR_S, late_s=BEHIND_S + 1)
    assert lateness.behind


def test_slow_clock_drift_is_tolerated() -> None:
    lateness = Lateness()
    assert all(lateness.is_fresh(stamp(number / 5 * 0.9995), 100 + number / 5) for number in range(5 * 3600))


def test_frames_are_fresh_after_the_sender_restarts_its_timestamps() -> None:
    lateness = Lateness()
    steady(lateness, 0, 2)
    assert lateness.is_fresh(0x7000_0000, 102.0)
    assert lateness.is_fresh(0x7000_0000 + 18_000, 102.2)


def test_a_looping_video_is_fresh_in_every_loop() -> None:
    """Its timestamps restart in the same stream."""
    lateness = Lateness()
    for loop in range(3):
        fresh = [lateness.is_fresh(stamp(number / 5), 100 + 4 * loop + number / 5) for number in range(20)]
        assert all(fresh)
        assert not lateness.behind
    assert not lateness.is_fresh(stamp(4.0), 112 + STALE_S + 0.1), "late in the last loop"
