"""The sample days: what each file must come to, line by line and alert by alert (judged by the naive oracle)."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.amounts import AmountProfiles
from connectors.codec import decode_fact
from connectors.intake import Edge, Sender, Taken, read_lines, split_lines
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics
from risk.facts import Fact, FeeAdded, FeeReversed, SettlementCompleted, SettlementReversed, VisitOpened
from risk.local_time import local_day, to_date, to_ms
from tests.oracle.rules_oracle import PersonOracle, SubjectOracle

CASES = Path(__file__).parents[1] / "cases" / "national"
DAYS = sorted(path.name.removesuffix(".expected.toml") for path in CASES.glob("*.expected.toml"))
PERSONAL = ("某某", "SANDBOX", "某医师", "窗口", '00000000000"', "4305009900")
NOW_MS = 1_780_000_000_000


def expected(day: str) -> dict[str, Any]:
    return tomllib.loads((CASES / f"{day}.expected.toml").read_text(encoding="utf-8"))


def taken(day: str, key: str | None = None) -> Taken:
    edge = Edge(Topics(), 4, Pseudonyms(key), AmountProfiles(), lambda: NOW_MS)
    body = (CASES / f"{day}.jsonl").read_bytes()
    return read_lines(edge, split_lines(body), Sender("sample"), form="national", origin=f"file:{day}.jsonl")


def facts_of(day: str) -> list[Fact]:
    return [decode_fact(record.value) for record in taken(day).records if record.topic == "xinmai.events.v1"]


def alerts_of(facts: list[Fact]) -> list[dict[str, Any]]:
    """Both hops, one contribution after the other in the order of the file."""
    persons: dict[str, PersonOracle] = {}
    subjects, alerts = SubjectOracle(), []
    for fact in facts:
        person = persons.setdefault(fact.psn_no, PersonOracle(fact.psn_no))
        alerts += person.apply(fact)
        for contribution in person.contributions:
            alerts += subjects.apply(contribution)
    return [alert for alert in alerts if alert["episode"] == "opened"]


def test_there_is_a_day_of_a_hospital_of_a_pharmacy_and_of_a_county():
    assert DAYS == ["county_day", "hospital_day", "pharmacy_day"]
    assert [expected(day)["file"] for day in DAYS] == [f"{day}.jsonl" for day in DAYS]


@pytest.mark.parametrize("day", DAYS)
def test_every_line_of_the_day_is_accepted_ignored_or_refused_as_expected(day):
    results = taken(day).results
    counts = Counter(result.result for result in results)
    assert {
        "accepted": counts["accepted"],
        "ignored": counts["ignored"],
        "refused": counts["refused"],
        "facts": sum(result.facts for result in results),
    } == expected(day)["lines"]


@pytest.mark.parametrize("day", DAYS)
def test_the_day_raises_exactly_the_expected_alerts(day):
    raised = {(alert["rule_id"], alert["subject_id"]): alert for alert in alerts_of(facts_of(day))}
    wanted = {(alert["rule"], alert["subject_id"]): alert for alert in expected(day)["alert"]}
    assert raised.keys() == wanted.keys()
    for key, alert in wanted.items():
        assert raised[key]["crossing"] in alert["crossing"]
        assert raised[key]["level"] == alert["level"]
        assert raised[key]["subject_kind"] == alert["subject_kind"]
        if "observed" in alert:
            assert raised[key]["observed"] == alert["observed"]
        if "evidence" in alert:
            assert raised[key]["evidence"] == set(alert["evidence"])


@pytest.mark.parametrize("last", range(4))
def test_the_burst_is_found_in_whatever_order_the_shards_contribute(last):
    sold = [record for record in taken("pharmacy_day").records if record.topic == "xinmai.events.v1"]
    by_shard = sorted(sold, key=lambda record: (record.partition == last, record.partition))
    (wanted,) = [alert for alert in expected("pharmacy_day")["alert"] if alert["rule"] == "D01"]
    found = [alert for alert in alerts_of([decode_fact(each.value) for each in by_shard]) if alert["rule_id"] == "D01"]
    assert found
    assert {alert["crossing"] for alert in found} <= set(wanted["crossing"])


def test_every_fact_of_the_samples_lies_on_their_local_day_and_has_an_id_of_its_own():
    facts = [fact for day in DAYS for fact in facts_of(day)]
    assert {to_date(local_day(to_ms(fact.occurred_at))).isoformat() for fact in facts} == {"2026-03-10"}
    repeated = [event_id for event_id, count in Counter(fact.event_id for fact in facts).items() if count > 1]
    assert len(repeated) == 1  # one message of the hospital was sent twice, as it happens


def test_lines_inside_a_bill_are_facts_before_it_and_behind_their_visit():
    sold = facts_of("pharmacy_day")
    plain = [fact for fact in sold if not isinstance(fact, FeeAdded | FeeReversed | VisitOpened)]
    opened = {fact.mdtrt_id: fact for fact in sold if isinstance(fact, VisitOpened)}
    bills = {fact.mdtrt_id: fact for fact in plain if isinstance(fact, SettlementCompleted)}
    lines = [fact for fact in sold if isinstance(fact, FeeAdded)]
    billed = Counter()
    for line in lines:
        bill = bills[line.mdtrt_id]
        visit = opened[line.mdtrt_id]
        assert sold.index(visit) < sold.index(line) < sold.index(bill)
        assert (visit.fixmedins_type, visit.med_type, visit.insutype) == ("2", bill.med_type, bill.insutype)
        assert (line.chrg_bchno, line.event_id.rpartition(":")[0]) == (bill.setl_id, bill.event_id.rpartition(":")[0])
        billed[bill.mdtrt_id] += line.amount_fen
    assert billed == {bill.mdtrt_id: bill.medfee_sumamt_fen for bill in bills.values()}
    undone = {fact.setl_id for fact in plain if isinstance(fact, SettlementReversed) and fact.setl_id}
    assert {fact.chrg_bchno for fact in sold if isinstance(fact, FeeReversed)} == undone
    assert len({fact.event_id for fact in sold}) == len(sold)


@pytest.mark.parametrize("day", DAYS)
def test_what_names_a_person_stays_in_the_file(day):
    text = (CASES / f"{day}.jsonl").read_text(encoding="utf-8")
    assert "某某" in text
    assert "SANDBOX" in text
    for record in taken(day, "a city's secret key").records:
        written = record.value.decode() + record.key
        assert not any(secret in written for secret in PERSONAL)
