"""The comparison with a bank's statement: each kind of difference by name, and every fen in exactly one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.reconciliation import Attempt, Booking, Finding, Line, Told, attempt_of, compare

DAY = 20_600


def ours(order_id: str = "or_1", attempt: int = 1, moved_fen: int = 500, **over: object) -> Attempt:
    words = {"kind": "debit", "bank_code": "BCM", "institution": "H1", "result": "settled", "day": DAY} | over
    return Attempt(order_id, attempt, moved_fen=moved_fen, **words)  # type: ignore[arg-type]


def theirs(order_id: str = "or_1", attempt: int = 1, amount_fen: int = 500, **over: str) -> Booking:
    words = {"kind": "debit", "bank_ref": f"R-{order_id}", "booked_at": "", "bank_code": "BCM", "institution": "H1"}
    return Booking(order_id, attempt, amount_fen=amount_fen, **(words | over))  # type: ignore[arg-type]


def lines(statement: list[Booking], attempts: list[Attempt]) -> list[Line]:
    by_key = {(each.order_id, each.attempt): each for each in attempts}
    report = compare(DAY, statement, by_key)
    assert sum(line.bank_fen for line in report.lines) == sum(each.signed_fen for each in statement)
    return list(report.lines)


def found(statement: list[Booking], attempts: list[Attempt]) -> list[tuple[str, int, int]]:
    return [(line.finding.value, line.bank_fen, line.our_fen) for line in lines(statement, attempts)]


def test_equal_books_match_line_by_line():
    assert found([theirs()], [ours()]) == [("matched", 500, 500)]
    assert found([], []) == []


def test_money_that_only_we_know_is_missing_at_the_bank():
    assert found([], [ours()]) == [("missing_at_bank", 0, 500)]


def test_money_that_only_the_bank_knows_is_missing_with_us():
    assert found([theirs()], []) == [("missing_with_us", 500, 0)]


@pytest.mark.parametrize("result", ["rejected", "cancelled"])
def test_money_moved_on_an_attempt_that_the_bank_refused_is_missing_with_us(result: str):
    (line,) = lines([theirs()], [ours(moved_fen=0, result=result)])
    assert (line.finding, line.bank_fen, line.our_fen, line.note) == (Finding.MISSING_WITH_US, 500, 0, result)


def test_another_amount_is_a_difference_of_that_much():
    (line,) = lines([theirs(amount_fen=499)], [ours()])
    assert (line.finding, line.difference_fen) == (Finding.AMOUNT_DIFFERS, -1)


def test_another_kind_is_a_difference_even_when_the_amount_is_the_same():
    (line,) = lines([theirs(kind="draw")], [ours()])
    assert (line.finding, line.note) == (Finding.AMOUNT_DIFFERS, "we ordered a debit")
    assert found([theirs(kind="refund")], [ours()]) == [("amount_differs", -500, 500)]


def test_of_two_bookings_the_one_like_ours_is_right_and_the_other_one_too_many():
    statement = [theirs(amount_fen=400, bank_ref="R-a"), theirs(bank_ref="R-b")]
    assert [(line.finding, line.bank_ref, line.bank_fen, line.our_fen) for line in lines(statement, [ours()])] == [
        (Finding.BOOKED_TWICE, "R-a", 400, 0),
        (Finding.MATCHED, "R-b", 500, 500),
    ]


@pytest.mark.parametrize("result", ["", "accepted", "unknown"])
def test_an_attempt_without_the_last_word_is_still_unknown_whether_or_not_the_bank_booked_it(result: str):
    waiting = ours(moved_fen=0, result=result)
    assert found([theirs()], [waiting]) == [("still_unknown", 500, 0)]
    assert found([], [waiting]) == [("still_unknown", 0, 0)]
    assert found([], [waiting._replace(day=DAY + 1)]) == []  # tomorrow's order is not today's question


def test_a_booking_is_matched_though_we_were_told_of_it_a_day_later():
    assert found([theirs()], [ours(day=DAY + 1)]) == [("matched", 500, 500)]


def test_what_stands_in_yesterdays_statement_is_not_asked_for_today():
    assert found([], [ours(day=DAY - 1)]) == []


def test_two_attempts_of_one_order_are_two_bookings():
    attempts = [ours(moved_fen=0, result="rejected"), ours(attempt=2)]
    assert found([theirs(attempt=2)], attempts) == [("matched", 500, 500)]


def test_refunds_leave_the_institution_and_a_cancel_moves_nothing():
    attempts = [ours("or_1"), ours("or_2", kind="refund"), ours("or_3", kind="cancel", result="cancelled", moved_fen=0)]
    by_key = {(each.order_id, each.attempt): each for each in attempts}
    report = compare(DAY, [theirs("or_1"), theirs("or_2", kind="refund")], by_key)
    assert report.differences == ()
    assert report.total[:2] == (0, 0)


def test_totals_are_by_bank_and_institution_and_add_up():
    attempts = [ours("or_1"), ours("or_2", institution="H2"), ours("or_3", bank_code="ABC", institution="H2")]
    by_key = {(each.order_id, each.attempt): each for each in attempts}
    report = compare(DAY, [theirs("or_1"), theirs("or_2", amount_fen=510)], by_key)
    assert {key: total.difference_fen for key, total in report.totals().items()} == {
        ("ABC", "H2"): -500,
        ("BCM", "H1"): 0,
        ("BCM", "H2"): 10,
    }
    assert report.total == (1010, 1500, 3, 2)
    assert {finding: total.lines for finding, total in report.found().items() if total.lines} == {
        Finding.MATCHED: 1,
        Finding.AMOUNT_DIFFERS: 1,
        Finding.MISSING_AT_BANK: 1,
    }


def told(*results: Told) -> Attempt:
    return attempt_of(("or_1", 1), kind="debit", bank_code="B", institution="H", ordered_fen=500, day=DAY, told=results)


def test_a_result_told_twice_counts_once_and_never_more_than_was_ordered():
    assert told(Told("settled", 500, DAY), Told("settled", 400, DAY)).moved_fen == 500
    assert told(Told("settled", 900, DAY)).moved_fen == 500


def test_money_that_moved_is_booked_however_late_and_an_older_word_does_not_undo_it():
    assert told(Told("rejected", 0, DAY), Told("settled", 500, DAY + 3))[5:] == (500, "settled", DAY + 3)
    assert told(Told("settled", 500, DAY), Told("accepted", 0, DAY + 1))[5:] == (500, "settled", DAY)
    assert told(Told("accepted", 0, DAY), Told("rejected", 0, DAY + 1))[5:] == (0, "rejected", DAY + 1)
    assert told(Told("unknown", 0, DAY)).is_open
    assert told()[5:] == (0, "", DAY)


KEYS = st.tuples(st.sampled_from(["or_1", "or_2", "or_3"]), st.integers(1, 2))
KINDS = st.sampled_from(["debit", "draw", "refund", "cancel"])
BOOKINGS = st.builds(lambda key, kind, fen: theirs(*key, fen, kind=kind), KEYS, KINDS, st.integers(0, 3))
RESULTS = st.sampled_from(["", "accepted", "unknown", "settled", "partial", "rejected", "cancelled"])


@given(
    st.lists(BOOKINGS, max_size=6),
    st.lists(
        st.builds(
            lambda key, kind, result, fen, day: ours(
                *key, fen if result in ("settled", "partial") else 0, kind=kind, result=result, day=DAY + day
            ),
            *(KEYS, KINDS, RESULTS, st.integers(0, 3), st.integers(-1, 1)),
        ),
        max_size=6,
        unique_by=lambda each: each[:2],
    ),
)
def test_every_fen_of_the_statement_and_of_our_day_stands_in_exactly_one_line(statement, attempts):
    by_key = {(each.order_id, each.attempt): each for each in attempts}
    report = compare(DAY, statement, by_key)
    booked = {booking[:2] for booking in statement}
    assert report.total.bank_fen == sum(booking.signed_fen for booking in statement)
    mine = [each for each in attempts if each.day == DAY or each[:2] in booked]
    assert report.total.our_fen == sum(each.signed_fen for each in mine)
    assert report.total.difference_fen == sum(line.difference_fen for line in report.differences)
    assert sum(total.bank_fen for total in report.totals().values()) == report.total.bank_fen
