"""P04-P07, P10, P11, P20, H03 and H04 as naively as they can be written: every measure anew over a person's whole log.

It shares no line with the engine's rules. Logs are small and seeded: lines late and taken back, whole and in part,
excluded care, months that turn, admissions that overlap, follow, or never were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from risk.facts import (
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementReversed,
    TransferFiled,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, local_day, to_date, to_datetime, to_ms

START_MS = to_ms(to_datetime(1_772_000_000_000))
LATE_MS = 48 * HOUR_MS
P04, P07, P07_UNITS, P07_MS = 3, 2, 30_001, 40 * DAY_MS
P20, P20_MS = 3, 15 * DAY_MS
H03 = {1: (2, DAY_MS), 2: (3, 3 * DAY_MS)}  # how many, back over how long
NOWHERE = "未知"
"""Thresholds that a dozen lines reach; `small` writes them into a policy."""
MOST_DAYS = {"11": (1, 8), "41": (1, 8), "13": (2, 4), "14": (3, 85)}
LEFT_OUT = ("N18", "C34")
_BILL = {
    "med_type": "41", "medfee_sumamt_fen": 100, "fund_pay_sumamt_fen": 0, "psn_part_amt_fen": 100, "acct_pay_fen": 0,
    "psn_cash_pay_fen": 100,
}  # fmt: skip

Said = tuple[int, str, int, str, int]  # fact, rule, level, episode, observed


def small(rules: str) -> str:
    """A city's rules with these thresholds."""
    p04, p07 = rules.index("[[P04]]"), rules.index("[[P07]]")
    before, middle, after = rules[:p04], rules[p04:p07], rules[p07:]
    middle = middle.replace("theta = 5", f"theta = {P04}", 1)
    after = after.replace("least = 600_001", f"least = {P07_UNITS}", 1)
    return before + middle + after.replace("theta = 3, window_days = 180", f"theta = {P07}, window_days = 40", 1)


def of_two_levels(h03: str) -> str:
    """H03 with its second level (H03)."""
    first = '{ theta = 2, window_hours = 24, kind = "suspicion", sev = 2 }'
    assert first in h03
    return h03.replace(first, f'{first}, {{ theta = 3, window_hours = 72, kind = "suspicion", sev = 3 }}')


class Line(NamedTuple):
    """A fee line, with what its visit said when it came."""

    fact: FeeAdded
    at_ms: int
    med_type: str
    left_out: bool
    left: int


@dataclass
class CareOracle:
    """One person's lines and stays, all kept."""

    opened: dict[str, VisitOpened] = field(default_factory=dict)
    diag: dict[str, str] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    bills: dict[str, SettlementCompleted] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    filed: list[TransferFiled] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    open: dict[tuple[str, str, int], int] = field(default_factory=dict)
    newest_ms: int = 0

    def apply(self, index: int, fact: Fact) -> list[Said]:
        at_ms = to_ms(fact.occurred_at)
        match fact:
            case VisitOpened():
                self.opened[fact.mdtrt_id] = fact
                self.diag[fact.mdtrt_id] = self.diag.get(fact.mdtrt_id) or (fact.diag_group or "").upper()
                return [*self._recorded(index, fact.mdtrt_id, at_ms), *self._stay(index, fact.mdtrt_id)]
            case VisitUpdated():
                self.diag[fact.mdtrt_id] = (fact.diag_group or "").upper() or self.diag.get(fact.mdtrt_id) or ""
                return [*self._recorded(index, fact.mdtrt_id, at_ms), *self._stay(index, fact.mdtrt_id)]
            case TransferFiled():
                self.filed.append(fact)
            case VisitClosed():
                self.ended[fact.mdtrt_id or ""] = at_ms
            case VisitCancelled():
                self.ended[fact.mdtrt_id or ""] = at_ms
                self.cancelled.add(fact.mdtrt_id or "")
                return self._gone(index, [each for each in self.lines if each.fact.mdtrt_id == fact.mdtrt_id], at_ms)
            case SettlementCompleted():
                self.bills[fact.setl_id] = fact
                return self._unsold(index, fact.setl_id, at_ms)
            case SettlementReversed():
                self.undone.add(fact.setl_id or "")
                return self._unsold(index, fact.setl_id or "", at_ms)
            case VisitReopened():
                del self.ended[fact.mdtrt_id or ""]
            case FeeAdded():
                return self._line(index, fact, at_ms)
            case FeeReversed():
                return self._taken_back(index, fact, at_ms)
        return []

    # lines

    def _line(self, index: int, fact: FeeAdded, at_ms: int) -> list[Said]:
        visit = self.opened[fact.mdtrt_id]
        if fact.mdtrt_id in self.cancelled or (visit.fixmedins_type == "2" and fact.chrg_bchno in self.undone):
            return []
        dear = self._dear(index, fact) if at_ms >= self.newest_ms - LATE_MS else []
        return dear + self._drug(index, fact, at_ms, visit)

    def _dear(self, index: int, fact: FeeAdded) -> list[Said]:
        allowed_fen = -(-fact.cnt_x10000 * (fact.pric_uplmt_fen or 0) // 10_000)
        too_much = fact.amount_fen - allowed_fen
        return [(index, "H04", 1, "opened", too_much)] if fact.pric_uplmt_fen and too_much > 0 else []

    def _drug(self, index: int, fact: FeeAdded, at_ms: int, visit: VisitOpened) -> list[Said]:
        line = Line(fact, at_ms, visit.med_type or "", self._left_out(fact.mdtrt_id), fact.cnt_x10000)
        if not fact.med_list_codg.startswith(("X", "Z")) or line.med_type not in MOST_DAYS:
            return []
        late = at_ms < self.newest_ms - LATE_MS
        earlier, self.lines = list(self.lines), [*self.lines, line]
        self.newest_ms = max(self.newest_ms, at_ms)
        if late or self.diag.get(fact.mdtrt_id) in LEFT_OUT:
            return []
        said: list[Said] = []
        plain = line.med_type != "13"
        if plain:
            said += self._episodes(index, "P04", line, earlier)
        level, most = MOST_DAYS[line.med_type]
        if (fact.prd_days or 0) >= most:
            said.append((index, "P05", level, "opened", fact.prd_days or 0))
        left = self._supply(line, earlier)
        if plain and fact.prd_days and left >= 8:
            said.append((index, "P06", 1, "opened", left))
        if line.med_type in ("11", "14"):
            for h03, (theta, back_ms) in H03.items():
                again = [
                    each
                    for each in self.lines
                    if each.fact.mdtrt_id == fact.mdtrt_id
                    and each.fact.med_list_codg == fact.med_list_codg
                    and at_ms - back_ms < each.at_ms <= at_ms
                ]
                said += [(index, "H03", h03, "opened", len(again))] if len(again) >= theta else []
        return said + (self._episodes(index, "P07", line, earlier) if plain else [])

    def _left_out(self, mdtrt_id: str) -> bool:
        return self.diag.get(mdtrt_id) in LEFT_OUT or self.opened[mdtrt_id].emergency

    def _of(self, line: Line, lines: Sequence[Line]) -> list[Line]:
        item = line.fact.med_list_codg
        return [
            each for each in lines if each.fact.med_list_codg == item and not each.left_out and each.med_type != "13"
        ]

    def _supply(self, line: Line, earlier: Sequence[Line]) -> int:
        end = 0
        for each in sorted(self._of(line, earlier), key=lambda each: each.at_ms):
            same_visit = each.fact.mdtrt_id == line.fact.mdtrt_id
            if not same_visit and line.at_ms - 190 * DAY_MS < each.at_ms <= line.at_ms:
                days = (each.fact.prd_days or 0) * each.left // each.fact.cnt_x10000  # of what was not taken back
                end = max(end, local_day(each.at_ms)) + days
        return max(0, end - local_day(line.at_ms))

    def _measure(self, rule: str, line: Line, lines: Sequence[Line], at: tuple[int, int]) -> int:
        """`at`: the instant a window ends at, and the month."""
        of = self._of(line, lines)
        if rule == "P04":
            return len({each.fact.mdtrt_id for each in of if _month(each.at_ms) == at[1]})
        within = [each for each in of if at[0] - P07_MS < each.at_ms <= at[0]]
        if sum(each.left for each in within if not each.fact.trdn_flag) < P07_UNITS:
            return 0
        return len({each.fact.fixmedins_code for each in within})

    def _episodes(self, index: int, rule: str, line: Line, earlier: Sequence[Line]) -> list[Said]:
        month = _month(line.at_ms) if rule == "P04" else 0
        said: list[Said] = []
        for name, item, period in sorted(self.open):
            if name == rule and period < month:
                of_item = next(each for each in self.lines if each.fact.med_list_codg == item)
                left = self._measure(rule, of_item, self.lines, (line.at_ms, period))
                del self.open[name, item, period]
                said.append((index, rule, 1, "closed", left))
        key, at = (rule, line.fact.med_list_codg, month), (line.at_ms, month)
        theta = P04 if rule == "P04" else P07
        without = self._measure(rule, line, earlier, at)
        if key in self.open and without < min(theta * 4 // 5, theta - 1):
            del self.open[key]
            said.append((index, rule, 1, "closed", without))
        observed = self._measure(rule, line, self.lines, at)
        if key not in self.open and observed >= theta:
            self.open[key] = index
            said.append((index, rule, 1, "opened", observed))
        return said

    def _taken_back(self, index: int, fact: FeeReversed, at_ms: int) -> list[Said]:
        return self._gone(
            index, [each for each in self.lines if each.fact.feedetl_sn == fact.feedetl_sn], at_ms, fact.cnt_x10000
        )

    def _unsold(self, index: int, setl_id: str, at_ms: int) -> list[Said]:
        """A pharmacy's bill that is undone, before it came or after, takes its own lines with it."""
        bill = self.bills.get(setl_id)
        if bill is None or setl_id not in self.undone or bill.fixmedins_type == "1":
            return []
        return self._gone(index, [each for each in self.lines if each.fact.chrg_bchno == setl_id], at_ms)

    def _gone(self, index: int, gone: Sequence[Line], at_ms: int, part: int | None = None) -> list[Said]:
        for line in gone:
            self.lines.remove(line)
            if part is not None and part < line.left:
                self.lines.append(line._replace(left=line.left - part))
                self.lines.sort(key=lambda each: int(each.fact.feedetl_sn))
        return self._fell(index, gone, at_ms)

    def _recorded(self, index: int, mdtrt_id: str, at_ms: int) -> list[Said]:
        """Of the lines of a visit that is left out, or no longer, none was, or each always was."""
        left_out = self._left_out(mdtrt_id)
        other = [each for each in self.lines if each.fact.mdtrt_id == mdtrt_id and each.left_out != left_out]
        self.lines = [each._replace(left_out=left_out) if each in other else each for each in self.lines]
        return self._fell(index, other, at_ms)

    def _fell(self, index: int, gone: Sequence[Line], at_ms: int) -> list[Said]:
        said: list[Said] = []
        if at_ms < self.newest_ms - LATE_MS:
            return said
        for name, item, period in sorted(self.open):
            counted = [
                line for line in gone
                if line.fact.med_list_codg == item and not line.left_out and line.med_type != "13"
                and period in (0, _month(line.at_ms))
            ]  # fmt: skip
            if not counted:
                continue
            left = self._measure(name, counted[0], self.lines, (at_ms, period))
            theta = P04 if name == "P04" else P07
            if left < min(theta * 4 // 5, theta - 1):
                del self.open[name, item, period]
                said.append((index, name, 1, "closed", left))
        return said

    # stays

    def _stay(self, index: int, mdtrt_id: str) -> list[Said]:
        new = self.opened[mdtrt_id]
        if new.med_type != "21" or mdtrt_id in self.cancelled or new.emergency or self._sent(new):
            return []
        left_out = self._left_out(mdtrt_id)  # by P11 and P20; in two beds at once (P10) one may be with any illness
        said, at_ms = [], to_ms(new.occurred_at)
        others = [
            each for each in self.opened.values()
            if each.med_type == "21" and each.mdtrt_id != mdtrt_id and each.mdtrt_id not in self.cancelled
            and to_ms(each.occurred_at) <= at_ms and not self._sent(each)
        ]  # fmt: skip
        overlapping = [
            each for each in others
            if not each.emergency and each.fixmedins_code != new.fixmedins_code
            and self.ended.get(each.mdtrt_id, 2**60) > at_ms
            and not any(to_ms(bill.occurred_at) <= at_ms for bill in self._finals(each))
        ]  # fmt: skip
        gaps = [
            at_ms - self.ended[each.mdtrt_id] for each in others
            if each.mdtrt_id in self.ended and not self._left_out(each.mdtrt_id)
            and (each.fixmedins_code == new.fixmedins_code
                 or self.diag.get(each.mdtrt_id, "") == self.diag.get(mdtrt_id, "") not in ("", NOWHERE))
        ]  # fmt: skip
        near = [gap for gap in gaps if 0 <= gap <= 15 * DAY_MS]
        if overlapping and ("P10", mdtrt_id) not in self.told:
            self.told.add(("P10", mdtrt_id))
            said.append((index, "P10", 1, "opened", len(overlapping)))
        if near and not left_out and ("P11", mdtrt_id) not in self.told:
            self.told.add(("P11", mdtrt_id))
            said.append((index, "P11", 1, "opened", min(near) // DAY_MS))
        row = self._in_a_row(new, [each for each in others if not self._left_out(each.mdtrt_id)], at_ms - P20_MS)
        if row >= P20 and not left_out and ("P20", mdtrt_id) not in self.told:
            self.told.add(("P20", mdtrt_id))
            said.append((index, "P20", 1, "opened", row))
        return said

    def _in_a_row(self, stay: VisitOpened, others: Sequence[VisitOpened], since_ms: int) -> int:
        """The longest row of stays up to this one: each elsewhere, and over on the eve or the day of the next."""
        opened_ms = to_ms(stay.occurred_at)
        before = [
            each for each in others
            if each.mdtrt_id in self.ended and to_ms(each.occurred_at) < opened_ms
            and since_ms <= self.ended[each.mdtrt_id] <= opened_ms
            and local_day(opened_ms) - local_day(self.ended[each.mdtrt_id]) <= 1
            and each.fixmedins_code != stay.fixmedins_code and NOWHERE not in (each.fixmedins_code, stay.fixmedins_code)
        ]  # fmt: skip
        return 1 + max((self._in_a_row(each, others, since_ms) for each in before), default=0)

    def _finals(self, stay: VisitOpened) -> list[SettlementCompleted]:
        """The bills that settle it for good."""
        of_stay = [
            bill for bill in self.bills.values() if bill.mdtrt_id == stay.mdtrt_id and bill.setl_id not in self.undone
        ]
        return [bill for bill in of_stay if bill.mid_setl_flag != "1" and bill.fixmedins_code == stay.fixmedins_code]

    def _sent(self, stay: VisitOpened) -> bool:
        """Was a transfer there on file when he was admitted?"""
        return any(
            each.to_fixmedins_code == stay.fixmedins_code and each.valid_from <= stay.occurred_at for each in self.filed
        )


def _month(at_ms: int) -> int:
    date = to_date(local_day(at_ms))
    return date.year * 12 + date.month - 1


@dataclass
class Told:
    """A log of one person in the making, and its lines."""

    draw: Random
    facts: list[Fact] = field(default_factory=list)
    lines: list[FeeAdded] = field(default_factory=list)

    def said(self, kind: type[Any], at_ms: int, **more: Any) -> None:
        self.facts.append(kind(event_id=f"e{len(self.facts)}", occurred_at=to_datetime(at_ms), psn_no="p", **more))

    def dispensed(self, at_ms: int, **more: Any) -> None:
        draw, number = self.draw, len(self.facts)
        count, days = draw.choice((10_000, 20_000, 30_000)), draw.choice((None, 3, 4, 7, 8, 30, 84, 85))
        item = draw.choice(("XA", "XA", "XB", "TA"))
        what = {"feedetl_sn": str(number), "med_list_codg": item, "cnt_x10000": count, "prd_days": days}
        what["trdn_flag"] = True if number % 7 == 3 else None
        self.said(FeeAdded, at_ms, **what, **more, amount_fen=100)
        self.lines.append(self.facts[-1])  # type: ignore[arg-type]

    def clinic(self, at_ms: int, clock_ms: int, diag: str | None, **here: str) -> None:
        """A visit with its lines, cancelled now and then between or after them."""
        draw, visit = self.draw, here["mdtrt_id"]
        med_type = draw.choice(("11", "11", "11", "14", "41", "13"))
        self.said(VisitOpened, at_ms, **here, fixmedins_type="1", med_type=med_type, emergency=med_type == "13")
        after = len(self.facts) % 3 == 0
        if diag and not after:
            self.said(VisitUpdated, at_ms, mdtrt_id=visit, diag_group=diag)
        for _ in range(draw.choice((1, 1, 2, 3))):
            limit = {"pric_uplmt_fen": draw.choice((None, None, 0, 33, 50, 100))}
            self.dispensed(at_ms + draw.choice((MINUTE_MS, MINUTE_MS, 5 * HOUR_MS)), **here, **limit)
            if draw.random() < 0.06:
                self.said(VisitCancelled, clock_ms, mdtrt_id=visit)
        if diag and after:
            self.said(VisitUpdated, at_ms + MINUTE_MS, mdtrt_id=visit, diag_group=diag)
            if draw.random() < 0.2:
                self.said(VisitUpdated, at_ms + MINUTE_MS, mdtrt_id=visit, diag_group=draw.choice(("J18", "C34")))

    def sale(self, at_ms: int, clock_ms: int, visit: str) -> None:
        """A bill, its line and its undoing in whatever order, mostly a pharmacy's."""
        code, kind = self.draw.choice((("P1", "2"), ("P2", "2"), ("H1", "1")))
        here, setl_id = {"mdtrt_id": visit, "fixmedins_code": code}, f"s{visit}"
        self.said(VisitOpened, at_ms, **here, fixmedins_type=kind, med_type="41")
        for step in self.draw.sample(("line", "bill", "undo"), self.draw.choice((2, 3, 3))):
            if step == "line":
                self.dispensed(at_ms, **here, chrg_bchno=setl_id)
            elif step == "bill":
                self.said(SettlementCompleted, at_ms, **here, **_BILL, fixmedins_type=kind, setl_id=setl_id)
            else:
                self.said(SettlementReversed, clock_ms, setl_id=setl_id)


def care_log(seed: int, moves: int = 14) -> list[Fact]:
    """A small log of one person; a line follows its visit at once, so that the visit is remembered."""
    draw, clock_ms = Random(seed), START_MS
    log, stays = Told(draw), list[str]()
    said, lines = log.said, log.lines
    for n in range(moves):
        clock_ms += draw.choice((0, HOUR_MS, 7 * HOUR_MS, DAY_MS, 3 * DAY_MS, 8 * DAY_MS, 15 * DAY_MS))
        at_ms = clock_ms - draw.choice((0, 0, 0, 10 * HOUR_MS, LATE_MS, LATE_MS + 1))
        code, visit = draw.choice(("H1", "H2", "H3")), f"v{n}"
        diag = draw.choice((None, None, "J18", "J18", "N18", "C34"))
        if n % 5 == 2 and diag:
            diag = {"J18": NOWHERE, "N18": "N18", "C34": "c34"}[diag]
        here = {"mdtrt_id": visit, "fixmedins_code": code}
        move = draw.choice(("line",) * 4 + ("sale", "back", "admit", "admit", "end", "cancel", "never", "file"))
        if move == "line":
            log.clinic(at_ms, clock_ms, diag, **here)
        elif move == "sale":
            log.sale(at_ms, clock_ms, visit)
        elif move == "back" and lines:
            line = draw.choice(lines[-4:])
            part = draw.choice((None, None, 7_000, 10_000))
            if part is None:
                lines.remove(line)
            said(FeeReversed, at_ms, mdtrt_id=line.mdtrt_id, feedetl_sn=line.feedetl_sn, cnt_x10000=part)
        elif move == "never" and lines:
            said(VisitCancelled, at_ms, mdtrt_id=draw.choice(lines[-4:]).mdtrt_id)
        elif move == "admit":
            of_kind = {"fixmedins_type": "1", "med_type": "21", "emergency": draw.random() < 0.1}
            said(VisitOpened, clock_ms, **here, **of_kind, diag_group=diag if n % 2 else None)
            stays.append(visit)
            if diag and n % 4 != 1:  # some tell it twice, some at once only
                said(VisitUpdated, clock_ms, mdtrt_id=visit, diag_group=diag)
            elif diag:
                said(VisitUpdated, clock_ms, mdtrt_id=visit, dept_code="another")  # and it stays what it was
        elif move == "file" and draw.random() < 0.5:
            there = {"fixmedins_code": "H9", "to_fixmedins_code": code}
            said(TransferFiled, clock_ms, **there, valid_from=to_datetime(at_ms))
        elif move in ("end", "cancel") and stays:
            kind = VisitClosed if move == "end" else VisitCancelled
            said(kind, clock_ms, mdtrt_id=stays.pop(draw.randrange(len(stays))))
    return log.facts


def moved_log(seed: int, moves: int = 40) -> list[Fact]:
    """Stays of one person who goes from house to house: told late, taken back, reopened, recorded only afterwards."""
    draw, clock_ms = Random(seed), START_MS
    facts: list[Fact] = []
    lie: list[VisitOpened] = []
    left: list[tuple[int, str]] = []

    def said(kind: type[Any], at_ms: int, **more: Any) -> None:
        facts.append(kind(event_id=f"e{len(facts)}", occurred_at=to_datetime(at_ms), psn_no="p", **more))

    for n in range(moves):
        clock_ms += draw.choice((HOUR_MS, 2 * HOUR_MS, 5 * HOUR_MS, 11 * HOUR_MS, 20 * HOUR_MS, 30 * HOUR_MS))
        at_ms = clock_ms - draw.choice((0, 0, 0, 10 * HOUR_MS, 30 * HOUR_MS))
        code = draw.choice(("H1", "H2", "H3", "H4", "H1", "H2", "H3", NOWHERE))
        lately = [visit for ended_ms, visit in left if clock_ms - ended_ms < DAY_MS]
        move = draw.choice(("end" if lie else "admit",) * 6 + ("admit", "admit", "record", "cancel", "reopen", "file"))
        if move == "admit":
            here = {"mdtrt_id": f"v{n}", "fixmedins_code": code, "fixmedins_type": "1"}
            of_kind = {"med_type": draw.choice(("21", "21", "21", "21", "52")), "emergency": draw.random() < 0.05}
            said(VisitOpened, at_ms, **here, **of_kind, diag_group={5: "J18", 25: "C34"}.get(n))
            lie.append(facts[-1])  # type: ignore[arg-type]
        elif move == "end" and lie:
            stay = lie.pop(draw.randrange(len(lie)))
            said(VisitClosed, max(at_ms, to_ms(stay.occurred_at)), mdtrt_id=stay.mdtrt_id)
            left.append((to_ms(facts[-1].occurred_at), stay.mdtrt_id))
        elif move == "record" and (lie or lately):
            visit = draw.choice([*(each.mdtrt_id for each in lie[-3:]), *lately])
            said(VisitUpdated, clock_ms, mdtrt_id=visit, diag_group=draw.choice(("J18", "J18", "J18", "C34")))
        elif move == "cancel" and lie and draw.random() < 0.5:
            said(VisitCancelled, clock_ms, mdtrt_id=lie.pop().mdtrt_id)
        elif move == "reopen" and lately:
            visit = lately[-1]
            left = [each for each in left if each[1] != visit]
            lie.append(next(each for each in facts if isinstance(each, VisitOpened) and each.mdtrt_id == visit))
            said(VisitReopened, clock_ms, mdtrt_id=visit)
        elif move == "file":
            there = {"fixmedins_code": "H9", "to_fixmedins_code": code}
            said(TransferFiled, clock_ms, **there, valid_from=to_datetime(clock_ms))
    return facts


def settled_log(seed: int, moves: int = 28) -> list[Fact]:
    """Stays of one person at hospitals of which some tell of no discharge: settled, in the middle too, and undone."""
    draw, clock_ms = Random(seed), START_MS
    facts: list[Fact] = []
    lie: list[VisitOpened] = []
    bills: list[SettlementCompleted] = []

    def said(kind: type[Any], at_ms: int, **more: Any) -> None:
        facts.append(kind(event_id=f"e{len(facts)}", occurred_at=to_datetime(at_ms), psn_no="p", **more))

    for n in range(moves):
        clock_ms += draw.choice((HOUR_MS, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS, 6 * DAY_MS, 12 * DAY_MS))
        at_ms = clock_ms - draw.choice((0, 0, 10 * HOUR_MS, 30 * HOUR_MS))
        lately = [bill for bill in bills if clock_ms - to_ms(bill.occurred_at) < 30 * DAY_MS]
        move = draw.choice(("admit", "admit", "admit", "bill", "bill", "bill", "undo", "end"))
        if move == "admit":
            here = {"mdtrt_id": f"v{n}", "fixmedins_code": draw.choice(("H1", "H2", "H3")), "fixmedins_type": "1"}
            said(VisitOpened, at_ms, **here, med_type="21", emergency=draw.random() < 0.05)
            lie.append(facts[-1])  # type: ignore[arg-type]
        elif move == "bill" and lie:
            stay = draw.choice(lie[-3:])
            place = {"mdtrt_id": stay.mdtrt_id, "fixmedins_code": stay.fixmedins_code, "fixmedins_type": "1"}
            if draw.random() < 0.1:
                place["fixmedins_code"] = "H4"
            amounts = {"medfee_sumamt_fen": 9, "fund_pay_sumamt_fen": 9, "psn_part_amt_fen": 0}
            amounts |= {"acct_pay_fen": 0, "psn_cash_pay_fen": 0}
            flag = draw.choice((None, "0", "1"))
            said(SettlementCompleted, at_ms, setl_id=f"s{n}", **place, **amounts, med_type="21", mid_setl_flag=flag)
            bills.append(facts[-1])  # type: ignore[arg-type]
        elif move == "undo" and lately:
            bills.remove(lately[-1])
            said(SettlementReversed, clock_ms, setl_id=lately[-1].setl_id)
        elif move == "end" and lie:
            stay = lie.pop(draw.randrange(len(lie[-3:])) - len(lie[-3:]))
            said(VisitClosed, max(at_ms, to_ms(stay.occurred_at)), mdtrt_id=stay.mdtrt_id)
    return facts
