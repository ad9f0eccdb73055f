"""What a person's record adds up to: held, used, uncovered. Sums, stored nowhere; and the invariants they obey."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from risk.credit import Credit, HoldState, Obligation
from risk.local_time import local_day, to_date
from risk.ordered import FundingState, Order
from risk.signed import CREDIT_LINE, Agreement
from risk.watched import Want

_FORWARD = ("debit", "draw")
OPEN_STATES = (HoldState.HELD, HoldState.PART_CAPTURED)


class Repayment(StrEnum):
    """Where the money that the person owes stands (contract.md "Decisions": repayment_state)."""

    NONE = "none"
    DUE = "due"
    PART_PAID = "part_paid"
    PAID = "paid"
    OVERDUE = "overdue"


class Moved(NamedTuple):
    """What orders moved for one settlement: to the institution, back from it, and what is on its way back.

    `given_up_fen`: what the bank would not bring back; the institution was told to.
    """

    funded_fen: int = 0
    refunded_fen: int = 0
    returning_fen: int = 0
    given_up_fen: int = 0


def moved(credit: Credit) -> dict[str, Moved]:
    """By settlement, what its orders moved."""
    sums: dict[str, Moved] = {}
    for order in credit.orders:
        for item in order.items:
            before = sums.get(item.setl_id, Moved())
            if order.kind in _FORWARD:
                sums[item.setl_id] = before._replace(funded_fen=before.funded_fen + item.moved_fen)
            elif order.kind == "refund":
                rest_fen, goes_on = item.amount_fen - item.moved_fen, order.in_flight or order.retry_ms
                sums[item.setl_id] = before._replace(
                    refunded_fen=before.refunded_fen + item.moved_fen,
                    returning_fen=before.returning_fen + (rest_fen if goes_on else 0),
                    given_up_fen=before.given_up_fen + (0 if goes_on else rest_fen),
                )
    return sums


def used_of(obligation: Obligation, sums: dict[str, Moved]) -> int:
    """What the person still owes on one settlement: to the institution (card_withhold) or to the bank (credit_line)."""
    owed_fen = obligation.claim_fen - obligation.paid_fen
    if obligation.mode != CREDIT_LINE:
        funded_fen, refunded_fen, *_ = sums.get(obligation.setl_id, Moved())
        owed_fen -= funded_fen - refunded_fen
    return max(0, owed_fen)


def unfunded_of(obligation: Obligation, sums: dict[str, Moved]) -> int:
    """What an order still has to bring to the institution."""
    if obligation.mode != CREDIT_LINE:
        return used_of(obligation, sums)
    funded_fen, refunded_fen, *_ = sums.get(obligation.setl_id, Moved())
    return max(0, obligation.claim_fen - (funded_fen - refunded_fen))


def surplus_of(obligation: Obligation, sums: dict[str, Moved]) -> int:
    """What orders brought to the institution beyond what stands, and no refund brings back yet or was given up on.

    A debit that a payment at the counter overtook brought too much; what repaid a bank's line was never the
    institution's.
    """
    funded_fen, refunded_fen, returning_fen, given_up_fen = sums.get(obligation.setl_id, Moved())
    stands_fen = obligation.claim_fen
    if obligation.mode != CREDIT_LINE:
        stands_fen = max(0, stands_fen - obligation.paid_fen)
    return max(0, funded_fen - refunded_fen - returning_fen - given_up_fen - stands_fen)


def returnable_fen(credit: Credit, refund: Order) -> int:
    """What of the rest of a refund still came in too much: the settlement may stand again meanwhile."""
    others = (each.asking_no_more() if each == refund else each for each in credit.orders)
    sums = moved(replace(credit, orders=tuple(others)))
    surplus_fen = sum(surplus_of(each, sums) for each in credit.obligations if each.setl_id == refund.items[0].setl_id)
    return min(refund.rest_fen, surplus_fen)


def held_fen(credit: Credit, service: str = "", agreement_no: str = "") -> int:
    """The sum of open holds, of one pool or agreement or of all."""
    total_fen = 0
    for each in credit.authorizations:
        if (not service or each.service == service) and (not agreement_no or each.agreement_no == agreement_no):
            total_fen += each.held_fen
    return total_fen


def used_fen(credit: Credit, service: str = "", agreement_no: str = "") -> int:
    """The sum of what is still owed, of one pool or agreement or of all."""
    if not credit.obligations:
        return 0
    sums = moved(credit)
    return sum(
        used_of(each, sums)
        for each in credit.obligations
        if (not service or each.service == service) and (not agreement_no or each.agreement_no == agreement_no)
    )


def exposure_fen(credit: Credit, service: str = "", agreement_no: str = "") -> int:
    """held + used."""
    return held_fen(credit, service, agreement_no) + used_fen(credit, service, agreement_no)


def dated_fen(credit: Credit, day: int, *, month: bool = False) -> int:
    """Captured + still held of the authorizations placed on this local day, or in its month."""
    total_fen = 0
    for placed_day, amount_fen in _placed(credit):
        if month:
            total_fen += amount_fen if to_date(placed_day).replace(day=1) == to_date(day).replace(day=1) else 0
        elif placed_day == day:
            total_fen += amount_fen
    return total_fen


def _placed(credit: Credit) -> Iterator[tuple[int, int]]:
    for each in credit.authorizations:
        yield local_day(each.placed_ms), each.held_fen
    for obligation in credit.obligations:
        yield obligation.placed_day, obligation.claim_fen


def uncovered_fen(credit: Credit, service: str) -> int:
    """What this pool's visits asked above what is held and was topped up."""
    return sum(still_asked_fen(credit, want) for want in credit.wants if want.service == service)


def still_asked_fen(credit: Credit, want: Want) -> int:
    """What a visit still asks: its hold covers what it asks, and so does what was paid for it."""
    held = sum(
        each.held_fen
        for each in credit.authorizations
        if each.mdtrt_id == want.mdtrt_id and each.service == want.service
    )
    return max(0, want.asked_fen - held - want.topped_up_fen)


def latest_order(credit: Credit, obligation: Obligation) -> Order | None:
    """The last debit or draw that contains this settlement."""
    found = [
        order
        for order in credit.orders
        if order.kind in _FORWARD and any(item.setl_id == obligation.setl_id for item in order.items)
    ]
    return found[-1] if found else None


def funding_of(credit: Credit, obligation: Obligation) -> FundingState:
    """The funding leg of one settlement, read from its orders."""
    sums = moved(credit).get(obligation.setl_id)
    if sums is not None and 0 < sums.funded_fen <= sums.refunded_fen:
        return FundingState.REFUNDED
    order = latest_order(credit, obligation)
    return order.state if order is not None else FundingState.PENDING


def repayment_of(credit: Credit, obligation: Obligation, now_ms: int) -> Repayment:
    """The repayment leg of one settlement: none, due, part_paid, paid, overdue."""
    if not obligation.claim_fen:
        return Repayment.NONE
    owed_fen = used_of(obligation, moved(credit))
    if not owed_fen:
        return Repayment.PAID
    if is_overdue(credit, obligation, now_ms):
        return Repayment.OVERDUE
    return Repayment.PART_PAID if owed_fen < obligation.claim_fen else Repayment.DUE


def is_overdue(credit: Credit, obligation: Obligation, now_ms: int) -> bool:
    """card_withhold: due by our clock and refused for the person's own cause; credit_line: the bank says so."""
    if obligation.mode == CREDIT_LINE:
        told = next((each for each in credit.agreements if each.agreement_no == obligation.agreement_no), None)
        return told is not None and _bank_says_overdue(told, obligation)
    order = latest_order(credit, obligation)
    if order is None or obligation.is_stopped or not order.refused_ms or now_ms < order.late_ms:
        return False
    # An unknown answer or a dispute stops the clock; a further attempt under way does not, only its answer does.
    return order.state is not FundingState.UNKNOWN and not order.kept and not order.stopped_ms


def _bank_says_overdue(told: Agreement, obligation: Obligation) -> bool:
    """By name, or of the whole agreement: then of what had been captured by that time, never of what came later."""
    of_all_ms = told.overdue_ms if obligation.captured_ms <= told.overdue_ms else 0
    return max(of_all_ms, obligation.bank_overdue_ms) > max(told.cured_ms, obligation.bank_cured_ms)


def overdue_fen(credit: Credit, now_ms: int) -> int:
    """What is owed and overdue."""
    if not credit.obligations:
        return 0
    sums = moved(credit)
    return sum(used_of(each, sums) for each in credit.obligations if is_overdue(credit, each, now_ms))


def assert_sound(credit: Credit) -> None:
    """What must hold after every step, whatever the world sent. A failure here is a bug and stops the shard."""
    keys = set()
    for each in credit.authorizations:
        assert each.state in OPEN_STATES, each
        assert 0 <= each.held_fen <= each.approved_fen, each
        keys.add((each.fixmedins_code, each.authorization_id))
    assert len(keys) == len(credit.authorizations), "an authorization is open twice"
    sums = moved(credit)
    for obligation in credit.obligations:
        assert 0 <= obligation.captured_fen <= obligation.due_fen, obligation
        assert obligation.paid_fen >= 0, obligation
        told = sums.get(obligation.setl_id, Moved())
        assert told.refunded_fen <= told.funded_fen, obligation
    flying = (order for order in credit.orders if order.kind in _FORWARD and order.in_flight)
    asked = [each.setl_id for order in flying for each in order.items if each.amount_fen > each.moved_fen]
    assert len(set(asked)) == len(asked), "one settlement is asked for by one order at a time"
    for order in credit.orders:
        assert not (order.in_flight and order.retry_ms), order
        assert all(0 <= item.moved_fen <= item.amount_fen for item in order.items), order
