"""May a visit be paid on credit, and up to how much? One tuple of checks in fixed order; all run, the gravest decides.

The order is domain.md 3.4 step 3, and public: reasons of equal gravity are listed in it.

    service enabled       SERVICE_OFF                                        where nothing is offered, alone
    institution live      INSTITUTION_NOT_LIVE
    signed                NOT_SIGNED, MANDATE_INVALID
    insured status        INSURED_ABNORMAL (INSURED_UNVERIFIED is a note), OUT_OF_AREA (AREA_UNVERIFIED is a note)
    list                  LISTED_SHIXIN
    level                 LEVEL_D (UNRATED_LIMIT is a note), UNDER_INVESTIGATION: an authority's dated order
    suspension, overdue   SUSPENDED_OVERDUE
    disputes              neutral: they hold what was captured (kept.py) and refuse nothing new
    risk                  VELOCITY, RISK_HOLD are no checks: F01-F07 observe only (signals.py)
    limit                 LIMIT_EXCEEDED, DAILY_CAP, MONTH_CAP: what is left is approved in part
    entitlements          ENTITLEMENT_OVERRIDE, a note beside any decision: it creates no money

Each check is a fact about the question: it returns a reason or None.
"""

from collections.abc import Callable

from msgspec import Struct

from risk.credit import Context, Credit
from risk.exposure import overdue_fen
from risk.limits import Ceiling, level_fits, offers_credit
from risk.local_time import local_day
from risk.policy_values import UNRATED
from risk.reasons import Outcome, ReasonCode, Said, gravest
from risk.signed import Agreement, Level
from risk.standing import active_list, authority_order, engine_stop


class Question(Struct, frozen=True, gc=False):
    """Everything a check may look at."""

    credit: Credit
    context: Context
    service: str
    fixmedins_code: str
    agreement_asked: str
    agreement: Agreement | None
    amount_fen: int
    entitlements: tuple[str, ...]
    level: Level
    ceilings: tuple[Ceiling, ...]

    @property
    def left_fen(self) -> int:
        """What every ceiling together leaves."""
        return max(0, min([each.left_fen for each in self.ceilings], default=0))


class Verdict(Struct, frozen=True, gc=False):
    """What the checks say: the reasons in order of the checks, how much is approved, how much would have been.

    `passes_ms`: when the same request would pass, if only the caps of a day or month stand against it; else 0.
    """

    said: tuple[Said, ...]
    approved_fen: int
    maximum_fen: int
    passes_ms: int = 0

    @property
    def outcome(self) -> Outcome:
        """The gravest reason's outcome."""
        return gravest(self.said, Outcome.APPROVE)

    @property
    def blocked(self) -> bool:
        """Did anything but money stand against it?"""
        return any(each.outcome is Outcome.DENY and each.code not in MONEY_CODES for each in self.said)


MONEY_CODES = (ReasonCode.LIMIT_EXCEEDED, ReasonCode.DAILY_CAP, ReasonCode.MONTH_CAP)
Check = Callable[[Question], Said | None]


def _deny(code: ReasonCode, observed: int | str | None, allowed: int | str | None, clause: str) -> Said:
    return Said(code, Outcome.DENY, observed, allowed, clause)


def _note(code: ReasonCode, observed: int | str | None = None, clause: str = "") -> Said:
    return Said(code, Outcome.APPROVE, observed, None, clause)


_STATUS_UNKNOWN = _note(ReasonCode.INSURED_UNVERIFIED)
_PLACE_UNKNOWN = _note(ReasonCode.AREA_UNVERIFIED, clause="areas")


def service_off(question: Question) -> Said | None:
    """The policy offers this service on this day."""
    services = question.context.terms.get("services_on")
    if services is not None and question.service in services.value:
        return None
    return _deny(ReasonCode.SERVICE_OFF, question.service, None, "services_on")


def institution_not_live(question: Question) -> Said | None:
    """The institution takes part in this service on this day."""
    clause = question.context.terms["institutions"]
    if clause.value.is_live(question.fixmedins_code, question.service, local_day(question.context.occurred_ms)):
        return None
    return _deny(ReasonCode.INSTITUTION_NOT_LIVE, question.fixmedins_code, None, "institutions")


def not_signed(question: Question) -> Said | None:
    """The person signed the commitment and an agreement with a bank."""
    if question.credit.standing.commitment_ms and question.credit.agreements:
        return None
    missing = "agreement" if question.credit.standing.commitment_ms else "commitment"
    return _deny(ReasonCode.NOT_SIGNED, missing, None, "services_on")


def mandate_invalid(question: Question) -> Said | None:
    """The agreement asked for, or some agreement, is valid and covers the service."""
    if question.agreement is not None or not question.credit.agreements:
        return None
    return _deny(ReasonCode.MANDATE_INVALID, question.agreement_asked or None, question.service, "services_on")


def insured_abnormal(question: Question) -> Said | None:
    """The scheme has not said that the insurance status is abnormal."""
    status = question.credit.standing.status
    if status in ("", "normal"):
        return None
    return _deny(ReasonCode.INSURED_ABNORMAL, status, "normal", "services_on")


def insured_unverified(question: Question) -> Said | None:
    """No status event is no ground for refusal; it is noted."""
    return None if question.credit.standing.status else _STATUS_UNKNOWN


def out_of_area(question: Question) -> Said | None:
    """The insured place is one the policy covers."""
    place, prefixes = insured_place(question.context), question.context.terms["areas"].value
    if not place or place.startswith(tuple(prefixes)):
        return None
    return _deny(ReasonCode.OUT_OF_AREA, place, "|".join(prefixes), "areas")


def area_unverified(question: Question) -> Said | None:
    """An unknown place is treated as covered; it is noted."""
    return None if insured_place(question.context) else _PLACE_UNKNOWN


def listed_shixin(question: Question) -> Said | None:
    """The person is on no list that stops credit."""
    entry = active_list(question.credit, question.context.now_ms)
    if entry is None or not question.context.terms["listed_blocks"].value:
        return None
    return _deny(ReasonCode.LISTED_SHIXIN, entry.document_no, None, "listed_blocks")


def level_d(question: Question) -> Said | None:
    """The level in force may use credit."""
    if level_fits(question.level, question.context):
        return None
    eligible = question.context.terms["eligible_levels"].value
    return _deny(ReasonCode.LEVEL_D, question.level.code, "|".join(eligible), "eligible_levels")


def unrated_limit(question: Question) -> Said | None:
    """Without a level the limit for the unrated applies; it is noted."""
    if question.level.code != UNRATED:
        return None
    return _note(ReasonCode.UNRATED_LIMIT, question.level.unrated_reason or "other", "limit")


def under_investigation(question: Question) -> Said | None:
    """No authority stopped new credit by a numbered order with an end; an open investigation alone is no punishment."""
    order = authority_order(question.credit, question.context.now_ms)
    if order is not None:
        return _deny(ReasonCode.UNDER_INVESTIGATION, order.document_no, None, "unrated_blocks_under_investigation")
    blocks = question.context.terms["unrated_blocks_under_investigation"].value
    if blocks and question.credit.standing.investigated_ms and question.level.code == UNRATED:
        return _deny(ReasonCode.UNDER_INVESTIGATION, None, None, "unrated_blocks_under_investigation")
    return None


def suspended_overdue(question: Question) -> Said | None:
    """Nothing is overdue, and the contract does not stop new credit."""
    late_fen = overdue_fen(question.credit, question.context.now_ms)
    if late_fen or engine_stop(question.credit, question.context.now_ms) is not None:
        return _deny(ReasonCode.SUSPENDED_OVERDUE, late_fen, 0, "debit_due_ms")
    return None


def _exceeded(question: Question, code: ReasonCode) -> Said | None:
    """The tightest ceiling of this code leaves room for the amount; if it leaves some, some is approved."""
    if not question.ceilings[0].allowed_fen and not level_fits(question.level, question.context):
        return None  # LEVEL_D says it; a limit of nothing would say it twice
    failing = [each for each in question.ceilings if each.code is code and each.left_fen < question.amount_fen]
    if not failing:
        return None
    tightest = min(failing, key=lambda each: each.left_fen)
    outcome = Outcome.PARTIAL if question.left_fen else Outcome.DENY
    return Said(code, outcome, question.amount_fen, max(0, tightest.left_fen), tightest.clause or "limit")


def limit_exceeded(question: Question) -> Said | None:
    """The amount fits what policy limit and bank line leave; an exact fit fits."""
    return _exceeded(question, ReasonCode.LIMIT_EXCEEDED)


def daily_cap(question: Question) -> Said | None:
    """The amount fits what the day's cap leaves."""
    return _exceeded(question, ReasonCode.DAILY_CAP)


def month_cap(question: Question) -> Said | None:
    """The amount fits what the month's cap leaves."""
    return _exceeded(question, ReasonCode.MONTH_CAP)


def entitled(question: Question) -> Said | None:
    """Treatment comes first in an emergency and for 脱贫人口, whatever was decided about payment (domain.md 6 L11)."""
    return _note(ReasonCode.ENTITLEMENT_OVERRIDE, "|".join(question.entitlements)) if question.entitlements else None


# The order of domain.md 3.4 step 3. Where the policy offers no credit at all, service_off alone is asked.
CHECKS: tuple[Check, ...] = (
    service_off,
    institution_not_live,
    not_signed,
    mandate_invalid,
    insured_abnormal,
    insured_unverified,
    out_of_area,
    area_unverified,
    listed_shixin,
    level_d,
    unrated_limit,
    under_investigation,
    suspended_overdue,
    limit_exceeded,
    daily_cap,
    month_cap,
    entitled,
)

# What may stop a hold from growing. A lowered level or limit does not: it leaves holds the increases they may need.
INCREASE_CHECKS: tuple[Check, ...] = (
    mandate_invalid,
    insured_abnormal,
    under_investigation,
    suspended_overdue,
    limit_exceeded,
    daily_cap,
    month_cap,
)


def judge(question: Question, checks: tuple[Check, ...] = CHECKS) -> Verdict:
    """Ask every check; approve what all of them leave."""
    if not offers_credit(question.context):
        checks = (service_off,)
    said = tuple([reason for check in checks if (reason := check(question)) is not None])
    blocked = Verdict(said, 0, 0).blocked
    maximum_fen = 0 if blocked else question.left_fen
    passes_ms = 0 if blocked or maximum_fen >= question.amount_fen else _passes_ms(question)
    return Verdict(said, min(question.amount_fen, maximum_fen), maximum_fen, passes_ms)


def _passes_ms(question: Question) -> int:
    """When every ceiling in the way has freed by the clock; 0 if one never does, or is too low for the amount."""
    failing = [each for each in question.ceilings if each.left_fen < question.amount_fen]
    if any(not each.frees_ms or each.allowed_fen < question.amount_fen for each in failing):
        return 0
    return max((each.frees_ms for each in failing), default=0)


def insured_place(context: Context) -> str:
    """The insured place: from the visit, else last seen; "" = unknown."""
    return (context.visit.insuplc if context.visit is not None else "") or context.area
