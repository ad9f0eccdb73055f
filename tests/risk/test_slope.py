"""P12's slope on small logs against all bills counted anew each time, cut anyhow into batches."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from risk.facts import Fact, PolicyActivated, SettlementCompleted, SettlementReversed
from risk.local_time import SHANGHAI
from tests.oracle.case_log import facts_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

CAP_FEN, LEVEL = 15_000_000, 4
CITY = shaoyang_files()
FILES = {name: CITY[name] for name in ("policy.toml", "rules.toml")}
Said = list[tuple[int, str, int]]


def log(seed: int) -> list[Fact]:
    """One person's dear year, and the first bills of the next one; some late, left out, or undone."""
    draw, facts = Random(seed), list[Fact]()
    at = datetime(2026, draw.choice((2, 3, 10)), 20, 9, tzinfo=SHANGHAI)
    for number in range(16):
        at += timedelta(days=draw.choice((0, 1, 3, 9, 9, 25, 40)), minutes=1)
        when = at - timedelta(hours=draw.choice((0, 0, 0, 40, 48, 49)))
        common: dict[str, Any] = {"event_id": f"E{number}", "occurred_at": when, "psn_no": "P1"}
        bills = [fact.setl_id for fact in facts if isinstance(fact, SettlementCompleted)]
        if bills and draw.random() < 0.2:
            facts.append(SettlementReversed(**common, setl_id=draw.choice(bills[-4:])))
            continue
        fen = draw.choice((100, 500_000, 1_200_000, 2_000_000, 4_000_000))
        amounts = {"medfee_sumamt_fen": fen, "fund_pay_sumamt_fen": fen, "psn_part_amt_fen": 0, "acct_pay_fen": 0}
        place = {"fixmedins_code": "H1", "fixmedins_type": "1", "med_type": "21", "mdtrt_id": f"V{number}"}
        insured = {"insutype": "390", "insuplc_admdvs": "430502", "emergency": draw.random() < 0.15}
        facts.append(
            SettlementCompleted(**common, **amounts, **place, **insured, psn_cash_pay_fen=0, setl_id=f"S{number}")
        )
    return facts


def plainly(facts: list[Fact]) -> Said:
    """What level 4 says: opened at 41 percent and more, closed below 32."""
    said: Said = []
    bills: dict[str, SettlementCompleted] = {}
    gone: set[str] = set()
    newest, open_year = datetime(2000, 1, 1, tzinfo=SHANGHAI), 0

    def share(at: datetime, year: int, without: str = "") -> int:
        counted = [b for k, b in bills.items() if k not in gone and k != without and b.occurred_at.year == year]
        some = [b for b in counted if at - timedelta(days=30) < b.occurred_at <= at and not b.emergency]
        total = sum(b.fund_pay_sumamt_fen for b in counted)
        return sum(b.fund_pay_sumamt_fen for b in some) * 100 // total if len(some) >= 3 and total else 0

    for index, fact in enumerate(facts):
        at = fact.occurred_at
        late = at < newest - timedelta(hours=48)
        if isinstance(fact, SettlementReversed):
            known = fact.setl_id in bills and fact.setl_id not in gone
            gone.add(fact.setl_id or "")
            same_year = known and bills[fact.setl_id or ""].occurred_at.year == open_year
            if same_year and not late and (left := share(at, open_year)) < 32:
                said.append((index, "closed", left))
                open_year = 0
            continue
        assert isinstance(fact, SettlementCompleted)
        bills[fact.setl_id] = fact
        newest = max(newest, at)
        if late:
            continue
        year = at.year
        if open_year and open_year < year:
            said.append((index, "closed", share(at, open_year)))
            open_year = 0
        if open_year == year and (before := share(at, year, fact.setl_id)) < 32:
            said.append((index, "closed", before))
            open_year = 0
        of_year = [b for k, b in bills.items() if k not in gone and b.occurred_at.year == year]
        near = sum(b.fund_pay_sumamt_fen for b in of_year) * 2 >= CAP_FEN and at.timetuple().tm_yday >= 91
        if not open_year and near and not fact.emergency and (observed := share(at, year)) >= 41:
            said.append((index, "opened", observed))
            open_year = year
    return said


def by_engine(facts: list[Fact], cuts: range) -> tuple[Said, Engine]:
    engine = Engine(Parameters(), files=FILES)
    alerts = [(t.index, t.alert) for t in engine.fold(facts, cuts) if t.alert["rule_id"] == "P12"]
    return [(index, a["episode"], a["observed"]) for index, a in alerts if a["level"] == LEVEL], engine


@pytest.mark.parametrize("block", range(4))
def test_small_logs_say_what_counting_anew_says_however_they_are_cut(block: int) -> None:
    for seed in range(block * 75, block * 75 + 75):
        facts = log(seed)
        got, whole = by_engine(facts, range(0))
        assert got == plainly(facts), seed
        if seed % 5 == 0:
            again, cut = by_engine(facts, range(seed % 4, len(facts), 1 + seed % 3))
            assert again == got, seed
            assert cut.stored() == whole.stored(), seed


def test_the_logs_reach_both_ends() -> None:
    words = [word for seed in range(300) for _, word, _ in plainly(log(seed))]
    assert min(words.count("opened"), words.count("closed")) >= 20


def from_november(*levels: str) -> dict[str, str]:
    """The city's policy with other levels from November on."""
    entry, rules = _entry("2026-11-01", levels), CITY["rules.toml"]
    return CITY | {"rules.toml": rules.replace("[[P13]] # one bill", f"{entry}[[P13]] # one bill", 1)}


def from_the_first(*levels: str) -> dict[str, str]:
    """The city's policy with other levels from the first day on."""
    rules = CITY["rules.toml"]
    first, end = rules.index("[[P12]]"), rules.index("[[P13]] # one bill")
    return CITY | {"rules.toml": rules[:first] + _entry("2023-01-01", levels) + rules[end:]}


def _entry(since: str, levels: tuple[str, ...]) -> str:
    return f"""
[[P12]]
effective_from = {since}
document = "d"
article = "a"
value.levels = [{", ".join(levels)}]
value.text_zh = "封顶 {{observed_yuan}} {{allowed_yuan}}"
value.text_en = "cap {{observed_yuan}} of {{allowed_yuan}}"

"""


CAP = '{ theta = 90, kind = "warning", sev = 2 }'
SLOPE = (
    '{ theta = 41, window_days = 30, from_day = 91, least_percent = 50, least_bills = 3, kind = "warning", sev = 1,'
    ' text_zh = "{observed}% {allowed}%", text_en = "lately {observed} of {allowed}" }'
)


def said_of(
    files: dict[str, str], *bills: tuple[str, int], then: dict[str, str] | None = None, after: int = 0
) -> list[tuple[int, str, int, int, str]]:
    """Level, end, observed, allowed and sentence of each of P12's alerts; `then` is activated after so many bills."""
    insured = {"med_type": "21", "insured_at": "430502", "insutype": "390"}
    engine = Engine(Parameters(), files=files)
    facts = facts_of({"log": [{"at": at, "bill_fen": fen, "fund_fen": fen, **insured} for at, fen in bills]}, {})
    if then is not None:
        named = {"version": "2", "digest": "2", "files": then}
        facts.insert(after, PolicyActivated(event_id="P", occurred_at=facts[after - 1].occurred_at, psn_no="", **named))
    engine.fold(facts)
    bodies = [output.body for output in engine.outputs if output.body.get("rule_id") == "P12"]
    return [(b["level"], b["episode"], b["observed"], b["allowed"], b["vola_cont_en"]) for b in bodies]


DEAR = ("2026-03-01 09:00", 14_600_000)
THE_CITYS = "Near the yearly cap: the fund paid {} yuan this year, the line is {} yuan"


@pytest.mark.parametrize("levels", [(CAP,), (CAP, SLOPE)])
def test_an_alert_ends_under_the_sentence_it_opened_with_though_an_entry_with_fewer_levels_follows(
    levels: tuple[str, ...],
) -> None:
    said = said_of(from_november(*levels), DEAR, ("2027-01-02 09:00", 100))
    lines = ((12_000_000, "120,000.00"), (13_500_000, "135,000.00"), (14_250_000, "142,500.00"))
    assert [each for each in said if each[1] == "closed"] == [
        (level, "closed", 14_600_000, line, THE_CITYS.format("146,000.00", yuan))
        for level, (line, yuan) in enumerate(lines, 1)
    ]


def test_a_slope_ends_as_a_slope_where_the_later_entry_has_none() -> None:
    steep = (("2026-05-01 09:00", 4_000_000), ("2026-05-02 09:00", 4_000_000), ("2026-05-03 09:00", 100))
    said = said_of(from_november(CAP), *steep, ("2027-01-02 09:00", 100))
    assert [each[:4] for each in said] == [(4, "opened", 100, 41), (4, "closed", 0, 41)]
    assert said[1][4].startswith("Spent lately: 0 %")


def test_a_share_of_the_cap_is_not_ended_by_the_slope_that_has_its_number_now() -> None:
    months = [(f"2026-11-{day} 09:00", 100) for day in (20, 21, 22)]
    said = said_of(from_november(CAP, SLOPE), DEAR, *months)
    assert [each[:2] for each in said] == [(1, "opened"), (2, "opened"), (3, "opened")]


def test_and_the_slope_opens_and_ends_beside_it() -> None:
    bills = [("2026-11-20 09:00", 6_000_000), ("2026-11-21 09:00", 6_000_000), ("2026-11-22 09:00", 100)]
    said = said_of(from_november(CAP, SLOPE), DEAR, *bills, ("2027-01-02 09:00", 100))
    steep = [each[:4] for each in said if each[4].startswith("lately")]
    assert steep == [(2, "opened", 45, 41), (2, "closed", 0, 41)]
    assert sum(each[1] == "closed" for each in said) == sum(each[1] == "opened" for each in said)


NEAR, NEXT_YEAR = ("2026-06-01 09:00", 14_000_000), ("2027-01-02 09:00", 100)


def test_a_policy_whose_slope_has_the_number_of_an_open_share_ends_no_share() -> None:
    said = said_of(CITY, NEAR, ("2026-07-11 09:00", 100), NEXT_YEAR, then=from_the_first(CAP, SLOPE), after=1)
    assert [each[:4] for each in said] == [
        (1, "opened", 14_000_000, 12_000_000),
        (2, "opened", 14_000_000, 13_500_000),
        (1, "closed", 14_000_100, 12_000_000),
        (2, "closed", 14_000_100, 13_500_000),
    ]
    assert [each[4] for each in said[2:]] == ["cap 140,001.00 of 120,000.00", "cap 140,001.00 of 135,000.00"]


STEEP = (("2026-05-01 09:00", 4_000_000), ("2026-05-02 09:00", 4_000_000), ("2026-05-03 09:00", 100))


def test_a_slope_ends_as_the_slope_of_the_policy_then_active_whatever_its_number() -> None:
    said = said_of(CITY, *STEEP, ("2026-06-20 09:00", 100), NEXT_YEAR, then=from_the_first(CAP, SLOPE), after=3)
    assert [each[:4] for each in said] == [(4, "opened", 100, 41), (4, "closed", 0, 41)]
    assert said[1][4] == "lately 0 of 41"


def test_a_slope_that_the_policy_has_no_more_ends_without_a_word() -> None:
    """Nothing measures it any more, as with a rule that is not in force."""
    said = said_of(CITY, *STEEP, ("2026-06-20 09:00", 100), NEXT_YEAR, then=from_the_first(CAP), after=3)
    assert [each[:4] for each in said] == [(4, "opened", 100, 41)]
