"""What a record remembers of calls is bounded, and what falls out of it does no harm; no sum outgrows the record."""

import msgspec

from risk.activity import NOTHING, with_year_sum, year_sum
from risk.authorize import ATTEMPTS_MOST
from risk.facts.base import WHOLE_MAX
from risk.holds import DENIALS_MOST
from risk.requests import REQUESTS_MOST
from tests.risk.credit_life import Life


def size(life):
    return len(msgspec.msgpack.encode(life.credit))


def test_a_call_repeated_without_end_is_answered_alike_and_fills_no_record():
    life = Life().sign()
    life.authorize(10_000, attempt="first")
    for number in range(3 * ATTEMPTS_MOST):
        assert life.authorize(10_000, attempt=f"t{number}").reply["decision"] == "approve"
    assert size(life) < 1_024
    for attempt in ("first", *(f"t{number}" for number in range(2 * ATTEMPTS_MOST))):
        life.abandon(attempt)
    assert life.held == 10_000, "a call that nobody counted may have heard of it"
    life.release()
    assert life.held == 0


def test_refused_increases_are_forgotten_and_what_was_granted_is_not():
    life = Life().sign()
    life.authorize(299_000)
    life.increase(1_000, request_id="granted")
    for number in range(3 * REQUESTS_MOST):
        assert life.increase(1, request_id=f"R{number}", attempt="x").reply["decision"] == "deny"
    assert size(life) < 6_000
    told = life.increase(1_000, request_id="granted").reply
    assert (told["replayed"], told["held_fen"], life.held) == (True, 300_000, 300_000)


def test_an_authorization_grows_so_many_times():
    life = Life().sign()
    life.authorize(1_000)
    told = [life.increase(1, request_id=f"R{number}").reply["status"] for number in range(REQUESTS_MOST + 1)]
    assert told == [200] * REQUESTS_MOST + [409]
    assert life.increase(1, request_id="more").reply["code"] == "TOO_MANY"
    assert life.increase(1, request_id="R0").reply["replayed"]
    assert life.held == 1_000 + REQUESTS_MOST


def test_denials_without_end_fill_no_record():
    life = Life().sign()
    for number in range(3 * DENIALS_MOST):
        assert life.authorize(10_000, f"D{number}", agreement_no="none").reply["decision"] == "deny"
    assert len(life.credit.ended) == DENIALS_MOST
    assert life.authorize(10_000, f"D{3 * DENIALS_MOST - 1}", agreement_no="none").reply["replayed"]


def test_no_sum_outgrows_the_record():
    life = Life().sign().visit("M1", med_type="21")
    life.authorize(1_000, service="deposit_free", med_type="21")
    for number in range(1_900):
        life.fee(WHOLE_MAX, f"F{number}", ownpay_fen=WHOLE_MAX)
        life.top_up(WHOLE_MAX) if number < 4 else None
    assert life.credit.accruals[0].cash_fen == WHOLE_MAX
    activity = NOTHING
    for _ in range(1_900):
        activity = with_year_sum(activity, 2024, WHOLE_MAX)
    assert msgspec.msgpack.encode(activity)
    assert year_sum(activity, 2024) > 900 * WHOLE_MAX
