"""Lines that do not fit their patient (P14 level 2, M06): small logs told in plain words, cut anyhow into batches."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from risk.facts import (
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementEstimated,
    VisitOpened,
)
from risk.local_time import to_datetime
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

START = to_datetime(1_772_326_800_000)
FOR = {"003313A": ("2", 150), "003312B": ("1", 150), "00120400007C": ("", 17), "XN02": ("", 150)}
CITY = shaoyang_files()
FILES = {name: CITY[name] for name in ("policy.toml", "rules.toml")}
Said = list[tuple[int, str, str, int]]


def log(seed: int) -> list[Fact]:
    """One person's three visits: lines, lines taken back, estimates and bills, whose sex and age may be missing."""
    draw, facts = Random(seed), list[Fact]()
    whose = {"gend": draw.choice(("1", "2")), "age": draw.choice((9, 17, 18, 60))}
    for number in range(30):
        visit = f"V{draw.randrange(3)}"
        common: dict[str, Any] = {
            "event_id": f"E{number}",
            "occurred_at": START + timedelta(minutes=number),
            "psn_no": "P1",
            "mdtrt_id": visit,
        }
        place: dict[str, Any] = {"fixmedins_code": "H1"}
        amounts = dict.fromkeys(("medfee_sumamt_fen", "psn_part_amt_fen", "psn_cash_pay_fen"), 100)
        amounts |= {"fund_pay_sumamt_fen": 0, "acct_pay_fen": 0}
        known = whose if draw.random() < 0.8 else {}
        match draw.choice(("open", "line", "line", "line", "back", "batch", "all", "estimate", "bill")):
            case "open":
                facts.append(VisitOpened(**common, **place, fixmedins_type="1", med_type="11", dr_code="D1"))
            case "line":
                facts.append(
                    FeeAdded(
                        **common,
                        **place,
                        feedetl_sn=f"L{draw.randrange(12)}",
                        med_list_codg=draw.choice(list(FOR)),
                        cnt_x10000=10_000,
                        amount_fen=100,
                        chrg_bchno=draw.choice((None, "B1")),
                        dr_code=draw.choice((None, "D2", "", "未知")),
                    )
                )
            case "back":
                facts.append(FeeReversed(**common, feedetl_sn=f"L{draw.randrange(12)}"))
            case "batch":
                facts.append(FeeReversed(**common, chrg_bchno="B1"))
            case "all":
                facts.append(FeeReversed(**common, all_unsettled=True))
            case "estimate":
                facts.append(SettlementEstimated(**common, **place, **amounts, **known))
            case "bill":
                setl = {"setl_id": f"S{number}", "fixmedins_type": "1", "med_type": "11"}
                facts.append(SettlementCompleted(**common, **place, **amounts, **known, **setl))
    return facts


def plainly(facts: list[Fact]) -> Said:
    """What is said, by lists of lines and nothing else."""
    waiting: dict[str, list[list[Any]]] = {}
    told: dict[str, set[str]] = {}
    doctors: dict[str, str] = {}
    said: Said = []
    for index, fact in enumerate(facts):
        visit: Any = getattr(fact, "mdtrt_id", "")
        lines = waiting.setdefault(visit, [])
        if isinstance(fact, VisitOpened):
            told.setdefault(visit, set())
            doctors[visit] = "D1"
        elif isinstance(fact, FeeAdded):
            known = told.setdefault(visit, set())
            if fact.feedetl_sn not in known and fact.med_list_codg != "XN02":
                lines.append([fact.feedetl_sn, fact.chrg_bchno, fact.med_list_codg, fact.dr_code, False])
            known.add(fact.feedetl_sn)
        elif isinstance(fact, FeeReversed):
            gone = [
                x for x in lines if fact.all_unsettled or x[0] == fact.feedetl_sn or (x[1] and x[1] == fact.chrg_bchno)
            ]
            waiting[visit] = [x for x in lines if x not in gone]
        elif isinstance(fact, SettlementEstimated | SettlementCompleted):
            bad = [x for x in lines if not fits(x[2], fact.gend, fact.age)]
            for doctor in dict.fromkeys(x[3] or doctors.get(visit, "") for x in bad if not x[4]):
                his = [x for x in bad if not x[4] and (x[3] or doctors.get(visit, "")) == doctor]
                if doctor not in ("", "未知"):
                    said.append((index, "M06", doctor, len(his)))
            if isinstance(fact, SettlementCompleted):
                if bad:
                    said.append((index, "P14", "P1", len(bad)))
                waiting[visit] = []
            elif any(row[:2] == (index, "M06") for row in said):
                for x in bad:
                    x[4] = True
    return said


def fits(item: str, gend: str | None, age: int | None) -> bool:
    of, most = FOR[item]
    return (not of or gend is None or gend == of) and (age is None or age <= most)


def by_engine(facts: list[Fact], cuts: range) -> tuple[Said, Engine]:
    engine = Engine(Parameters(), files=FILES)
    told = engine.fold(facts, cuts)
    alerts = [(t.index, t.alert) for t in told if t.alert["rule_id"] in ("M06", "P14")]
    return [(index, a["rule_id"], a["subject_id"], a["observed"]) for index, a in alerts], engine


@pytest.mark.parametrize("block", range(4))
def test_small_logs_say_what_plain_lists_say_however_they_are_cut(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        facts = log(seed)
        got, whole = by_engine(facts, range(0))
        assert sorted(got) == sorted(plainly(facts)), seed
        if seed % 3 == 0:
            again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 4))
            assert again == got, seed
            assert cut.stored() == whole.stored(), seed


def test_the_logs_reach_both_rules() -> None:
    said = [rule for seed in range(200) for _, rule, _, _ in plainly(log(seed))]
    assert min(said.count("M06"), said.count("P14")) >= 20


def test_sex_and_age_are_kept_nowhere() -> None:
    """Of a person whose bills state them no byte differs from one whose bills do not."""
    plain = [f for f in log(1) if isinstance(f, VisitOpened | SettlementCompleted)]
    stated = [replace(f, gend="1", age=33) if isinstance(f, SettlementCompleted) else f for f in plain]
    silent = [replace(f, gend=None, age=None) if isinstance(f, SettlementCompleted) else f for f in plain]
    assert by_engine(stated, range(0))[1].stored() == by_engine(silent, range(0))[1].stored()
