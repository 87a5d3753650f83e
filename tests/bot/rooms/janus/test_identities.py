"""Participants keep their identifiers across reloads and lost connections."""

from itertools import count

from bot.rooms.janus.identities import MAX_ABSENT, Identities, Participant
from bot.rooms.janus.videoroom import RoomMember


def new_identities() -> Identities:
    numbers = count(1)
    return Identities(lambda: f"p{next(numbers)}")


def join(identities: Identities, feed: int | str, display: str | None) -> Participant:
    participant, joined = identities.add(RoomMember(feed, display))
    assert joined
    return participant


def test_nobody_is_present_at_first() -> None:
    identities = new_identities()
    assert identities.present == []
    assert identities.find(1) is None
    assert identities.present_with_name("Ada") == []


def test_two_participants_with_one_name_stay_two() -> None:
    identities = new_identities()
    one, two = join(identities, 1, "Ada"), join(identities, 2, "Ada")
    assert one.participant_id != two.participant_id
    assert identities.add(RoomMember(1, "Ada")) == (one, False)
    assert identities.present == [one, two]
    assert identities.present_with_name(" ada ", None) == [one, two]


def test_a_returning_name_keeps_its_identifier_and_a_new_name_gets_a_new_one() -> None:
    identities = new_identities()
    ada = join(identities, 1, "Ada")
    identities.mark_absent(ada)
    assert identities.present == []
    assert join(identities, 7, "Bea").participant_id == "p2"
    assert join(identities, 8, "Ada").participant_id == "p1"
    assert join(identities, 9, "Ada").participant_id == "p3"
    assert identities.find(8) is ada
    assert identities.find(1) is None


def test_after_a_loss_two_with_one_name_are_told_apart_by_an_unchanged_feed() -> None:
    identities = new_identities()
    one, two = join(identities, 1, "Ada"), join(identities, 2, "Ada")
    identities.mark_absent(one)
    identities.mark_absent(two)
    assert join(identities, 1, "Ada") is one
    assert join(identities, 5, "Ada") is two


def test_a_participant_who_opted_out_is_matched_first_and_never_forgotten() -> None:
    identities = new_identities()
    one, two = join(identities, 1, "Ada"), join(identities, 2, "Ada")
    one.opted_out = True
    identities.mark_absent(one)
    identities.mark_absent(two)
    for number in range(MAX_ABSENT + 10):
        identities.mark_absent(join(identities, 100 + number, f"passer-by {number}"))
    assert join(identities, 5, "Ada") is one
    assert join(identities, 6, "Ada") is not two  # forgotten


def test_without_a_name_only_the_feed_identifies_a_participant() -> None:
    identities = new_identities()
    one = join(identities, 1, None)
    identities.mark_absent(one)
    assert join(identities, 2, None) is not one
    assert join(identities, 1, None) is one
    assert identities.present_with_name(None, "") == []


def test_a_feed_reused_by_another_name_is_another_participant() -> None:
    identities = new_identities()
    ada = join(identities, 1, "Ada")
    identities.mark_absent(ada)
    assert join(identities, 1, "Bea") is not ada


def test_a_former_name_is_matched_too_but_only_after_a_current_one() -> None:
    identities = new_identities()
    one = join(identities, 1, "Ada")
    for name in ("Bea", "Ada", "Cem"):
        identities.rename(one, name)
    assert identities.present_with_name("ada") == []
    assert identities.present_with_name("CEM") == [one]
    two = join(identities, 2, "Bea")
    assert two is not one, "a present participant is never matched"
    identities.mark_absent(two)
    identities.mark_absent(one)
    assert join(identities, 3, "Bea") is two
    assert join(identities, 4, "Bea") is one
    for number in range(100):
        identities.rename(one, f"name {number}")
    assert len(one.former_names) < 10


def test_names_are_compared_without_capitals_widths_and_spacing() -> None:
    identities = new_identities()
    ada = join(identities, 1, "Zoë  Ａ")
    assert identities.present_with_name(" zoe\u0308 a") == [ada]
    assert identities.present_with_name("\u3000") == []
