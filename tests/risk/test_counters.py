"""A day's counters hold what the contributions of that day added, whatever policy was in force when they came."""

import re
from itertools import permutations

import pytest
from msgspec.structs import replace

from connectors.codec import encode_fact
from risk.contributions import SILENT
from risk.facts import Fact, PolicyActivated, SettlementCompleted, SettlementReinstated, SettlementReversed
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, to_datetime
from risk.policy import parse_policy
from tests.oracle.production import SOON, Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

DAY = 20_513
NIGHT_MS = day_start_ms(DAY) + 2 * HOUR_MS


def bill(number: int) -> SettlementCompleted:
    """A purchase at a pharmacy at two in the morning, each of another person, ten minutes apart."""
    return SettlementCompleted(
        event_id=f"e{number}", occurred_at=to_datetime(NIGHT_MS + number * 6 * MINUTE_MS), psn_no=f"P{number}",
        setl_id=f"S{number}", mdtrt_id=f"V{number}", fixmedins_code="P43050000101", fixmedins_type="2", med_type="41",
        medfee_sumamt_fen=900, fund_pay_sumamt_fen=400, psn_part_amt_fen=500, acct_pay_fen=0, psn_cash_pay_fen=500,
    )  # fmt: skip


def undo(number: int) -> SettlementReversed:
    return SettlementReversed(
        event_id=f"u{number}",
        occurred_at=to_datetime(NIGHT_MS + 80 * MINUTE_MS),
        psn_no=f"P{number}",
        setl_id=f"S{number}",
    )


def without(rule_id: str, files: dict[str, str]) -> dict[str, str]:
    entry = re.compile(rf"^\[\[{rule_id}\]\].*?(?=^\[\[|\Z)", re.M | re.S)
    return {name: entry.sub("", text) for name, text in files.items()}


def switched(engine: Engine, files: dict[str, str]) -> None:
    policy = parse_policy(files)
    fact = PolicyActivated(event_id="switch", occurred_at=SOON, psn_no="", version=policy.version,
                           digest=policy.digest, files=files)  # fmt: skip
    for shard in (engine.people, engine.subjects):
        engine._apply(shard, encode_fact(fact))


def night_alerts(engine: Engine, facts: list[Fact]) -> list[int]:
    return [told.index for told in engine.fold(facts) if told.alert["rule_id"] == "D02"]


def test_what_is_undone_under_a_new_rule_takes_away_what_was_added_before_there_was_one() -> None:
    engine = Engine(Parameters(), files=without("D02", shaoyang_files()))
    engine.fold([bill(number) for number in range(8)])
    switched(engine, shaoyang_files())
    engine.fold([undo(number) for number in range(8)])
    assert night_alerts(engine, [bill(number) for number in range(8, 19)]) == [9], "at the tenth that stands"


def test_what_was_added_before_the_rule_counts_under_it() -> None:
    engine = Engine(Parameters(), files=without("D02", shaoyang_files()))
    engine.fold([bill(number) for number in range(8)])
    switched(engine, shaoyang_files())
    assert night_alerts(engine, [bill(number) for number in range(8, 12)]) == [1]


def test_under_rules_about_days_alone_a_bill_undone_weeks_later_leaves_its_day() -> None:
    """D10 looks back four weeks: as long must the person's row be there to take the bill away."""
    files = shaoyang_files()
    rules = [f"[[{entry}" for entry in files["rules.toml"].split("\n[[")[1:]]
    kept = "\n".join(rule for rule in rules if rule.startswith(("[[D10]]", "[[placeholder_codes]]")))
    engine = Engine(Parameters(), files={"policy.toml": files["policy.toml"], "rules.toml": kept})
    first, undone = replace(bill(1), psn_no="P1"), replace(undo(1), occurred_at=to_datetime(NIGHT_MS + 20 * DAY_MS))
    later = [
        replace(first, event_id=f"l{day}", setl_id=f"L{day}", occurred_at=to_datetime(NIGHT_MS + day * DAY_MS))
        for day in (7, 14)
    ]
    engine.fold([first, *later, undone])
    assert [(each.sign, each.original_id) for each in engine.contributed] == [
        (1, "e1"),
        (1, "l7"),
        (1, "l14"),
        (-1, "e1"),
    ]


@pytest.mark.parametrize(("then", "now"), list(permutations(("unheard", "D430501000001", "P43050000101"), 2)))
def test_a_bill_leaves_and_returns_as_it_came_whatever_means_no_code_since(then: str, now: str) -> None:
    """`then`, `now`: what stands among the codes that mean none, beside the usual ones."""
    rules = [shaoyang_files() for _ in range(2)]
    for files, code in zip(rules, (then, now), strict=True):
        files["rules.toml"] = files["rules.toml"].replace('"unknown"]', f'"unknown", "{code}"]')
    engine = Engine(Parameters(), files=rules[0])
    engine.fold([replace(bill(1), dr_code="D430501000001")])
    came = [(each.subject_kind, each.subject_id, each.marks) for each in engine.contributed]
    switched(engine, rules[1])
    back = SettlementReinstated(event_id="b1", occurred_at=to_datetime(NIGHT_MS + HOUR_MS), psn_no="P1", setl_id="S1")
    engine.fold([undo(1), back])
    told = [(each.sign, each.subject_kind, each.subject_id, each.marks & ~SILENT) for each in engine.contributed]
    assert told == [(sign, *each) for sign in (1, -1, 1) for each in came]
