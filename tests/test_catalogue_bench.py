"""The mix of `bench catalogue`: whole, on the partitions where production would put it; and what it tells of waits."""

from collections import Counter

import pytest

from benchmarks.both_hops import city_facts
from benchmarks.catalogue import _tell, alerts_among, mix_of
from benchmarks.latency import Waits, cause_of
from benchmarks.peers.workload import PARTITIONS
from benchmarks.report import Report
from connectors.codec import decode_fact
from connectors.topology import Topics, partition_of
from streams.city.plan import CityPlan

PLAN = CityPlan(people=60, institutions=6, first_day=20_537, days=3, plants=1, visits_per_year=60)


@pytest.fixture(scope="module")
def mix():
    return mix_of(PLAN)


def test_every_fact_of_the_city_stands_in_the_mix_and_is_counted_by_its_kind(mix):
    facts = list(city_facts(PLAN))
    assert mix.kinds == Counter(fact.event_type for fact in facts)
    assert {"visit.opened", "visit.closed", "fee.added", "settlement.completed"} <= mix.kinds.keys()
    sent = [decode_fact(record.value) for record in mix.records]
    assert [fact for fact in sent if fact.event_type != "code.moved"] == facts


def test_a_record_of_a_person_stands_on_the_partition_of_the_person(mix):
    persons = [record for record in mix.records if record.topic == "events.v1"]
    assert {record.partition for record in persons} == set(range(PARTITIONS))
    for record in persons:
        assert decode_fact(record.value).psn_no == record.key
        assert record.partition == partition_of(record.key, PARTITIONS)


def test_people_and_subjects_of_the_second_hop_alert_in_the_mix(mix):
    assert mix.alerts["person"]
    assert mix.alerts["institution"] or mix.alerts["staff"]


def test_the_mix_goes_to_the_two_logs_of_the_prefix_it_is_asked_for(mix):
    topics = Topics("a.")
    assert {record.topic for record in mix.under(topics)} == {topics.events, topics.subjects}


def test_an_alert_sent_twice_is_one_and_of_a_hospital_it_is_the_same_whichever_bill_it_crossed_at():
    person = {"subject_kind": "person", "alert_id": "al_1", "occurred_at": "2026-03-25T10:00:00", "episode": "opened"}
    hospital = person | {"subject_kind": "institution", "rule_id": "H01", "level": 1, "subject_id": "H1"}
    told = [person, person, person | {"episode": "closed"}, hospital, hospital | {"alert_id": "al_2"}]
    found = alerts_among(told)
    assert (len(found["person"]), len(found["institution"])) == (2, 1)


def test_waits_of_subjects_are_told_together_and_where_nobody_alerted_there_is_no_figure():
    report = Report({})
    _tell(report, "1 lane", Waits({"institution": [2, 4], "staff": [6]}, 3, 0.0, {}))
    told = {result.metric: (result.value, result.note) for result in report.results}
    assert told["p50, second-hop subjects"] == (4.0, "3 alerts; 3 more without a cause that was sent")
    assert told["p99, people"] == (None, "0 alerts; generator behind by at most 0 ms")


def test_an_alert_waited_for_the_record_it_crossed_at_or_for_the_message_that_now_accuses_an_older_bill():
    sent, told = {"bill": 10, "earlier": 5, "later": 30}, {"stock": 20}
    assert cause_of(["bill", "earlier", "later"], sent, told) == 10
    assert cause_of(["bill", "stock"], sent, told) == 20
    assert cause_of(["stock"], sent, told) == 20
    assert cause_of(["bill/box", "earlier"], sent, told) is None
