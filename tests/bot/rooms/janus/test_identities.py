"""Who is who across reloads and lost connections."""

from itertools import count

from bot.rooms.janus import identities
from bot.rooms.janus.identities import Identities, Participant
from bot.rooms.janus.videoroom import RoomMember


def make() -> Identities:
    numbers = count(1)
    return Identities(lambda: f"p{next(numbers)}")


def come(roster: Identities, feed: int | str, display: str | None) -> Participant:
    student, came = roster.add(RoomMember(feed, display))
    assert came
    return student


def test_nobody_is_there_at_first() -> None:
    roster = make()
    assert roster.present == []
    assert roster.find(1) is None
    assert roster.present_with_name("Ada") == []


def test_two_of_one_name_are_two_persons() -> None:
    roster = make()
    one, two = come(roster, 1, "Ada"), come(roster, 2, "Ada")
    assert one.participant_id != two.participant_id
    assert roster.add(RoomMember(1, "Ada")) == (one, False)
    assert roster.present == [one, two]
    assert roster.present_with_name(" ada ", None) == [one, two]


def test_a_name_comes_back_under_its_identifier_and_a_newcomer_does_not() -> None:
    roster = make()
    ada = come(roster, 1, "Ada")
    roster.mark_absent(ada)
    assert roster.present == []
    assert come(roster, 7, "Bea").participant_id == "p2"
    assert come(roster, 8, "Ada").participant_id == "p1"
    assert come(roster, 9, "Ada").participant_id == "p3"
    assert roster.find(8) is ada
    assert roster.find(1) is None


def test_after_a_loss_two_of_one_name_get_one_identifier_each_by_feed_where_it_is_the_same() -> None:
    roster = make()
    one, two = come(roster, 1, "Ada"), come(roster, 2, "Ada")
    roster.mark_absent(one)
    roster.mark_absent(two)
    assert come(roster, 1, "Ada") is one
    assert come(roster, 5, "Ada") is two


def test_who_has_opted_out_is_taken_first_and_never_forgotten() -> None:
    roster = make()
    one, two = come(roster, 1, "Ada"), come(roster, 2, "Ada")
    one.opted_out = True
    roster.mark_absent(one)
    roster.mark_absent(two)
    for number in range(identities.MAX_ABSENT + 10):
        roster.mark_absent(come(roster, 100 + number, f"passer-by {number}"))
    assert come(roster, 5, "Ada") is one
    assert come(roster, 6, "Ada") is not two  # forgotten


def test_without_a_name_only_the_feed_tells() -> None:
    roster = make()
    one = come(roster, 1, None)
    roster.mark_absent(one)
    assert come(roster, 2, None) is not one
    assert come(roster, 1, None) is one
    assert roster.present_with_name(None, "") == []


def test_a_feed_that_is_somebody_elses_now_is_not_taken_for_the_person_before() -> None:
    roster = make()
    ada = come(roster, 1, "Ada")
    roster.mark_absent(ada)
    assert come(roster, 1, "Bea") is not ada


def test_a_former_name_comes_back_too_and_a_present_one_comes_first() -> None:
    roster = make()
    one = come(roster, 1, "Ada")
    for name in ("Bea", "Ada", "Cem"):
        roster.rename(one, name)
    assert roster.present_with_name("ada") == []
    assert roster.present_with_name("CEM") == [one]
    two = come(roster, 2, "Bea")
    assert two is not one, "one is present, whatever their names were"
    roster.mark_absent(two)
    roster.mark_absent(one)
    assert come(roster, 3, "Bea") is two
    assert come(roster, 4, "Bea") is one
    for number in range(100):
        roster.rename(one, f"name {number}")
    assert len(one.former_names) < 10


def test_a_name_is_called_however_it_is_spelled() -> None:
    roster = make()
    ada = come(roster, 1, "Zoë  Ａ")
    assert roster.present_with_name(" zoe\u0308 a") == [ada]
    assert roster.present_with_name("\u3000") == []
