"""Items under control (P21, D13): small logs told in plain words, however they are cut; the list, read strictly."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from risk.facts import Fact, FeeAdded, FeeReversed, VisitOpened
from risk.local_time import to_datetime
from risk.policy import parse_policy
from risk.policy_examples import worked_example
from risk.policy_measure_shapes import measured_rule
from risk.policy_special_items import special_items
from risk.terms import PolicyError
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

START = to_datetime(1_772_326_800_000)
FILES = {name: shaoyang_files()[name] for name in ("policy.toml", "rules.toml")}
ITEMS = {"C990101": 10, "C990199": 10, "C9902": 5, "C9903": 0, "XA01": 0}  # and how many of its row in seven days
CHANNEL = ("P43050200001", "P43050300009")
PLACES = (*CHANNEL, "P43050400001", "H43050400001", "未知")
Said = list[tuple[int, str, str, int]]


def log(seed: int) -> list[Fact]:
    """Most of a day apart, and some told late: one person's purchases, and what he gave back of the last one."""
    draw, facts, last = Random(seed), list[Fact](), "0"
    for number in range(30):
        at = START + timedelta(hours=18 * number - draw.choice((0, 0, 40)))
        common: dict[str, Any] = {"event_id": f"E{number}", "occurred_at": at, "psn_no": "P1"}
        if number and draw.random() < 0.2:
            part = draw.choice((None, 20_000))
            facts.append(FeeReversed(**common, mdtrt_id=f"V{last}", feedetl_sn=f"L{last}", cnt_x10000=part))
            continue
        last = str(number)
        common |= {"mdtrt_id": f"V{last}", "fixmedins_code": draw.choice(PLACES)}
        opened = {"fixmedins_type": "2", "med_type": "11"}
        facts.append(VisitOpened(**common | {"event_id": f"O{number}"}, **opened))
        bought = {"cnt_x10000": draw.choice((10_000, 25_000, 40_000, 0)), "amount_fen": 100, "prd_days": 7}
        facts.append(FeeAdded(**common, feedetl_sn=f"L{last}", med_list_codg=draw.choice(tuple(ITEMS)), **bought))
    return facts


def plainly(facts: list[Fact]) -> Said:
    """What is said, by a list of purchases and nothing else."""
    bought: dict[str, list[Any]] = {}
    said: Said = []
    for index, fact in enumerate(facts):
        if isinstance(fact, FeeReversed):
            line = bought.get(fact.mdtrt_id)
            if line is not None:
                line[2] = 0 if fact.cnt_x10000 is None else max(0, line[2] - fact.cnt_x10000)
        elif isinstance(fact, FeeAdded) and fact.fixmedins_code[0] == "P" and ITEMS[fact.med_list_codg]:
            row, most = fact.med_list_codg[:5], ITEMS[fact.med_list_codg]
            bought[fact.mdtrt_id] = [fact.occurred_at, row, fact.cnt_x10000]
            week = fact.occurred_at - timedelta(days=7)
            units = sum(line[2] for line in bought.values() if line[1] == row and week < line[0] <= fact.occurred_at)
            if fact.cnt_x10000 and units > most * 10_000:
                said.append((index, "P21", "P1", -(-units // 10_000) - most))
            if row == "C9902" and fact.fixmedins_code not in CHANNEL:
                said.append((index, "D13", fact.fixmedins_code, 1))
    return said


def by_engine(facts: list[Fact], cuts: range) -> tuple[Said, Engine]:
    engine = Engine(Parameters(), files=FILES)
    told = engine.fold(facts, cuts)
    alerts = [(t.index, t.alert) for t in told if t.alert["rule_id"] in ("P21", "D13")]
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
    assert min(said.count("P21"), said.count("D13")) >= 100


def test_a_drug_under_control_is_one_line_to_every_other_rule() -> None:
    """It stands a second time under its row's name, which only P21 counts."""
    rules = FILES["rules.toml"].replace('items = ["C9901"]', 'items = ["C9901", "XA"]')
    others: list[list[tuple[int, str, int]]] = []
    for files in (FILES, FILES | {"rules.toml": rules}):
        told = [Engine(Parameters(), files=files).fold(log(seed)) for seed in range(20)]
        said = [(t.index, t.alert["rule_id"], t.alert["observed"]) for each in told for t in each]
        others.append([each for each in said if each[1] not in ("P21", "D13")])
        assert len(said) > len(others[-1])
    assert others[0] == others[1]
    assert {rule for _, rule, _ in others[0]} >= {"P04", "P06"}


def test_an_alert_names_the_item_and_the_purchases_before() -> None:
    engine = Engine(Parameters(), files=FILES)
    common: dict[str, Any] = {"psn_no": "P1", "mdtrt_id": "V0", "fixmedins_code": CHANNEL[0]}
    opened = VisitOpened(event_id="E0", occurred_at=START, **common, fixmedins_type="2", med_type="41")
    line = {"med_list_codg": "C990101", "cnt_x10000": 60_000, "amount_fen": 100}
    lines = [FeeAdded(event_id=f"E{n}", occurred_at=START, feedetl_sn=f"L{n}", **common, **line) for n in (1, 2)]
    engine.fold([opened, *lines])
    (body,) = [each.body for each in engine.outputs if each.body.get("rule_id") == "P21"]
    assert (body["med_list_codg"], body["vola_evid"]) == ("C990101", ["E2", "E1"])
    assert "超出每人允许数量 2 件" in body["vola_cont_zh"]


ROW: dict[str, Any] = {"name": "masks", "items": ["C9901"], "units": 10, "days": 7}


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{k: v for k, v in ROW.items() if k != "units"}], "lacks units"),
        ([ROW | {"units": 0}], "units"),
        ([ROW | {"days": 91}], "days"),
        ([ROW | {"items": []}], "items"),
        ([ROW | {"places": []}], "places"),
        ([ROW | {"from": "2026-01-01"}], "from"),
        ([ROW, ROW | {"items": ["C9902"]}], "masks"),
        ([ROW, ROW | {"name": "more masks"}], "C9901"),
        ([ROW, ROW | {"name": "one mask", "items": ["C99010"]}], "Put the row with C99010 first"),
        ([], "special_items"),
    ],
)
def test_a_row_that_is_not_right_is_refused(rows: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(PolicyError, match=what):
        special_items(rows, "special_items")


@pytest.mark.parametrize("kind", ["over_allowance", "outside_channel"])
def test_the_items_stand_in_the_list_and_not_in_the_rule(kind: str) -> None:
    field = {"over_allowance": "cnt_x10000", "outside_channel": "fixmedins_code"}[kind]
    rule: dict[str, Any] = {
        "subject": "person", "counts": "fee_line", "period": "event", "measure": {kind: field},
        "levels": [{"theta": 1, "kind": "warning", "sev": 1}], "precision_percent": 90, "text_zh": "a", "text_en": "a",
    }  # fmt: skip
    assert measured_rule(kind)(rule, "P21").measure.kind == kind
    with pytest.raises(PolicyError, match="special_items"):
        measured_rule(kind)(rule | {"items": ["C"], "each": "med_list_codg"}, "P21")


def test_the_control_ends_with_an_entry() -> None:
    ended = '\n[[special_items]]\neffective_from = 2026-06-01\nrepealed = true\ndocument = "d"\narticle = "a"\n'
    policy = parse_policy(FILES | {"rules.toml": FILES["rules.toml"] + ended})
    assert "special_items" in policy.on(20_604)
    assert "special_items" not in policy.on(20_605)
    assert "10" in worked_example(policy, "special_items", 20_604)[0]
