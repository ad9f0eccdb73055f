"""Random logs of institutions and doctors: a town's small ones, and busy ones with hundreds of bills a day.

Bills come late, twice, are undone, undone before they came, and count again; lines are signed or not, coded or not, and
taken back; stays are billed between, before and after their end. What a visit told is forgotten two days after its end,
so a visit that tells something is billed within hours: forgetting is tested elsewhere (test_kept.py).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from msgspec.structs import replace

from risk.facts import (
    BedChecked,
    Fact,
    FeeAdded,
    FeeReversed,
    PeersPublished,
    SettlementCompleted,
    SettlementReinstated,
    SettlementReversed,
    StaffPointsDetermined,
    StaffStatusChanged,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, local_day, to_datetime, to_ms

START_MS = to_ms(datetime(2026, 3, 1, 1, tzinfo=UTC))
DOCTORS = ("D1", "D1", "D1", "D2", "D2", None, "无", "9999")
LAGS_MS = (0,) * 12 + (MINUTE_MS, 20 * MINUTE_MS, 10 * HOUR_MS, 30 * HOUR_MS, 50 * HOUR_MS, 5 * DAY_MS)
CODE = "81234567890123456789"
PARTS = ({"cnt_x10000": 10_000}, {"cnt_x10000": 7_000}, {"cnt_x10000": 7_000, "amount_fen": 300})
ITEMS = ("XA", "XA", "ZB", "T1", "XA10BJ1", "XA10BJ1", "00311000006", "004511", "00451", "002203")
"""Drugs, of which one is the key drug; a dialysis; a massage, twice, and an ultrasound."""


@dataclass
class Town:
    """Facts in log order. The clock only goes forward; what the facts say of their own time does not."""

    draw: Random
    persons: int
    clock_ms: int = START_MS
    facts: list[Fact] = field(default_factory=list)
    bills: list[SettlementCompleted] = field(default_factory=list)
    lines: list[FeeAdded] = field(default_factory=list)
    stays: list[VisitOpened] = field(default_factory=list)  # not yet discharged
    ended: list[VisitOpened] = field(default_factory=list)
    unbilled: list[VisitOpened] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    undone: list[SettlementCompleted] = field(default_factory=list)
    times: int = 1  # how dear bills are just now
    star: str | None = None  # a doctor whom everybody sees just now

    def said(self, kind: type[Any], at_ms: int, psn_no: str, **more: Any) -> Any:
        fact = kind(event_id=f"e{len(self.facts)}", occurred_at=to_datetime(at_ms), psn_no=psn_no, **more)
        self.facts.append(fact)
        return fact

    def step(self, ms: int) -> None:
        self.clock_ms += ms

    def lagged(self, most_ms: int = 30 * DAY_MS) -> int:
        at_ms = self.clock_ms - self.draw.choice([lag for lag in LAGS_MS if lag <= most_ms])
        if self.draw.random() < 0.04:
            at_ms = day_start_ms(local_day(at_ms)) - self.draw.choice((0, 0, 1))
        return at_ms

    def person(self) -> str:
        return f"p{self.draw.randrange(self.persons)}"

    def bill(self, psn_no: str, at_ms: int, **what: Any) -> None:
        """A bill that adds up; now and then its reversal came before it."""
        draw, number = self.draw, len(self.facts)
        if draw.random() < 0.02:
            self.said(SettlementReversed, self.clock_ms, psn_no, setl_id=f"s{number}")
        fen = draw.choice((3_000, 9_900, 20_000, 150_000, 400_000)) * self.times
        fund_fen = fen * draw.choice((0, 40, 40, 70)) // 100
        amounts = {"medfee_sumamt_fen": fen, "fund_pay_sumamt_fen": fund_fen, "psn_part_amt_fen": fen - fund_fen}
        paid = {"acct_pay_fen": 0, "psn_cash_pay_fen": fen - fund_fen}
        own = {"fulamt_ownpay_amt_fen": fen * draw.choice((0, 0, 0, 10, 30)) // 100}
        fact = self.said(SettlementCompleted, at_ms, psn_no, **what, **amounts, **paid, **own, setl_id=f"s{number}")
        self.bills.append(fact)
        if draw.random() < 0.03:
            self.facts.append(replace(fact, event_id=f"e{len(self.facts)}"))

    def line(self, visit: str, psn_no: str, code: str, at_ms: int, **more: Any) -> None:
        draw = self.draw
        number, pharmacist = draw.choice(("R", "R", "0", "99", "无")), draw.choice((None, "F", "99", "未知"))
        signed = draw.choice(({}, {"rx_flag": True, "rxno": number, "phar_code": pharmacist}))
        coded = draw.choice((None, (CODE,), (CODE,), (CODE,), (CODE[1:],), ("0" * 20,)))
        what = {
            "med_list_codg": draw.choice(ITEMS),
            "prd_days": draw.choice((None, 3, 7, 8, 30, 85)),
            "dr_code": draw.choice(DOCTORS),
            "amount_fen": draw.choice((1_000, 1_000, 4_000)),
            "orders_dr_code": draw.choice((None, "D1", "D2", "N1", "N1", "无", "")),
            **more,
        }
        fact = self.said(
            FeeAdded, at_ms, psn_no, mdtrt_id=visit, feedetl_sn=f"l{len(self.facts)}", fixmedins_code=code,
            cnt_x10000=20_000, chrg_bchno=draw.choice((None, "b1", "b2")),
            drug_trac_codg=coded, **what, **signed,
        )  # fmt: skip
        self.lines.append(fact)
        if draw.random() < 0.03:
            self.facts.append(replace(fact, event_id=f"e{len(self.facts)}"))

    # what happens

    def sale(self) -> None:
        """A pharmacy's bill, perhaps of a registered visit with lines."""
        psn_no, visit = self.person(), f"v{len(self.facts)}"
        code = self.draw.choice(("P1", "P1", "P1", "P2", "999999"))
        place = {"mdtrt_id": visit, "fixmedins_code": code, "fixmedins_type": "2", "med_type": "41"}
        at_ms = self.lagged()
        if self.clock_ms - at_ms <= 30 * HOUR_MS and self.draw.random() < 0.6:
            if self.draw.random() < 0.5:
                told = self.draw.choice((None, None, "J06", "N18"))
                self.said(VisitOpened, at_ms, psn_no, **place)
                self.said(VisitUpdated, at_ms, psn_no, mdtrt_id=visit, diag_group=told)
            for n in range(self.draw.choice((1, 1, 2))):
                self.line(visit, psn_no, code, at_ms + n * MINUTE_MS)
        doctor = self.draw.choice((*DOCTORS, None, None, None))
        self.bill(psn_no, at_ms + 3 * MINUTE_MS, **place, dr_code=doctor)
        if self.draw.random() < 0.1:
            self.bill(psn_no, at_ms + 4 * MINUTE_MS, **place, dr_code=doctor)

    def clinic(self) -> None:
        """A consultation."""
        psn_no, visit, at_ms = self.person(), f"v{len(self.facts)}", self.lagged()
        code = self.draw.choice(("H1", "H1", "H1", "H2", "未知"))
        med_type, doctor = self.draw.choice(("11", "11", "11", "13", "14")), self.star or self.draw.choice(DOCTORS)
        place = {"mdtrt_id": visit, "fixmedins_code": code, "fixmedins_type": "1", "med_type": med_type}
        emergency = med_type == "13" or self.draw.random() < 0.05
        if self.clock_ms - at_ms <= 30 * HOUR_MS and self.draw.random() < 0.6:
            registered = {"emergency": emergency, "dr_code": self.draw.choice(("D1", "D2", None))}
            self.said(VisitOpened, at_ms, psn_no, **place, **registered)
            told = self.draw.choice(("J06", "J06", "n18", "O80", "不详"))
            self.said(VisitUpdated, at_ms, psn_no, mdtrt_id=visit, diag_group=told)
            for n in range(self.draw.choice((0, 1, 1, 2))):
                self.line(visit, psn_no, code, at_ms + n * MINUTE_MS)
            if self.draw.random() < 0.05:
                self.said(VisitCancelled, at_ms + 2 * MINUTE_MS, psn_no, mdtrt_id=visit)
                return
        self.bill(psn_no, at_ms + 3 * MINUTE_MS, **place, dr_code=doctor, emergency=emergency)

    def treated(self) -> None:
        """Dialysis or massages, several on one date; perhaps the visit never was."""
        psn_no, visit, at_ms = self.person(), f"v{len(self.facts)}", self.lagged(2 * DAY_MS)
        what = self.draw.choice(({"med_list_codg": "00311000006"}, {"med_list_codg": "00451", "orders_dr_code": "N1"}))
        place = {"mdtrt_id": visit, "fixmedins_code": self.draw.choice(("H1", "H1", "H2")), "fixmedins_type": "1"}
        self.said(VisitOpened, at_ms, psn_no, **place, med_type="14", dr_code=self.draw.choice(("D1", None)))
        for n in range(self.draw.choice((1, 2, 3, 4))):
            self.line(visit, psn_no, place["fixmedins_code"], at_ms + n * MINUTE_MS, **what)
        if self.draw.random() < 0.15:
            self.said(VisitCancelled, max(at_ms, self.clock_ms), psn_no, mdtrt_id=visit)

    def admit(self) -> None:
        psn_no, visit = f"p{self.draw.randrange(min(self.persons, 250))}", f"v{len(self.facts)}"  # they come back
        code = self.draw.choice(("H1", "H1", "H1", "H2", "未知"))
        place = {"mdtrt_id": visit, "fixmedins_code": code, "fixmedins_type": "1"}
        med_type, emergency = self.draw.choice(("21", "21", "21", "52")), self.draw.random() < 0.08
        told = self.draw.choice(("J18", "J18", "J18", "C34"))
        at_once = told if len(self.facts) % 2 else None
        observed = len(self.facts) % 5 == 3  # first, and some lines come before the record that admits him
        opened_ms, first = (self.clock_ms - 30 * HOUR_MS, "13") if observed else (self.clock_ms, med_type)
        stay = self.said(
            VisitOpened, opened_ms, psn_no, **place, med_type=first, emergency=emergency, diag_group=at_once
        )
        if observed:
            self.line(visit, psn_no, code, opened_ms + 29 * HOUR_MS, prd_days=None)
        again = None if at_once and len(self.facts) % 3 else told
        admitted = {"diag_group": again, "med_type": med_type if observed else None}
        self.said(VisitUpdated, self.clock_ms, psn_no, mdtrt_id=visit, **admitted)
        self.stays.append(replace(stay, med_type=med_type))

    def ward(self) -> None:
        """A day's line, or a look for the patient."""
        if not self.stays:
            return
        stay = self.draw.choice(self.stays[-8:])
        if self.draw.random() < 0.6:
            self.line(stay.mdtrt_id, stay.psn_no, stay.fixmedins_code, self.clock_ms)
        else:
            result = self.draw.choice(("present", "present", "absent"))
            there = {"mdtrt_id": stay.mdtrt_id, "fixmedins_code": stay.fixmedins_code}
            self.said(BedChecked, self.clock_ms, stay.psn_no, **there, result=result)

    def stay_bill(self) -> None:
        """An inpatient's bill: of a stay, before its end or after; or of one that nobody told of."""
        over = self._lately([*self.unbilled[-6:], *self.ended[-1:]], 12 * DAY_MS)
        among = [*self.stays[-4:], *over, None]
        stay = self.draw.choice(among)
        flag = self.draw.choice((None, "0", "0", "1"))
        doctor = self.draw.choice(DOCTORS)
        if stay is None:
            code, psn_no = self.draw.choice(("H1", "H2")), self.person()
            place = {"mdtrt_id": f"v{len(self.facts)}", "fixmedins_code": code, "fixmedins_type": "1", "med_type": "21"}
            at_ms = self.lagged()
            if self.draw.random() < 0.3:
                self.line(place["mdtrt_id"], psn_no, code, at_ms - MINUTE_MS)
            self.bill(psn_no, at_ms, **place, dr_code=doctor, mid_setl_flag=flag)
            return
        if stay in self.unbilled and flag != "1":
            self.unbilled.remove(stay)
        named = {"mdtrt_id": stay.mdtrt_id, "fixmedins_code": stay.fixmedins_code, "fixmedins_type": "1"}
        self.bill(stay.psn_no, self.clock_ms, **named, med_type=stay.med_type or "", dr_code=doctor, mid_setl_flag=flag)

    def discharge(self) -> None:
        if self.stays:
            stay = self.stays.pop(self.draw.randrange(len(self.stays)))
            if self.draw.random() < 0.08:
                self.said(VisitCancelled, self.clock_ms, stay.psn_no, mdtrt_id=stay.mdtrt_id)
                self.ended = [each for each in self.ended if each is not stay]
                return
            self.ends[stay.mdtrt_id] = self.clock_ms
            self.said(VisitClosed, self.clock_ms, stay.psn_no, mdtrt_id=stay.mdtrt_id)
            self.unbilled.append(stay)
            self.ended.append(stay)

    def reopen(self) -> None:
        """A discharge of the day was none: he lies there again."""
        stay = next(iter(self._lately(self.ended[-1:], DAY_MS)), None)
        if stay is not None and stay not in self.stays:
            self.said(VisitReopened, self.clock_ms, stay.psn_no, mdtrt_id=stay.mdtrt_id)
            self.stays.append(stay)
            self.unbilled = [each for each in self.unbilled if each is not stay]

    def _lately(self, stays: list[VisitOpened], most_ms: int) -> list[VisitOpened]:
        """Those that ended not so long ago: longer than a fortnight a billed one is not remembered."""
        return [each for each in stays if self.clock_ms - self.ends[each.mdtrt_id] < most_ms]

    def take_back(self) -> None:
        known = [each for each in self.lines[-6:] if self.clock_ms - to_ms(each.occurred_at) <= 40 * HOUR_MS]
        if not known:
            return
        fact, draw = self.draw.choice(known), self.draw
        what: dict[str, Any] = draw.choice(
            (
                {"feedetl_sn": fact.feedetl_sn, **draw.choice(({}, {}, PARTS[len(self.facts) % len(PARTS)]))},
                {"chrg_bchno": fact.chrg_bchno} if fact.chrg_bchno else {"feedetl_sn": fact.feedetl_sn},
                {"all_unsettled": True},
            )
        )
        self.said(FeeReversed, self.clock_ms, fact.psn_no, mdtrt_id=fact.mdtrt_id, **what)

    def undo(self) -> None:
        if self.bills:
            fact = self.draw.choice(self.bills[-12:] if self.draw.random() < 0.8 else self.bills[-400:])
            self.said(SettlementReversed, self.lagged(), fact.psn_no, setl_id=fact.setl_id)
            self.undone.append(fact)

    def reinstate(self) -> None:
        if self.undone:
            fact = self.draw.choice(self.undone[-3:])
            self.said(SettlementReinstated, self.lagged(), fact.psn_no, setl_id=fact.setl_id)

    def staff(self) -> None:
        """What an authority says of a doctor."""
        draw, at_ms = self.draw, self.lagged()
        doctor, document = draw.choice(("D1", "D2")), f"No{draw.randrange(4)}"
        at_ms += len(self.facts)  # no two words at one instant
        if draw.random() < 0.5:
            year_ago = draw.choice((0, 0, 0, 70 * DAY_MS))
            told = {"points": draw.choice((0, 1, 3, 6, 9)), "determined_at": to_datetime(at_ms - year_ago)}
            self.said(StaffPointsDetermined, at_ms, "", dr_code=doctor, document_no=document, **told)
            return
        since_ms = at_ms + draw.choice((-2 * DAY_MS, 0, HOUR_MS))
        until = draw.choice((None, to_datetime(since_ms + draw.choice((HOUR_MS, 2 * DAY_MS, 9 * DAY_MS)))))
        status = draw.choice(("suspended", "terminated", "on_leave", "admitted"))
        document = f"{status}{document}"
        word = {"dr_code": doctor, "document_no": document, "since": to_datetime(since_ms), "until": until}
        self.said(StaffStatusChanged, at_ms, "", status=status, **word)

    def peers(self, least: int) -> None:
        """What peers had in common, published at midnight: a mean bill, growth, or what doctors order of a key drug."""
        low = least == LOW
        dear = self.draw.choice((20_000, 60_000, 120_000, 400_000))
        said: dict[str, Any] = self.draw.choice(
            (
                {"subject": "institution", "counters": ("inpatient_fee_fen", "inpatient_bills"), "least": least},
                {"subject": "staff", "counters": ("key_drug_fen",), "least": 1_000 if low else 100_000},
                {"subject": "institution", "counters": ("fund_fen", "fund_fen"), "least": 1 if low else 500_000},
            )
        )
        if said["subject"] == "staff":
            dear //= 100
        elif "fund_fen" in said["counters"]:
            dear = self.draw.choice((1, 2, 3))
        self.said(
            PeersPublished, day_start_ms(local_day(self.clock_ms)), "", **said, window_days=30,
            members=self.draw.choice((9, 10, 12)), p50_x1000000=dear * 500_000, p90_x1000000=dear * 1_000_000,
        )  # fmt: skip

    def happens(self, move: str, least: int) -> None:
        if move == "peers":
            self.peers(least)
        else:
            getattr(self, move)()


LOW = 2  # so many bills of peers are enough where lines are low
YEAR = 27 * 30  # days, and some: a month, a year ago, and the December between
MOVES = (
    *["sale"] * 7, *["clinic"] * 6, *["admit"] * 4, *["ward"] * 4, *["stay_bill"] * 5, *["discharge"] * 4,
    *["take_back"] * 2, *["undo"] * 4, "reinstate", "staff", "peers", "peers", "treated", "reopen",
)  # fmt: skip
STEPS_MS = (0, 1, 20_000, MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS, 3 * DAY_MS)


def small_log(seed: int, moves: int = 70) -> list[Fact]:
    """Few people over some weeks."""
    town = Town(Random(seed), persons=6)
    for _ in range(moves):
        if town.clock_ms < START_MS + 75 * DAY_MS:  # what is older than a season is forgotten
            town.step(town.draw.choice(STEPS_MS))
        town.happens(town.draw.choice(MOVES), least=LOW)
    return town.facts


def busy_log(seed: int, least: int, bills_a_day: int = 250) -> list[Fact]:
    """Five weeks of a few moves a day at two hospitals and two pharmacies, and in them two weekends of some hundred
    bills a day: mostly of one kind, at one pace, dear or not, of one doctor or of any.
    """
    draw = Random(seed)
    town = Town(draw, persons=draw.choice((300, 500)))
    kind, fast = draw.choice(("sale", "clinic", "stay_bill", "admit")), draw.random() < 0.5
    dear, star = draw.choice((1, 1, 4)), draw.choice((None, "D1"))
    paces = ((1_000, 5_000, 20_000), (20_000, MINUTE_MS, 4 * MINUTE_MS))
    for day in range(36):
        town.clock_ms = max(town.clock_ms, START_MS + day * DAY_MS)
        busy = day in (27, 28, 34, 35)
        town.times, town.star = (dear, star) if busy else (1, None)
        began, moved = len(town.bills), 0
        while moved < (3 * bills_a_day if busy else 12) and len(town.bills) - began < bills_a_day:
            town.clock_ms = min(
                START_MS + day * DAY_MS + 14 * HOUR_MS,
                town.clock_ms + draw.choice(paces[0 if fast else 1] if busy else (MINUTE_MS, HOUR_MS)),
            )
            moved += 1
            town.happens(kind if busy and draw.random() < 0.6 else draw.choice(MOVES), least=least)
    return town.facts


def year_log(seed: int) -> list[Fact]:
    """Two years and a quarter of some bills a month at two pharmacies and two hospitals, dear or not by the month, of
    which one of each was there from the first January on; and what other pharmacies grew by.
    """
    town, month = Town(Random(seed), persons=6), ""
    draw, town.clock_ms = town.draw, to_ms(datetime(2026, 1, 1, 1, tzinfo=UTC))
    end_ms, later_ms = town.clock_ms + YEAR * DAY_MS, town.clock_ms + draw.choice((20, 50, 300)) * DAY_MS
    while town.clock_ms < end_ms:
        town.step(draw.choice((0, HOUR_MS, DAY_MS, 2 * DAY_MS, 4 * DAY_MS, 7 * DAY_MS)))
        if month != (month := f"{to_datetime(town.clock_ms):%m}"):
            town.times = draw.choice((1, 1, 3, 9))
        town.bills = [each for each in town.bills if town.clock_ms - to_ms(each.occurred_at) < 40 * DAY_MS]
        town.undone = [each for each in town.undone if each in town.bills]
        move = draw.choice(("bill",) * 12 + ("undo", "undo", "reinstate", "peers"))
        if move != "bill":
            town.happens(move, least=LOW)
            continue
        code = draw.choice(("P1", "P2", "H1", "H2") if town.clock_ms > later_ms else ("P1", "H1"))
        kind = (
            {"fixmedins_type": "2", "med_type": "41"} if code[0] == "P" else {"fixmedins_type": "1", "med_type": "11"}
        )
        town.bill(town.person(), town.lagged(), mdtrt_id=f"v{len(town.facts)}", fixmedins_code=code, **kind)
    return town.facts
