"""Ten thousand random steps of three people's money, folded one by one: both books agree and no invariant breaks."""

from hypothesis import HealthCheck, settings

from tests.risk.money_machine import Money

Money.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMoney = Money.TestCase


def test_what_the_bank_got_back_was_not_repaid_whenever_the_refund_comes_through():
    """The bank lends 250,000 and hears of 137; the bill is undone, and done again while the refund is on its way."""
    state, by_line = Money(), 1
    state.a_visit_on_credit(who=by_line, name="A1", mdtrt="M1", amount=300_000, more=0)
    state.bank_answers(who=by_line, pick=0, result="settled", cause="bank")
    state.repay_the_bank(who=by_line, amount=137)
    state.reverse(who=by_line, pick=0)
    state.reinstate(who=by_line, pick=0)
    person = state.people[by_line]
    assert person.book.used_in("visit_first") == 250_000 - 137
    state.bank_answers(who=by_line, pick=0, result="settled", cause="bank")
    assert [order["kind"] for order in person.sent.values()] == ["draw", "refund", "draw"]
    assert person.book.used_in("visit_first") == 250_000


def test_a_refund_that_a_bank_refused_is_not_asked_for_again_while_its_bill_stands():
    state, by_card = Money(), 0
    state.a_visit_on_credit(who=by_card, name="A1", mdtrt="M1", amount=80_000, more=0)
    state.time_passes(who=by_card, hours=26)
    state.bank_answers(who=by_card, pick=0, result="settled", cause="bank")
    state.reverse(who=by_card, pick=0)
    state.bank_answers(who=by_card, pick=0, result="rejected", cause="bank")
    state.reinstate(who=by_card, pick=0)
    state.time_passes(who=by_card, hours=26)
    assert [order["kind"] for order in state.people[by_card].sent.values()] == ["debit", "refund"]
    assert state.people[by_card].sent.popitem()[1]["attempt"] == 1


def test_a_debit_that_a_bank_calls_off_again_and_again_comes_to_an_end():
    state, by_card = Money(), 0
    state.a_visit_on_credit(who=by_card, name="A1", mdtrt="M1", amount=80_000, more=0)
    for _ in range(20):
        state.time_passes(who=by_card, hours=26)
        state.bank_answers(who=by_card, pick=0, result="cancelled", cause="bank")
    assert len(state.people[by_card].sent) == 1
