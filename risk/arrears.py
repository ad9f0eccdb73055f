"""What follows when nobody pays: new credit stops at once, reminders, a case file for a person; paid, all of it ends.

Overdue itself is exposure.py; the check that refuses is checks.py (SUSPENDED_OVERDUE). Here it is told, once each, on
decisions.v1 (kind `arrears`): `suspend`, `remind` (by the institution or 湘医保: the engine holds no phone), `resume`,
and `case_prepared` more than so many natural days after so many delivered reminders. A person decides what becomes of
a case; nobody is listed by the engine (domain.md 1.6 C7).
"""

from typing import Any

from msgspec.structs import replace

from risk.answers import decision
from risk.credit import Context, Credit, Move, Obligation
from risk.exposure import is_overdue, latest_order, moved, used_of
from risk.facts import NoticeDelivered
from risk.local_time import DAY_MS, HOUR_MS, day_start_ms, local_day, rfc3339
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.watched import Arrears

_TEXTS = {
    "suspend": ("有逾期未还款项，暂停新的信用支付，还清即恢复", "Overdue: no new credit until it is paid"),
    "remind": (
        "您有一笔信用支付已逾期，请尽快还清，还清即恢复使用",
        "A credit payment is overdue; paying it restores credit",
    ),
    "resume": ("逾期款项已结清或暂缓，恢复信用支付", "Nothing is overdue any more: credit is restored"),
    "case_prepared": (
        "已备案卷，请人工审查；系统不作任何认定",
        "A case file is prepared for a person; nothing was decided",
    ),
}


def followed(credit: Credit, context: Context) -> Move:
    """Whatever the arrears of this person ask for now."""
    if not credit.arrears and not _may_be_late(credit):
        return credit, []
    late = _late(credit, context.now_ms)
    said: list[Output | Reply] = []
    kept: list[Arrears] = []
    for known in credit.arrears:
        if known.agreement_no not in late:
            said.append(_told("resume", known, [], context))
            continue
        known, more = _pursued(known, late[known.agreement_no], context)
        kept.append(known)
        said += more
    names = {each.agreement_no for each in credit.arrears}
    for agreement_no, owed in late.items():
        if agreement_no not in names:
            begun = Arrears(agreement_no, context.now_ms, remind_ms=_evening_ms(context.now_ms, context))
            kept.append(begun)
            said.append(_told("suspend", begun, owed, context))
    return _marked(replace(credit, arrears=tuple(kept)), late, context.now_ms), said


def _marked(credit: Credit, late: dict[str, list[tuple[Obligation, int]]], now_ms: int) -> Credit:
    """Each obligation says since when it is overdue, as long as it is."""
    names = {obligation.setl_id for owed in late.values() for obligation, _ in owed}
    marked = tuple(
        each._replace(overdue_ms=(each.overdue_ms or now_ms) if each.setl_id in names else 0)
        for each in credit.obligations
    )
    return credit if marked == credit.obligations else replace(credit, obligations=marked)


def _may_be_late(credit: Credit) -> bool:
    return (
        any(order.refused_ms for order in credit.orders)
        or any(each.overdue_ms > each.cured_ms for each in credit.agreements)
        or any(each.bank_overdue_ms for each in credit.obligations)
    )


def _late(credit: Credit, now_ms: int) -> dict[str, list[tuple[Obligation, int]]]:
    """By agreement, what is owed and overdue."""
    found: dict[str, list[tuple[Obligation, int]]] = {}
    sums = moved(credit)
    for obligation in credit.obligations:
        owed_fen = used_of(obligation, sums)
        if owed_fen and is_overdue(credit, obligation, now_ms):
            found.setdefault(obligation.agreement_no, []).append((obligation, owed_fen))
    return found


def _pursued(known: Arrears, owed: list[tuple[Obligation, int]], context: Context) -> tuple[Arrears, list[Output]]:
    """The next reminder, or the case file, if its time has come."""
    said: list[Output] = []
    if 0 < known.file_ms <= context.now_ms:
        known = known._replace(file_ms=0, remind_ms=0, filed_ms=context.now_ms)
        said.append(_told("case_prepared", known, owed, context))
    elif 0 < known.remind_ms <= context.now_ms:
        known = known._replace(sent=known.sent + 1)
        most = context.terms.get("reminders_most")
        over = most is None or known.sent >= most.value
        known = known._replace(remind_ms=0 if over else _evening_ms(context.now_ms, context))
        said.append(_told("remind", known, owed, context))
    return known, said


def _evening_ms(now_ms: int, context: Context) -> int:
    """The next hour of reminders after now; 0 = the policy sends none."""
    hour = context.terms.get("reminder_hour")
    if hour is None:
        return 0
    at_ms = day_start_ms(local_day(now_ms)) + int(hour.value) * HOUR_MS
    return at_ms if at_ms > now_ms else at_ms + DAY_MS


def delivered(credit: Credit, fact: NoticeDelivered, context: Context) -> Credit:
    """A reminder reached the person: with enough of them the days to a case file begin."""
    enough, days = context.terms.get("report_after_reminders"), context.terms.get("report_after_ms")
    changed = []
    for known in credit.arrears:
        ids = [_notice_id(known, number) for number in range(1, known.sent + 1)]
        if fact.notice_id in ids and fact.notice_id not in known.delivered and not known.filed_ms:
            known = known._replace(delivered=(*known.delivered, fact.notice_id))
            if enough is not None and days is not None and len(known.delivered) >= max(1, enough.value):
                # natural days: the day of the delivery does not count
                file_ms = day_start_ms(local_day(context.occurred_ms) + 1) + int(days.value)
                known = known._replace(remind_ms=0, file_ms=known.file_ms or file_ms)
        changed.append(known)
    return replace(credit, arrears=tuple(changed))


def next_ms(credit: Credit) -> int:
    """When something of this happens by itself: a reminder, a case file, or a refused debit that falls overdue."""
    if not credit.arrears and not credit.orders:
        return 0
    instants = [instant for each in credit.arrears for instant in (each.remind_ms, each.file_ms) if instant]
    known = {each.agreement_no for each in credit.arrears}
    waiting = [each for each in credit.orders if each.refused_ms and each.agreement_no not in known]
    if waiting:
        sums = moved(credit)
        for obligation in credit.obligations:
            order = latest_order(credit, obligation) if used_of(obligation, sums) else None
            if order in waiting and is_overdue(credit, obligation, order.late_ms):
                instants.append(order.late_ms)
    return min(instants, default=0)


def _notice_id(arrears: Arrears, number: int) -> str:
    return derived_id("no_", arrears.agreement_no, arrears.since_ms, number)


def _told(what: str, arrears: Arrears, owed: list[tuple[Obligation, int]], context: Context) -> Output:
    total_fen = sum(fen for _, fen in owed)
    text_zh, text_en = _TEXTS[what]
    clause = "report_after_ms" if what == "case_prepared" else "debit_due_ms"
    outcome = Outcome.DENY if owed else Outcome.APPROVE
    said = Said(ReasonCode.SUSPENDED_OVERDUE if owed else ReasonCode.OK, outcome, total_fen, 0, clause)
    body: dict[str, Any] = {
        "decision": what,
        "agreement_no": arrears.agreement_no,
        "overdue_fen": total_fen,
        "overdue_since": rfc3339(arrears.since_ms),
        "items": [
            {"setl_id": each.setl_id, "fixmedins_code": each.fixmedins_code, "owed_fen": fen} for each, fen in owed
        ],
        "text_zh": text_zh,
        "text_en": text_en,
        "reasons": [reason_body(said, context.terms)],
    }
    if what == "remind":
        body |= {"notice_id": _notice_id(arrears, arrears.sent), "number": arrears.sent,
                 "channels": ["institution", "xiang_yibao"]}  # fmt: skip
    if what == "case_prepared":
        body |= {"case_id": derived_id("ca_", context.psn_no, arrears.agreement_no, arrears.since_ms),
                 "notices": list(arrears.delivered), "listed": False}  # fmt: skip
    name = (context.psn_no, context.position, context.event_id, what, arrears.agreement_no)
    return decision(context, "arrears", derived_id("de_", "arrears", *name), body)
