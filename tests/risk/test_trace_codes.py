"""D05: a second sale is certain, a return clears it, a repetition says nothing, however the log is cut."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.codec import encode_fact
from connectors.policy_files import read_policy_dir
from connectors.state_codec import Contributed, encode_contributed
from connectors.store import Address
from risk.facts import CodeMoved, Fact, FeeAdded, FeeReversed, PolicyActivated, StockMoved
from risk.facts.stock import codes_moved
from risk.local_time import SHANGHAI, to_ms
from risk.policy import parse_policy
from streams.shards import Record
from streams.subject_shard import SubjectShard
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters

PERSON = "p1_somebody"
NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
CODE = "81234560000000000001"
FILES = dict(read_policy_dir(Path(__file__).parents[2] / "config" / "policies" / "shaoyang"))
POLICY = parse_policy(FILES)


def stock(number: int, kind: str, *codes: str, minutes: int = 0, shop: str = "P43050000001", **more: Any) -> StockMoved:
    return StockMoved(
        event_id=f"M{number}",
        occurred_at=NOON + timedelta(minutes=minutes),
        fixmedins_code=shop,
        movement=kind,
        med_list_codg="X1",
        cnt_x10000=10_000,
        drug_trac_codg=codes or None,
        **more,
    )


def folded(facts: list[Fact], cuts: list[int]) -> tuple[dict[Address, bytes], int, list[dict[str, Any]]]:
    """The values, their digest and the alerts; at each cut another worker goes on from what is stored."""
    values: dict[Address, bytes] = {}
    alerts: list[dict[str, Any]] = []
    named = {"version": POLICY.version, "digest": POLICY.digest, "files": FILES}
    lines = [encode_fact(PolicyActivated(event_id="p", occurred_at=NOON, psn_no="", **named))]
    lines += [encode_fact(fact) for fact in facts]
    shard: SubjectShard | None = None
    for start, end in pairwise([0, *cuts, len(lines)]):
        before, shard = shard, SubjectShard("{q0}", 0, partitions=1, subject_partitions=1, clock="log")
        if before is not None:
            policy = values[shard.values.address("policy")]
            shard.restore(before.state, policy, lambda _: (), f"{before.values.digest:x}")
        for offset, value in enumerate(lines[start:end], start):
            record = Record(offset, to_ms(NOON), value)
            meaning = shard.decode(record)
            for address in shard.addresses([meaning]):
                shard.values.load(address, values.get(address))
            alerts += [output.body for output in shard.apply(record, meaning).outputs if output.topic == "alerts"]
        values |= shard.take_changes()
    assert shard is not None
    return values, shard.values.digest, alerts


def alerts_of(*movements: StockMoved) -> list[dict[str, Any]]:
    return folded([each for movement in movements for each in codes_moved(movement)], [1])[2]


SOLD = stock(1, "sold", CODE)
AGAIN = stock(3, "sold", CODE, minutes=60, shop="P43050000002")


def test_a_second_sale_names_both_sales_and_both_institutions() -> None:
    (alert,) = alerts_of(SOLD, AGAIN)
    assert (alert["rule_id"], alert["subject_id"], alert["drug_trac_codg"]) == ("D05", "P43050000002", CODE)
    assert (alert["observed"], alert["allowed"], alert["vola_evid"]) == (2, 1, [f"M3/{CODE}"])
    assert alert["sold_before"]["fixmedins_code"] == "P43050000001"
    assert datetime.fromisoformat(alert["sold_before"]["occurred_at"]) == NOON


@pytest.mark.parametrize(
    ("why", "movements"),
    [
        ("one sale", (SOLD,)),
        ("another box", (SOLD, stock(2, "sold", CODE[:-1] + "2", minutes=60))),
        ("a return between", (SOLD, stock(2, "sale_returned", CODE, minutes=30), AGAIN)),
        ("the same sale again", (SOLD, SOLD)),
        ("the first sale told again after a return", (SOLD, stock(2, "sale_returned", CODE, minutes=30), SOLD, AGAIN)),
        ("opened and sold by the unit", (stock(1, "sold", CODE, trdn_flag=True), AGAIN)),
        ("no code at all", (stock(1, "sold", "1234"), stock(2, "sold", "1234", minutes=60))),
        ("bought, which is no sale", (stock(1, "purchased", CODE), AGAIN)),
    ],
)
def test_what_is_no_second_sale_says_nothing(why: str, movements: tuple[StockMoved, ...]) -> None:
    assert alerts_of(*movements) == []


def test_a_sale_sent_again_with_its_time_corrected_is_one_sale() -> None:
    assert alerts_of(stock(1, "sold", CODE), stock(1, "sold", CODE, minutes=5)) == []
    (told,) = alerts_of(stock(1, "sold", CODE), stock(1, "sold", CODE, minutes=5), stock(2, "sold", CODE, minutes=9))
    assert told["sold_before"]["fixmedins_code"] == "P43050000001"


def test_a_third_sale_is_an_alert_of_its_own() -> None:
    alerts = alerts_of(SOLD, AGAIN, stock(4, "sold", CODE, minutes=90))
    assert len({alert["alert_id"] for alert in alerts}) == 2
    assert [(alert["observed"], f"sale number {n}" in alert["vola_cont_en"]) for n, alert in enumerate(alerts, 2)] == [
        (2, True),
        (3, True),
    ]


def test_a_return_begins_the_count_of_sales_anew_and_the_other_telling_of_one_adds_none() -> None:
    back = stock(5, "sale_returned", CODE, minutes=70, shop="P43050000002")
    alerts = alerts_of(SOLD, AGAIN, back, stock(6, "sold", CODE, minutes=80), stock(7, "sold", CODE, minutes=90))
    assert [alert["observed"] for alert in alerts] == [2, 2]
    engine = Engine(Parameters(), files=FILES)
    shop = "P43050000001"
    engine.fold(
        [
            SOLD,
            line(1, CODE, minutes=1),
            line(2, CODE, visit="V2", minutes=5),
            stock(8, "sold", CODE, minutes=7, shop=shop),
        ]
    )
    assert [each.body["observed"] for each in engine.outputs if each.topic == "alerts"] == [2]


def test_a_count_that_its_bits_cannot_hold_stays_at_the_most() -> None:
    alerts = alerts_of(*(stock(number, "sold", CODE, minutes=number) for number in range(70)))
    assert [alert["observed"] for alert in alerts] == [*range(2, 64), *[64] * 7]


def drawn(seed: int) -> list[Fact]:
    """Movements of few boxes, some told twice, some late."""
    random, told = Random(seed), list[Fact]()
    for number in range(150):
        if told and random.random() < 0.15:
            told.append(random.choice(told))
            continue
        kind = random.choice(("sold", "sold", "sale_returned"))
        code, shop = f"8{random.randrange(12):019d}", f"P4305000000{random.randrange(3)}"
        minutes = number * 10 - random.choice((0, 0, 0, 500))
        told += codes_moved(stock(number, kind, code, minutes=minutes, shop=shop))
    return told


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_gives_the_same_bytes_and_a_naive_reader_the_same_alerts(seed: int) -> None:
    facts, random = drawn(seed), Random(seed + 500)
    whole = folded(facts, [1])
    assert folded(facts, sorted(random.sample(range(1, len(facts)), 12))) == whole
    newest: dict[str, CodeMoved] = {}
    sales: Counter[str] = Counter()
    expected = []
    for fact in facts:
        assert isinstance(fact, CodeMoved)
        last = newest.get(fact.drug_trac_codg)
        if last is not None and fact.occurred_at <= last.occurred_at:
            continue
        sales[fact.drug_trac_codg] = sales[fact.drug_trac_codg] + 1 if fact.movement == "sold" else 0
        if last is not None and last.movement == fact.movement == "sold":
            expected.append((fact.drug_trac_codg, fact.event_id, last.fixmedins_code, sales[fact.drug_trac_codg]))
        newest[fact.drug_trac_codg] = fact
    told = [
        (
            alert["drug_trac_codg"],
            alert["vola_evid"][0].split("/")[0],
            alert["sold_before"]["fixmedins_code"],
            alert["observed"],
        )
        for alert in whole[2]
    ]
    assert told == expected
    assert told


def line(number: int, *codes: str, minutes: int = 0, visit: str = "V1", **more: Any) -> FeeAdded:
    fields = {"psn_no": PERSON, "fixmedins_code": "P43050000001", "cnt_x10000": 10_000 * len(codes)} | more
    at = NOON + timedelta(minutes=minutes)
    named = {"mdtrt_id": visit, "feedetl_sn": f"L{number}", "med_list_codg": "X1", "amount_fen": 1_000}
    return FeeAdded(event_id=f"F{number}", occurred_at=at, drug_trac_codg=codes, **named, **fields)


def test_what_a_fee_line_tells_of_its_box_names_no_person() -> None:
    engine = Engine(Parameters(), files=FILES)
    engine.fold([line(1, CODE)])
    (told,) = engine.contributed
    assert (told.subject_kind, told.subject_id, told.sign) == ("t", CODE, 1)
    assert (told.fixmedins_code, told.person) == ("P43050000001", 0)
    assert PERSON.encode() not in encode_contributed(Contributed(0, 1, (told,)))
    engine.fold([line(2, CODE, visit="V2", minutes=5)])
    (alert,) = [output.body for output in engine.outputs if output.topic == "alerts"]
    assert PERSON not in str(alert)
    assert alert["vola_evid"] == [f"F2/{CODE}"]


@pytest.mark.parametrize("seed", range(10))
def test_lines_stock_and_returns_of_both_give_the_same_bytes_however_the_log_is_cut(seed: int) -> None:
    random, facts = Random(seed), list[Fact]()
    for number in range(120):
        minutes, code = number * 30 - random.choice((0, 0, 45)), f"8{random.randrange(8):019d}"
        shop = f"P4305000000{random.randrange(2)}"
        who = {"psn_no": f"p{random.randrange(3)}", "fixmedins_code": shop}
        kind = random.random()
        lines = [fact for fact in facts if isinstance(fact, FeeAdded)]
        if kind < 0.5 or not lines:
            facts.append(line(number, code, minutes=minutes, visit=f"V{number // 2}", **who))
        elif kind < 0.7:
            old = random.choice(lines)
            at = NOON + timedelta(minutes=minutes)
            back = {"mdtrt_id": old.mdtrt_id, "feedetl_sn": old.feedetl_sn, "psn_no": old.psn_no}
            facts.append(FeeReversed(event_id=f"R{number}", occurred_at=at, **back))
        else:
            facts.append(stock(number, random.choice(("sold", "sale_returned")), code, minutes=minutes, shop=shop))
    whole, cut = Engine(Parameters(), files=FILES), Engine(Parameters(), files=FILES)
    told = whole.fold(facts)
    assert cut.fold(facts, random.sample(range(1, len(facts)), 12)) == told
    assert cut.stored() == whole.stored()
    assert sum(each.alert["rule_id"] == "D05" for each in told) > 3
