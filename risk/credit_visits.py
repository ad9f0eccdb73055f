"""What a credit record tells the institutions of the person's bills on credit: how many there are, how many overdue.

H15 divides the two. A bill counts on the day on which it was captured, until it is reversed; as overdue, on the day on
which it became so, until it is paid, reversed, or its clock stops (a dispute, an unknown answer): what was cured is no
arrear of its institution. A bill of a stay that is billed in parts is one each.
"""

from collections.abc import Iterator

from risk.contributions import BAD_INSTITUTION_CODE, INSTITUTION, NO_BILL, Contribution
from risk.counters import place_of
from risk.credit import Credit, Obligation
from risk.moment import Moment
from risk.policy_counters import LETTERS
from risk.settlements import bad_codes_of, has_second_hop

_ON_CREDIT, _OVERDUE = place_of("credit_visits"), place_of("overdue_credit_visits")


def credit_told(before: Credit | None, after: Credit | None, moment: Moment) -> list[Contribution]:
    """What one record changed, in the order of the bills. What is forgotten takes nothing away."""
    known = before.obligations if before is not None else ()
    now = after.obligations if after is not None else ()
    if known is now or not has_second_hop(moment.terms):
        return []
    earlier = {each.setl_id: each for each in known}
    return [given for each in now for given in _told(earlier.get(each.setl_id), each, moment)]


def _told(before: Obligation | None, after: Obligation, moment: Moment) -> Iterator[Contribution]:
    for place, was_ms, is_ms in (
        (_ON_CREDIT, _captured_ms(before), _captured_ms(after)),
        (_OVERDUE, before.overdue_ms if before is not None else 0, after.overdue_ms),
    ):
        if was_ms and was_ms != is_ms:
            yield _contribution(after, moment, place, sign=-1, at_ms=was_ms)
        if is_ms and was_ms != is_ms:
            yield _contribution(after, moment, place, sign=1, at_ms=is_ms)


def _captured_ms(obligation: Obligation | None) -> int:
    return obligation.captured_ms if obligation is not None and obligation.claim_fen else 0


def _contribution(bill: Obligation, moment: Moment, place: int, *, sign: int, at_ms: int) -> Contribution:
    marks = NO_BILL | bad_codes_of(bill.fixmedins_code, None, moment.terms) & BAD_INSTITUTION_CODE
    when = (at_ms, moment.now_ms, moment.event_id, "")
    kind = next((each for each, letter in LETTERS.items() if bill.fixmedins_code.startswith(letter)), "")
    return Contribution(INSTITUTION, bill.fixmedins_code, sign, *when, 0, kind, "", 0, 0, marks, beside=((place, 1),))
