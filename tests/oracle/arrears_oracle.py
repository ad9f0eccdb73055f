"""H15 as naively as it can be written: who owes what to whom, anew over each person's log, and what falls overdue.

It shares no line with the engine's rules. Everybody has one credit line of a bank, which says what is overdue; logs are
small and seeded: bills undone, undone before they came, and made to count again, repaid in part, cured, told late.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from risk.facts import (
    AgreementSigned,
    BankCured,
    BankOverdue,
    BankRepaid,
    Fact,
    SettlementCompleted,
    SettlementReinstated,
    SettlementReversed,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime, to_ms
from tests.oracle.days_judge import DaysJudge, TallyMeasure
from tests.oracle.days_person import Tally
from tests.oracle.judge import Alert, Level

START_MS = 1_772_000_000_000
LENT = {"funding_mode": "credit_line", "bank_line_fen": 10**9, "services": ("visit_first", "deposit_free")}
NOWHERE = "未知"
LEAST, THETA, REARM = 6, 151, 120
"""A low line: of so many bills on credit, more than fifteen in a hundred."""


@dataclass(eq=False)
class Owed:
    """One bill on credit."""

    fact: SettlementCompleted
    captured_ms: int
    owed_fen: int
    stands: bool = True
    overdue_ms: int = 0
    named_overdue_ms: int = 0
    named_cured_ms: int = 0


@dataclass
class Debtor:
    """One person: his credit line, his bills on it, and what of them his hospitals count."""

    signed: bool = False
    overdue_ms: int = 0
    cured_ms: int = 0
    bills: dict[str, Owed] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    counted: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def apply(self, fact: Fact, now_ms: int) -> list[tuple[int, Tally]]:
        at_ms = to_ms(fact.occurred_at)
        match fact:
            case AgreementSigned():
                self.signed = True
            case SettlementCompleted() if fact.setl_id in self.undone:
                self.undone.discard(fact.setl_id)
            case SettlementCompleted() if self.signed and fact.credit_fen:
                self.bills.setdefault(fact.setl_id, Owed(fact, now_ms, fact.credit_fen))
            case SettlementReversed() if fact.setl_id in self.bills:
                self.bills[fact.setl_id].stands = False
            case SettlementReversed():
                self.undone.add(fact.setl_id or "")
            case SettlementReinstated() if fact.setl_id in self.bills:
                self.bills[fact.setl_id].stands = True
            case BankRepaid():
                for bill in self.bills.values():
                    if bill.fact.mdtrt_id == fact.mdtrt_id:
                        bill.owed_fen -= fact.amount_fen or 0
            case BankOverdue() if named := self._of_visit(fact.mdtrt_id):
                for bill in named:
                    bill.named_overdue_ms = max(bill.named_overdue_ms, at_ms)
            case BankCured() if named := self._of_visit(fact.mdtrt_id):
                for bill in named:
                    bill.named_cured_ms = max(bill.named_cured_ms, at_ms)
            case BankOverdue() if self.signed:
                self.overdue_ms = max(self.overdue_ms, at_ms)
            case BankCured() if self.signed:
                self.cured_ms = max(self.cured_ms, at_ms)
        return self._moved(now_ms)

    def _of_visit(self, mdtrt_id: str | None) -> list[Owed]:
        return [bill for bill in self.bills.values() if mdtrt_id and bill.fact.mdtrt_id == mdtrt_id]

    def _is_late(self, bill: Owed) -> bool:
        """The bank said so, of this bill or of all there were by then, and has not said since that it is paid."""
        if not bill.stands or bill.owed_fen <= 0:
            return False
        said = [bill.named_overdue_ms] + [self.overdue_ms] * (bill.captured_ms <= self.overdue_ms)
        return max(said) > max(bill.named_cured_ms, self.cured_ms)

    def _moved(self, now_ms: int) -> list[tuple[int, Tally]]:
        """What counts at his hospitals now, beside what did before."""
        now = dict[tuple[str, str], Tally]()
        for setl_id, bill in self.bills.items():
            late = self._is_late(bill)
            bill.overdue_ms = (bill.overdue_ms or now_ms) if late else 0
            for counter, counts, at_ms in (
                ("credit_visits", bill.stands, bill.captured_ms),
                ("overdue_credit_visits", late, bill.overdue_ms),
            ):
                if counts:
                    now[setl_id, counter] = Tally(counter, "institution", bill.fact.fixmedins_code, at_ms)
        gone = [(-1, tally) for key, tally in self.counted.items() if now.get(key) != tally]
        come = [(1, tally) for key, tally in now.items() if self.counted.get(key) != tally]
        self.counted = now
        return [*gone, *come]


def told_by_oracle(facts: list[Fact]) -> list[tuple[int, Alert]]:
    """Every alert of H15. What happens to credit happens when the log hears of it."""
    people, judges = dict[str, Debtor](), dict[str, DaysJudge]()
    said, now_ms = list[tuple[int, Alert]](), 0

    def share(sums: list[int], last: int) -> int:
        return 1000 * sums[0] // sums[1] if sums[1] >= LEAST else 0

    of = ("overdue_credit_visits", "credit_visits")
    h15 = TallyMeasure(rule_id="H15", number=1, level=Level(THETA, REARM, days=30), of=of, value=share)

    def judge_of(code: str) -> DaysJudge:
        return judges.setdefault(code, DaysJudge("institution", code, [], of_tallies=[] if code == NOWHERE else [h15]))

    for index, fact in enumerate(facts):
        now_ms = max(now_ms, to_ms(fact.occurred_at))
        who = people.setdefault(fact.psn_no, Debtor())
        if isinstance(fact, SettlementCompleted) and fact.setl_id not in who.undone:
            judge = judge_of(fact.fixmedins_code)
            judge.newest_ms = max(judge.newest_ms or 0, to_ms(fact.occurred_at))
        for sign, tally in who.apply(fact, now_ms):
            found = judge_of(tally.code).moved(sign, tally, event_id=fact.event_id, moved_ms=now_ms)
            said += [(index, alert) for alert in found]
    return said


def arrears_log(seed: int, moves: int = 110) -> list[Fact]:
    """Some people with credit at two hospitals over two months."""
    draw, clock_ms = Random(seed), START_MS
    facts: list[Fact] = []
    bills: list[SettlementCompleted] = []
    undone: list[str] = []

    def said(kind: type[Any], who: int | str, at_ms: int, **more: Any) -> None:
        psn_no = who if isinstance(who, str) else f"p{who}"
        facts.append(kind(event_id=f"e{len(facts)}", occurred_at=to_datetime(at_ms), psn_no=psn_no, **more))

    for who in range(8):
        said(AgreementSigned, who, clock_ms, **LENT, agreement_no=f"AGp{who}", bank_code="BCM")
    for _ in range(moves):
        clock_ms += draw.choice((0, MINUTE_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS, 2 * DAY_MS))
        at_ms = clock_ms - draw.choice((0, 0, 0, 10 * HOUR_MS, 50 * HOUR_MS))
        move = draw.choice(
            ("bill",) * 8 + ("overdue",) * 3 + ("cured", "cured", "repaid", "undo", "undo", "again", "ahead")
        )
        who, number = draw.randrange(9), len(facts)  # the ninth has no agreement
        if move in ("bill", "ahead"):
            if move == "ahead":
                said(SettlementReversed, who, at_ms, setl_id=f"s{number}")
            fen = draw.choice((3_000, 20_000))
            paid = {"medfee_sumamt_fen": fen, "psn_part_amt_fen": fen, "psn_cash_pay_fen": fen, "acct_pay_fen": 0}
            hospital = draw.choice(("H1", "H1", "H2", NOWHERE))
            place = {"fixmedins_code": hospital, "fixmedins_type": "1", "med_type": "11"}
            credit = {"credit_fen": draw.choice((fen, fen, fen, 0, None)), "fund_pay_sumamt_fen": 0}
            bill = {"setl_id": f"s{number}", "mdtrt_id": f"v{number}"}
            said(SettlementCompleted, who, at_ms, **bill, **place, **paid, **credit)
            bills += facts[-1:] if move == "bill" else []  # type: ignore[arg-type]
        elif move in ("overdue", "cured"):
            kind = BankOverdue if move == "overdue" else BankCured
            his = [each.mdtrt_id for each in bills[-30:] if each.psn_no == f"p{who}"]
            named = draw.choice([None, None, "v-unknown", *his])
            said(kind, who, at_ms + number, agreement_no=f"AGp{who}", bank_ref=f"r{number}", mdtrt_id=named)
        elif move == "repaid" and bills:
            fact = draw.choice(bills[-8:])
            part = {"amount_fen": draw.choice((fact.psn_cash_pay_fen, 1_000)), "bank_ref": f"r{number}"}
            said(BankRepaid, fact.psn_no, at_ms, agreement_no=f"AG{fact.psn_no}", mdtrt_id=fact.mdtrt_id, **part)
        elif move == "undo" and bills:
            fact = bills.pop(draw.randrange(max(0, len(bills) - 8), len(bills)))
            said(SettlementReversed, fact.psn_no, at_ms, setl_id=fact.setl_id)
            undone.append(fact.setl_id)
            facts_of = {each.setl_id: each for each in facts if isinstance(each, SettlementCompleted)}
        elif move == "again" and undone:
            setl_id = undone.pop()
            said(SettlementReinstated, facts_of[setl_id].psn_no, at_ms, setl_id=setl_id)
    return facts
