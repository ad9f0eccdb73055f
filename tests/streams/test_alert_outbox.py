"""What waits for a route: grouping by institution, a ceiling per minute, and a summary of what went beyond."""

from connectors.notify import Notice
from risk.local_time import MINUTE_MS
from streams.alert_outbox import HELD_MAX, MEMBERS_MAX, Outbox, Pacing, messages_of, name_of

NOON_MS = 29_000_000 * MINUTE_MS
WAIT_MS = 5_000


def alert(number: int, institution: str = "H1", sev: int = 3) -> dict:
    return {
        "alert_id": f"al_{number}",
        "rule_id": "P01",
        "sev_deg": sev,
        "subject_kind": "person",
        "fixmedins_code": institution,
        "episode": "opened",
    }


def outbox(per_minute: int = 20) -> Outbox:
    return Outbox("webhook json", Pacing(WAIT_MS, per_minute))


def leave(box: Outbox, now_ms: int) -> list[tuple[str, list[str]]]:
    """All that may leave now: (cause, alert ids) of each message."""
    left = []
    while (message := box.due(now_ms)) is not None:
        left.append((message.notice.cause, [each["alert_id"] for each in message.alerts]))
        box.sent()
    return left


def test_alerts_of_one_institution_within_the_wait_are_one_message():
    #  s    0----1----2----3----4----5----6----7
    #  H1   1         2              |          one message, 5 s after the first
    #  H2        3                        |
    box = outbox()
    for number, institution, after_ms in ((1, "H1", 0), (3, "H2", 1_000), (2, "H1", 2_000)):
        box.hold(alert(number, institution), NOON_MS + after_ms)
    assert leave(box, NOON_MS + WAIT_MS - 1) == []
    assert leave(box, NOON_MS + WAIT_MS) == [("group", ["al_1", "al_2"])]
    assert leave(box, NOON_MS + WAIT_MS + 1_000) == [("group", ["al_3"])]


def test_the_gravest_do_not_wait_and_take_along_what_waits_of_their_institution():
    box = outbox()
    box.hold(alert(1, "H1"), NOON_MS)
    box.hold(alert(2, "H2"), NOON_MS)
    box.hold(alert(3, "H2", sev=4), NOON_MS)
    assert leave(box, NOON_MS) == [("group", ["al_2", "al_3"])]


def test_beyond_the_ceiling_the_rest_of_the_minute_is_one_summary_that_names_every_member():
    box = outbox(per_minute=2)
    for number in range(10):
        box.hold(alert(number, f"H{number}"), NOON_MS)
    assert leave(box, NOON_MS + WAIT_MS) == [("group", ["al_0"]), ("group", ["al_1"])]
    assert leave(box, NOON_MS + MINUTE_MS - 1) == []
    assert leave(box, NOON_MS + MINUTE_MS) == [("flood", [f"al_{number}" for number in range(2, 10)])]


def test_the_gravest_do_not_wait_for_the_next_minute_and_have_a_ceiling_of_their_own():
    box = outbox(per_minute=1)
    for number in (1, 2):
        box.hold(alert(number, f"H{number}"), NOON_MS)
    assert leave(box, NOON_MS + WAIT_MS) == [("group", ["al_1"])]
    for number in (3, 4):
        box.hold(alert(number, f"H{number}", sev=4), NOON_MS + WAIT_MS)
    assert leave(box, NOON_MS + WAIT_MS) == [("group", ["al_3"])]
    assert leave(box, NOON_MS + MINUTE_MS) == [("flood", ["al_2", "al_4"])]


def test_after_a_flood_alerts_are_messages_again():
    box = outbox(per_minute=1)
    for number in (1, 2):
        box.hold(alert(number, f"H{number}"), NOON_MS)
    leave(box, NOON_MS + WAIT_MS)
    leave(box, NOON_MS + MINUTE_MS)
    box.hold(alert(3), NOON_MS + 2 * MINUTE_MS)
    assert leave(box, NOON_MS + 2 * MINUTE_MS + WAIT_MS) == [("group", ["al_3"])]


def test_a_large_flood_is_several_summaries_and_misses_nobody():
    box = outbox(per_minute=10)
    box_size = MEMBERS_MAX + 500
    for number in range(10):
        box.hold(alert(box_size + number, f"X{number}"), NOON_MS)
    told = leave(box, NOON_MS + WAIT_MS)
    for number in range(box_size):
        box.hold(alert(number, f"H{number}"), NOON_MS + WAIT_MS)
        assert box.due(NOON_MS + WAIT_MS) is None
    summaries = leave(box, NOON_MS + MINUTE_MS)
    assert [(cause, len(members)) for cause, members in summaries] == [("flood", MEMBERS_MAX), ("flood", 500)]
    members = {member for _, each in told + summaries for member in each}
    assert members == {f"al_{number}" for number in range(box_size + 10)}


def test_a_message_that_could_not_leave_is_the_same_when_it_is_tried_again():
    box = outbox()
    box.hold(alert(1), NOON_MS)
    first = box.due(NOON_MS + WAIT_MS)
    box.hold(alert(2), NOON_MS + WAIT_MS)
    assert box.due(NOON_MS + 2 * WAIT_MS) is first
    box.sent()
    assert leave(box, NOON_MS + 2 * WAIT_MS) == [("group", ["al_2"])]


def test_what_is_held_is_bounded_and_the_rest_is_known_not_to_be_held():
    box = outbox()
    for number in range(HELD_MAX + 1):
        box.hold(alert(number), NOON_MS)
    assert box.holds(name_of(alert(HELD_MAX - 1)))
    assert not box.holds(name_of(alert(HELD_MAX)))


def test_a_flood_of_lesser_ones_keeps_none_of_the_gravest_out():
    box = outbox()
    for number in range(HELD_MAX):
        box.hold(alert(number), NOON_MS)
    box.hold(alert(HELD_MAX, "H2", sev=4), NOON_MS)
    assert leave(box, NOON_MS) == [("group", [f"al_{HELD_MAX}"])]


def test_of_the_gravest_as_many_are_held_as_of_all_others():
    box = outbox()
    for number in range(HELD_MAX + 1):
        box.hold(alert(number, sev=4), NOON_MS)
    assert box.holds(name_of(alert(HELD_MAX - 1)))
    assert not box.holds(name_of(alert(HELD_MAX)))


def test_the_same_members_have_the_same_notice_whatever_their_order():
    alerts = [alert(number) for number in range(3)]
    (one,), (other,) = messages_of("r", "flood", alerts), messages_of("r", "flood", reversed(alerts))
    assert one == other
    assert isinstance(one.notice, Notice)
    (elsewhere,) = messages_of("another route", "flood", alerts)
    assert elsewhere.notice.notice_id != one.notice.notice_id
