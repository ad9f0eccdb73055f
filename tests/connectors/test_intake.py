"""Each line gets its answer, facts go to their person's partition, refusals are kept without personal data."""

import json
from typing import Any

import pytest

from connectors.amounts import AmountProfiles
from connectors.append import Pen
from connectors.codec import decode_fact
from connectors.errors import ConnectorError
from connectors.http.tokens import event_types_of
from connectors.intake import Edge, Intake, Sender, read_lines, split_lines
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics, partition_of
from risk.facts import TopupReceived
from risk.trace_codes import code_shard_key

NOW_MS = 1_773_100_800_000  # 2026-03-10 08:00 in Shanghai
KEY = "a city's secret key"
EDGE = Edge(Topics(), 4, Pseudonyms(KEY), AmountProfiles(), lambda: NOW_MS, subjects_partitions=3)
SENDER = Sender("token-7")


class FakeProducer:
    """Acknowledges what was produced at the next poll; may be full, or refuse a topic."""

    def __init__(self, room: int = 1_000_000, refuses: str = "") -> None:
        self.records: list[tuple[str, str, bytes, int]] = []
        self.waiting: list[Any] = []
        self.room = room
        self.refuses = refuses

    def produce(self, topic: str, value: bytes, key: str, partition: int = -1, *, on_delivery: Any) -> None:
        if len(self.waiting) >= self.room:
            raise BufferError
        self.records.append((topic, key, value, partition))
        self.waiting.append((on_delivery, FakeMessage(topic, partition, len(self.records) - 1)))

    def poll(self, timeout: float) -> int:
        served, self.waiting = self.waiting, []
        for on_delivery, message in served:
            on_delivery("no" if message.topic() == self.refuses else None, message)
        return len(served)

    def purge(self) -> None:
        self.waiting.clear()

    def flush(self, timeout: float) -> int:
        return len(self.waiting)


def pen(producer: FakeProducer) -> Pen:
    return Pen(lambda: producer)


class FakeMessage:
    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.topic, self.partition, self.offset = lambda: topic, lambda: partition, lambda: offset


def visit(**changes: Any) -> dict[str, Any]:
    good = {
        "event_type": "visit.opened",
        "event_id": "e1",
        "occurred_at": "2026-03-10T07:00:00+08:00",
        "psn_no": "P1",
        "mdtrt_id": "M1",
        "fixmedins_code": "H1",
        "fixmedins_type": "1",
    }
    return good | changes


def body(*records: Any) -> bytes:
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in records)


def letters(producer: FakeProducer) -> list[dict[str, Any]]:
    return [json.loads(value) for topic, _, value, _ in producer.records if topic == "xinmai.deadletter.v1"]


def take(*records: Any, sender: Sender = SENDER, edge: Edge = EDGE) -> tuple[FakeProducer, list[Any]]:
    producer = FakeProducer()
    return producer, Intake(pen(producer), edge).take(
        split_lines(body(*records)), sender, "canonical", "file:day.jsonl"
    )


def test_a_fact_goes_to_the_partition_of_its_persons_pseudonym():
    producer, results = take(visit())
    person = Pseudonyms(KEY).of("P1")
    ((topic, key, value, partition),) = producer.records
    assert (topic, key, partition) == ("xinmai.events.v1", person, partition_of(person, 4))
    fact = decode_fact(value)
    assert (fact.psn_no, fact.source) == (person, "token-7")
    assert results[0].wire() == {"line": 1, "event_id": "e1", "result": "accepted", "facts": 1}


STOCK = {
    "event_type": "stock.moved",
    "event_id": "S1",
    "occurred_at": "2026-03-10T08:00:00+08:00",
    "fixmedins_code": "P1",
    "movement": "sold",
    "med_list_codg": "X1",
    "cnt_x10000": 10_000,
}


def test_what_an_institution_tells_of_itself_goes_to_its_shard_of_the_other_log():
    producer, (result,) = take(STOCK, sender=Sender("p1", institutions={"P1"}))
    assert result.result == "accepted"
    ((topic, key, value, partition),) = producer.records
    assert (topic, key, partition) == (Topics().subjects, "P1", partition_of("P1", 3))
    assert b"psn_no" not in value


def test_a_sale_goes_to_the_shard_of_each_box_as_well():
    code = "81234560000000000001"
    producer, _ = take(STOCK | {"drug_trac_codg": [code, code]}, sender=Sender("p1", institutions={"P1"}))
    (_, (topic, _, value, partition)) = producer.records
    moved = decode_fact(value)
    assert (topic, partition) == (Topics().subjects, partition_of(code_shard_key(code), 3))
    assert (moved.event_type, moved.drug_trac_codg, moved.fixmedins_code) == ("code.moved", code, "P1")


def test_nobody_may_post_what_the_edge_derives():
    _, (result,) = take(STOCK | {"event_type": "code.moved", "drug_trac_codg": "81234560000000000001"})
    assert result.reason == "ENGINE_ONLY"


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"psn_no": "430502199001011234"}, "UNKNOWN_FIELD", "psn_no"),
        ({"fixmedins_code": ""}, "MISSING_FIELD", "fixmedins_code"),
        ({"cnt_x10000": None}, "MISSING_FIELD", "cnt_x10000"),
        ({"movement": "deleted"}, "MISSING_FIELD", "fixmedins_bchno"),
        ({"movement": "lost"}, "BAD_VALUE", "movement"),
        ({"fixmedins_code": "P2"}, "INSTITUTION_FORBIDDEN", "fixmedins_code"),
    ],
)
def test_a_movement_that_says_too_much_or_too_little_is_refused(changes, reason, field):
    _, (result,) = take(STOCK | changes, sender=Sender("p1", institutions={"P1"}))
    assert (result.result in ("refused", "forbidden"), result.reason, result.field) == (True, reason, field)


STATUS = {
    "event_type": "staff.status_changed",
    "event_id": "T1",
    "occurred_at": "2026-03-10T08:00:00+08:00",
    "dr_code": "D430501000001",
    "status": "suspended",
    "since": "2026-03-11T00:00:00+08:00",
    "document_no": "No1",
}
POINTS = {key: STATUS[key] for key in ("occurred_at", "dr_code", "document_no")} | {
    "event_type": "staff.points_determined",
    "event_id": "T2",
    "points": 3,
    "determined_at": "2026-03-09T00:00:00+08:00",
}


@pytest.mark.parametrize("word", [STATUS, POINTS])
def test_what_an_authority_says_of_a_doctor_goes_to_the_doctors_shard(word):
    producer, (result,) = take(word, sender=Sender("bureau", event_types_of(["authority"])))
    assert result.result == "accepted"
    ((topic, key, value, partition),) = producer.records
    assert (topic, key, partition) == (Topics().subjects, "D430501000001", partition_of("D430501000001", 3))
    assert b"psn_no" not in value


@pytest.mark.parametrize("role", ["hospital", "pharmacy", "bank", "audit", "person"])
def test_only_an_authority_may_say_it(role):
    _, (result,) = take(STATUS, sender=Sender("other", event_types_of([role])))
    assert (result.result, result.reason) == ("forbidden", "EVENT_TYPE_FORBIDDEN")


@pytest.mark.parametrize(
    ("word", "changes", "reason", "field"),
    [
        (STATUS, {"dr_code": ""}, "MISSING_FIELD", "dr_code"),
        (STATUS, {"psn_no": "P1"}, "UNKNOWN_FIELD", "psn_no"),
        (STATUS, {"status": "gone"}, "BAD_VALUE", "status"),
        (STATUS, {"until": "2026-03-11T00:00:00+08:00"}, "CONTRADICTION", "until"),
        (STATUS, {"since": "2026-03-11"}, "TIME_UNREADABLE", "since"),
        (STATUS, {"document_no": None}, "WRONG_TYPE", "document_no"),
        (POINTS, {"dr_code": ""}, "MISSING_FIELD", "dr_code"),
        (POINTS, {"points": 13}, "NUMBER_OUT_OF_RANGE", "points"),
        (POINTS, {"points": -1}, "NUMBER_NEGATIVE", "points"),
        (POINTS, {"points": 1.5}, "NUMBER_NOT_WHOLE", "points"),
        (POINTS, {"determined_at": None}, "WRONG_TYPE", "determined_at"),
    ],
)
def test_a_word_about_a_doctor_that_says_too_much_or_too_little_is_refused(word, changes, reason, field):
    _, (result,) = take(word | changes, sender=Sender("bureau", event_types_of(["authority"])))
    assert (result.reason, result.field) == (reason, field)


def test_one_bad_line_among_a_thousand_costs_no_other():
    records: list[Any] = [visit(event_id=f"e{n}", mdtrt_id=f"M{n}") for n in range(1000)]
    records.insert(500, b"{poison")
    producer, results = take(*records)
    assert [result.line for result in results if result.result != "accepted"] == [501]
    assert sum(topic == "xinmai.events.v1" for topic, *_ in producer.records) == 1000
    assert [letter["line"] for letter in letters(producer)] == [501]


def test_blank_lines_are_no_lines_but_count_as_numbers():
    _, results = take(visit(), b"", b"  ", visit(event_id="e2"))
    assert [result.line for result in results] == [1, 4]


def test_nothing_is_confirmed_before_kafka_has_acknowledged():
    class Silent(FakeProducer):
        def poll(self, timeout: float) -> int:
            return 0

    with pytest.raises(ConnectorError) as caught:
        Intake(pen(Silent()), EDGE, ack_within_s=0.01).take([(1, body(visit()))], SENDER, "canonical", "x")
    assert caught.value.retryable


def test_a_full_queue_is_waited_for():
    producer = FakeProducer(room=2)
    results = Intake(pen(producer), EDGE).take(
        split_lines(body(*[visit(event_id=f"e{n}") for n in range(9)])), SENDER, "canonical", "x"
    )
    assert len(results) == len(producer.records) == 9


def test_a_record_that_kafka_refuses_confirms_nothing():
    with pytest.raises(ConnectorError):
        Intake(pen(FakeProducer(refuses="xinmai.events.v1")), EDGE).take([(1, body(visit()))], SENDER, "canonical", "x")


def test_acknowledged_offsets_are_told_to_whoever_paces():
    told: list[tuple[str, int, int]] = []
    intake = Intake(pen(FakeProducer()), EDGE, delivered=lambda *where: told.append(where))
    intake.take([(1, body(visit()))], SENDER, "canonical", "x")
    assert told == [("xinmai.events.v1", partition_of(Pseudonyms(KEY).of("P1"), 4), 0)]


def test_bulk_waits_while_the_lanes_are_behind():
    backlog = iter([5_000, 2_000, 400])
    seen: list[int] = []

    def lag() -> int:
        seen.append(next(backlog))
        return seen[-1]

    Intake(pen(FakeProducer()), EDGE, lag=lag, backlog_max=500).wait_for_room()
    assert seen == [5_000, 2_000, 400]


def test_the_same_lines_sent_again_are_the_same_events():
    first, _ = take(visit())
    second, _ = take(visit())
    assert first.records == second.records


# --- who may send what -----------------------------------------------------------------------------------------------


PAID = {name: visit()[name] for name in ("event_id", "occurred_at", "psn_no", "mdtrt_id")} | {
    "event_type": "topup.received", "amount_fen": 500, "channel": "counter", "ref": "R1",
}  # fmt: skip
CURED = {name: visit()[name] for name in ("event_id", "occurred_at", "psn_no")} | {
    "event_type": "bank.cured", "agreement_no": "A", "bank_ref": "R",
}  # fmt: skip
SIGNED = {name: visit()[name] for name in ("event_id", "occurred_at", "psn_no")} | {
    "event_type": "agreement.signed", "agreement_no": "A", "bank_code": "B1", "funding_mode": "card_withhold",
    "services": ["visit_first"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "sender", "reason"),
    [
        (visit(event_type="timer.due"), SENDER, "ENGINE_ONLY"),
        (visit(), Sender("bank", allowed_types={"bank.repaid"}), "EVENT_TYPE_FORBIDDEN"),
        (visit(), Sender("h2", institutions={"H2"}), "INSTITUTION_FORBIDDEN"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_token_may_not_send_is_answered_so(record, sender, reason):
    _, (result,) = take(record, sender=sender)
    assert result.reason == reason


def test_a_reversal_in_another_institutions_envelope_is_forbidden():
    record = {
        "infno": "2208",
        "msgid": "X1",
        "inf_time": "2026-03-10 07:00:00",
        "fixmedins_code": "H2",
        "infcode": 0,
        "input": {"data": {"psn_no": "P1", "setl_id": "S1"}},
    }
    lines = [(1, json.dumps(record).encode())]
    (result,) = read_lines(EDGE, lines, Sender("h1", institutions={"H1"}), form="national", origin="x").results
    assert (result.result, result.reason) == ("forbidden", "INSTITUTION_FORBIDDEN")
    assert read_lines(EDGE, lines, Sender("h2", institutions={"H2"}), form="national", origin="x").results[0].facts == 1


def test_a_bank_cannot_sign_for_another_bank():
    _, (result,) = take(SIGNED, sender=Sender("b2", bank_code="B2"))
    assert (result.result, result.reason) == ("forbidden", "BANK_FORBIDDEN")
    assert take(SIGNED, sender=Sender("b1", bank_code="B1"))[1][0].result == "accepted"


ENDED = {name: visit()[name] for name in ("event_id", "occurred_at", "psn_no", "mdtrt_id")} | {
    "event_type": "visit.closed"
}
CHAIN = Sender("chain", institutions={"H1", "H2"})


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "MISSING_FIELD"),
        ({"x_fixmedins_code": "H3"}, "INSTITUTION_FORBIDDEN"),
        ({"x_fixmedins_code": ["H1"]}, "INSTITUTION_FORBIDDEN"),
        ({"x_fixmedins_code": {"H1": 1}}, "INSTITUTION_FORBIDDEN"),
    ],
)
def test_a_token_of_several_institutions_says_for_which_it_speaks(told, reason):
    producer, (result,) = take(ENDED | told, sender=CHAIN)
    assert (result.reason, len(producer.records)) == (reason, 1)  # the dead letter
    assert producer.records[0][0] == "xinmai.deadletter.v1"


@pytest.mark.parametrize("code", ["H3", {"H1": 1}, ["H1"], 7])
def test_a_national_envelope_that_names_nobody_of_the_token_is_forbidden(code):
    line = json.dumps(
        {"infno": "2405", "msgid": "M1", "inf_time": "2026-03-10 07:00:00", "infcode": 0, "fixmedins_code": code,
         "input": {"data": {"psn_no": "P1", "mdtrt_id": "V1"}}, "output": {}}
    ).encode()  # fmt: skip
    (result,) = read_lines(EDGE, [(1, line)], CHAIN, form="national", origin="x").results
    assert result.result != "accepted"


@pytest.mark.parametrize(
    ("sender", "record", "source"),
    [
        (Sender("h1", institutions={"H1"}), visit(), "institution:H1/h1"),
        (Sender("chain", institutions={"H1", "H2"}), visit(), "institution:H1/chain"),
        (Sender("chain", institutions={"H1", "H2"}), ENDED | {"x_fixmedins_code": "H2"}, "institution:H2/chain"),
        (Sender("h1", institutions={"H1"}), ENDED, "institution:H1/h1"),
        (Sender("b1", bank_code="B1"), CURED, "bank:B1/b1"),
        (SENDER, CURED, "token-7"),
    ],
    ids=["one institution", "several", "several, told", "one, not told", "a bank", "bound to nothing"],
)
def test_a_fact_says_whose_token_sent_it(sender, record, source):
    producer, _ = take(record, sender=sender)
    assert decode_fact(producer.records[0][2]).source == source


def test_a_payment_at_the_counter_is_stamped_with_the_only_institution_of_its_token():
    producer, _ = take(PAID, sender=Sender("h1", institutions={"H1"}))
    fact = decode_fact(producer.records[0][2])
    assert isinstance(fact, TopupReceived)
    assert fact.fixmedins_code == "H1"


# --- dead letters ----------------------------------------------------------------------------------------------------

SECRETS = ("张三", "430502199001011234", "13800000000", "某路1号")


def test_a_dead_letter_says_where_the_line_is_and_carries_no_personal_data():
    record = visit(psn_no="430502199001011234", psn_name="张三", tel="13800000000", mdtrt_id="张三", addr="某路1号")
    producer, _ = take(visit(), json.dumps(record, ensure_ascii=False).encode())
    ((topic, key, value, _),) = producer.records[1:]
    letter = json.loads(value)
    assert (topic, key) == ("xinmai.deadletter.v1", "file:day.jsonl")
    assert (letter["reason"], letter["origin"], letter["line"], letter["source"]) == (
        *("UNKNOWN_FIELD", "file:day.jsonl", 2, "token-7"),
    )
    assert letter["psn_no"] == Pseudonyms(KEY).of("430502199001011234")
    assert len(letter["sha256"]) == 64
    mdtrt_carried = letter.get("event", {}).pop("mdtrt_id", None)  # a schema field of a valid fact is carried as it is
    written = json.dumps(letter, ensure_ascii=False)
    assert mdtrt_carried == "张三"
    assert not any(secret in written for secret in SECRETS)


def test_a_certificate_number_under_a_good_name_stays_outside():
    producer, _ = take(visit(event_type="visit.imagined", mdtrt_id="11010519491231002X", setl_id="S1"))
    (letter,) = letters(producer)
    assert letter["setl_id"] == "S1"
    assert "11010519491231002X" not in json.dumps(letter)


def test_a_national_message_leaves_identifiers_only():
    record = {
        "infno": "2207",
        "msgid": "X1",
        "inf_time": "2026-03-10 07:00:00",
        "fixmedins_code": "H1",
        "infcode": 0,
        "input": {"data": {"psn_no": "430502199001011234", "mdtrt_id": "M1"}},
        "output": {
            "setlinfo": {"setl_id": "S1", "psn_name": "张三", "certno": "430502199001011234", "medfee_sumamt": "1.005"}
        },
    }
    taken = read_lines(
        EDGE, [(1, json.dumps(record, ensure_ascii=False).encode())], SENDER, form="national", origin="http:token-7"
    )
    (written,) = [each.value.decode() for each in taken.records]
    letter = json.loads(written)
    assert (letter["infno"], letter["msgid"], letter["setl_id"], letter["can_retry"]) == ("2207", "X1", "S1", False)
    assert not any(secret in written for secret in SECRETS)


def test_valid_canonical_json_is_carried_so_that_it_can_be_retried():
    producer, _ = take(visit(occurred_at="2026-03-10T09:00:00+08:00"), visit(ward="7B"))
    early, unknown = letters(producer)
    assert (early["reason"], early["can_retry"], early["event"]["mdtrt_id"]) == ("TIME_IN_FUTURE", True, "M1")
    assert (unknown["reason"], unknown["can_retry"], "ward" in unknown["event"]) == ("UNKNOWN_FIELD", True, False)


def test_what_was_forbidden_is_never_retried_with_somebody_elses_rights():
    producer, _ = take(visit(), sender=Sender("bank", allowed_types={"bank.repaid"}))
    (letter,) = letters(producer)
    assert not letter["can_retry"]
    assert "event" not in letter


@pytest.mark.parametrize(
    ("sender", "record"),
    [
        (Sender("h1", institutions={"H1"}), visit()),
        (Sender("h1", institutions={"H1"}), PAID),
        (Sender("chain", institutions={"H1", "H2"}), PAID | {"x_fixmedins_code": "H2"}),
        (Sender("b1", bank_code="B1"), CURED),
        (Sender("b1", bank_code="B1"), SIGNED),
        (SENDER, CURED),
    ],
    ids=["a visit", "a payment", "a payment, told", "a bank", "an agreement", "bound to nothing"],
)
@pytest.mark.parametrize(
    "fault", [{"note": "x"}, {"occurred_at": "2026-03-10T09:00:00+08:00"}], ids=["unknown", "early"]
)
def test_what_a_letter_keeps_for_a_retry_is_bound_to_its_sender_as_in_the_log(sender, record, fault):
    sent, _ = take(record, sender=sender)
    producer, _ = take(record | fault, sender=sender)
    (letter,) = letters(producer)
    assert letter["can_retry"]
    at = {"occurred_at": letter["event"]["occurred_at"]}
    assert letter["event"] == json.loads(sent.records[0][2]) | at


@pytest.mark.parametrize(
    ("sender", "record"),
    [
        (Sender("h1", institutions={"H1"}), visit(fixmedins_code="H2")),
        (Sender("h1", institutions={"H1"}), ENDED | {"x_fixmedins_code": "H2"}),
        (Sender("chain", institutions={"H1", "H2"}), PAID),
        (Sender("b2", bank_code="B2"), SIGNED),
        (Sender("b2", bank_code="B2", allowed_types={"bank.repaid"}), SIGNED),
    ],
    ids=["another's visit", "told another's", "of two, not told", "another bank's", "a type not its own"],
)
def test_a_line_refused_for_its_form_is_not_kept_for_a_retry_where_its_sender_may_not_say_it(sender, record):
    producer, _ = take(record | {"note": "x"}, sender=sender)
    (letter,) = letters(producer)
    assert not letter["can_retry"]
    assert "event" not in letter


def test_a_line_refused_twice_is_one_letter():
    first, _ = take(b"{poison")
    again, _ = take(b"{poison")
    assert letters(first)[0]["deadletter_id"] == letters(again)[0]["deadletter_id"]
