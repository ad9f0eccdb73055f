"""A token moves its own money only: whose order, settlement or visit a fact names, the fold knows."""

import json
from itertools import count

import pytest
from msgspec.structs import replace

from connectors.canonical_line import check_record
from connectors.codec import encode_fact
from risk import facts
from risk.activity import COUNTED, SILENCED, visit_of
from risk.care import unpacked
from risk.local_time import DAY_MS, local_day, to_datetime
from risk.moment import Moment
from risk.person_fold import Person, apply
from risk.senders import bound_source, speaks_for
from tests.risk.credit_life import HOSPITAL, PERSON, Told, at, shaoyang

OTHER = "H43050200002"
VISIT = {"mdtrt_id": "M1", "fixmedins_code": HOSPITAL}


class Folded:
    """A person under the whole fold."""

    def __init__(self):
        self.person, self.now_ms, self.results = Person(), at("2024-03-01"), []
        self._numbers = count(1)

    def tell(self, kind, source="operator", event_id="", **fields):
        self.now_ms += 1_000
        number = next(self._numbers)
        fact = kind(
            event_id=event_id or f"e{number}",
            occurred_at=to_datetime(self.now_ms),
            psn_no=PERSON,
            source=source,
            **fields,
        )
        policy = shaoyang()
        terms = policy.on(local_day(self.now_ms))
        done = apply(
            self.person,
            fact,
            Moment(f"p0@{number}", fact.event_id, *(self.now_ms,) * 3, policy, terms, local_day(self.now_ms)),
        )
        self.person = done.person
        self.fact, self.result = fact, done.result
        return Told(done.said)

    def settled(self, mode="credit_line", setl_id="S1", **changes):
        """Signed with B, then 800 yuan on credit at HOSPITAL."""
        self.tell(facts.InsuredStatusChanged, status="normal")
        self.tell(facts.CommitmentSigned, commitment_no="C1", version="1", channel="app")
        self.tell(facts.CreditLevelSet, level="B", decided_by="医保局")
        signed = {"bank_line_fen": 400_000} if mode == "credit_line" else {}
        self.tell(
            facts.AgreementSigned,
            agreement_no="A",
            bank_code="B",
            funding_mode=mode,
            services=("visit_first",),
            **signed,
        )
        self.tell(facts.VisitOpened, fixmedins_type="1", med_type="11", insutype="310", **VISIT)
        self.tell(
            facts.AuthorizationRequested, authorization_id="A1", service="visit_first", med_type="11",
            amount_fen=80_000, attempt="t", reply_to="api", event_id=f"auth:{HOSPITAL}:A1", **VISIT,
        )  # fmt: skip
        return self.settle(setl_id, **changes)

    def settle(self, setl_id="S1", cash_fen=80_000, source="operator", **changes):
        return self.tell(
            facts.SettlementCompleted, source, setl_id=setl_id, authorization_id="A1", fixmedins_type="1",
            med_type="11", medfee_sumamt_fen=cash_fen, fund_pay_sumamt_fen=0, psn_part_amt_fen=cash_fen,
            acct_pay_fen=0, psn_cash_pay_fen=cash_fen, **VISIT | changes,
        )  # fmt: skip

    def capture(self, setl_id, cash_fen):
        return self.tell(
            facts.AuthorizationCaptureRequested, authorization_id="A1", fixmedins_code=HOSPITAL, setl_id=setl_id,
            psn_cash_pay_fen=cash_fen, request_id=setl_id, attempt=setl_id, reply_to="api",
            event_id=f"auth:{HOSPITAL}:A1:{setl_id}",
        ).reply  # fmt: skip

    def assert_refused(self, before, told):
        (letter,) = told.on("deadletter")
        assert (self.result, self.person, letter["reason"]) == ("refused", before, "SENDER_FORBIDDEN")
        assert "event" not in letter


def test_a_bank_cannot_answer_the_order_of_another_bank_nor_take_the_place_of_its_answer():
    folded = Folded()
    (order,) = folded.settled().orders
    answer = {"order_id": order["order_id"], "attempt": 1, "result": "settled", "amount_fen": 80_000}
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.BankOrderResult, bound_source("bank", "A", "token"), **answer))
    folded.tell(facts.BankOrderResult, "bank:B", **answer)
    assert folded.result == "applied"
    assert folded.person.credit.orders[0].state == "settled"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (facts.BankRepaid, {"bank_ref": "r", "amount_fen": 80_000}),
        (facts.BankCured, {"bank_ref": "r"}),
        (facts.BankOverdue, {"bank_ref": "r"}),
        (facts.AgreementTerminated, {}),
        (facts.AgreementSigned, {"bank_code": "A", "funding_mode": "card_withhold", "services": ("visit_first",)}),
    ],
    ids=lambda value: getattr(value, "event_type", ""),
)
def test_a_bank_cannot_speak_of_the_agreement_of_another_bank(kind, fields):
    folded = Folded()
    folded.settled()
    before = folded.person
    folded.assert_refused(before, folded.tell(kind, "bank:A/token", agreement_no="A", **fields))
    for source in ("bank:B/token", "operator"):
        folded.tell(kind, source, agreement_no="A", **fields | ({"bank_ref": source} if "bank_ref" in fields else {}))
        assert folded.result == "applied"


def test_a_hospital_cannot_reverse_the_settlement_of_another():
    folded = Folded()
    folded.settled()
    before = folded.person
    source = bound_source("institution", OTHER, "token")
    folded.assert_refused(before, folded.tell(facts.SettlementReversed, source, setl_id="S1"))
    told = folded.tell(facts.SettlementReversed, bound_source("institution", HOSPITAL, "token"), setl_id="S1")
    assert (folded.result, told.decisions[0]["decision"]) == ("applied", "release")
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.SettlementReinstated, source, setl_id="S1"))


def test_a_hospital_cannot_settle_what_another_captured():
    folded = Folded()
    folded.settled(setl_id="S0")
    folded.tell(facts.SettlementReversed, setl_id="S0")
    assert folded.capture("S1", 50_000)["captured_fen"] == 50_000
    before = folded.person
    source = bound_source("institution", OTHER, "token")
    folded.assert_refused(before, folded.settle("S1", 1, source, fixmedins_code=OTHER))


def test_a_hospital_can_neither_end_nor_pay_for_the_visit_of_another():
    folded = Folded()
    folded.settled("card_withhold")
    before, source = folded.person, bound_source("institution", OTHER, "token")
    folded.assert_refused(before, folded.tell(facts.VisitClosed, source, mdtrt_id="M1"))
    assert not visit_of(folded.person.activity, "M1").ended_ms
    pay = {"mdtrt_id": "M1", "amount_fen": 80_000, "channel": "counter"}
    folded.tell(facts.TopupReceived, source, ref="1", fixmedins_code=OTHER, **pay)
    assert folded.person.credit == before.credit
    folded.tell(facts.TopupReceived, f"institution:{HOSPITAL}/t", ref="1", fixmedins_code=HOSPITAL, **pay)
    assert folded.person.credit.obligations[0].paid_fen == 80_000


MINE, THEIRS = bound_source("institution", HOSPITAL, "token"), bound_source("institution", OTHER, "token")


def letters_of(told):
    return [(each["reason"], each["source"], each["event_type"]) for each in told.on("deadletter")]


@pytest.mark.parametrize("name", [{"setl_id": "S1"}, {"medins_setl_id": "N1"}], ids=["setl_id", "message"])
def test_what_another_reversed_before_it_came_stands_and_the_other_is_told(name):
    folded = Folded()
    folded.tell(facts.SettlementReversed, THEIRS, **name)
    assert folded.result == "waiting"
    told = folded.settled(medins_setl_id="N1")
    assert letters_of(told) == [("SENDER_FORBIDDEN", THEIRS, "settlement.reversed")]
    assert told.decisions[0]["decision"] == "withhold"
    assert folded.person.activity.tombstones == ()
    assert dict(folded.person.activity.years) == {2024: 0}


def test_each_institution_waits_for_its_own_settlement_and_an_operator_for_any():
    for sources, is_undone in (((THEIRS, MINE), True), ((MINE, THEIRS), True), ((THEIRS, "operator"), True),
                               ((THEIRS, THEIRS), False)):  # fmt: skip
        folded = Folded()
        for source in sources:
            folded.tell(facts.SettlementReversed, source, setl_id="S1")
        told = folded.settled()
        assert [row.state for row in folded.person.activity.rows] == [SILENCED if is_undone else COUNTED]
        assert len(letters_of(told)) == 1
    folded = Folded()
    for source, result in (("operator", "waiting"), (THEIRS, "duplicate"), (MINE, "duplicate")):
        folded.tell(facts.SettlementReversed, source, setl_id="S1")
        assert folded.result == result


@pytest.mark.parametrize("by", [{"setl_id": "S1"}, {"original_msgid": "R1"}], ids=["bill", "reversal's message"])
@pytest.mark.parametrize("undone_by", [MINE, "operator"])
def test_another_cannot_take_back_a_reversal_that_waits(undone_by, by):
    folded = Folded()
    folded.tell(facts.SettlementReversed, undone_by, "2208:R1:0", setl_id="S1")
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.SettlementReinstated, THEIRS, **by))
    told = folded.settled()
    assert ([row.state for row in folded.person.activity.rows], told.decisions) == ([SILENCED], [])


def test_who_may_take_back_a_reversal_that_waits():
    for undone_by, source, is_counted in ((MINE, f"institution:{HOSPITAL}/x", True), (MINE, "operator", True),
                                          (MINE, MINE, True), ("operator", "operator", True),
                                          ("operator", MINE, False)):  # fmt: skip
        folded = Folded()
        folded.tell(facts.SettlementReversed, undone_by, setl_id="S1")
        told = folded.tell(facts.SettlementReinstated, source, setl_id="S1")
        assert bool(letters_of(told)) is not is_counted, "whose it is, nobody knows yet: its sender is told"
        folded.settled()
        assert [row.state for row in folded.person.activity.rows] == [COUNTED if is_counted else SILENCED]


def test_of_what_it_captured_an_institution_takes_back_anybodys_reversal():
    folded = Folded()
    folded.settled(setl_id="S0")
    folded.tell(facts.SettlementReversed, setl_id="S0")
    folded.capture("S1", 50_000)
    folded.tell(facts.SettlementReversed, "operator", setl_id="S1")
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.SettlementReinstated, THEIRS, setl_id="S1"))
    folded.tell(facts.SettlementReinstated, MINE, setl_id="S1")
    assert folded.person.credit.obligations[-1].claim_fen == 50_000
    assert folded.person.activity.tombstones == ()


def test_a_reversal_of_another_that_waits_keeps_nobody_from_capturing():
    folded = Folded()
    folded.settled(setl_id="S0")
    folded.tell(facts.SettlementReversed, setl_id="S0")
    folded.tell(facts.SettlementReversed, THEIRS, setl_id="S1")
    assert folded.capture("S1", 50_000)["captured_fen"] == 50_000


def test_the_line_of_a_pharmacy_stays_though_another_undid_its_bill_before_it_came():
    folded = Folded()
    folded.tell(facts.SettlementReversed, THEIRS, setl_id="S1")
    shop = {"mdtrt_id": "M1", "fixmedins_code": "P1"}
    folded.tell(facts.VisitOpened, fixmedins_type="2", med_type="41", **shop)
    line = {"feedetl_sn": "1", "chrg_bchno": "S1", "med_list_codg": "X", "cnt_x10000": 10_000, "amount_fen": 1}
    before = folded.person.activity.care
    folded.tell(facts.FeeAdded, **shop, **line)
    assert folded.person.activity.care != before


@pytest.mark.parametrize("days", [1, 150, 390], ids=["with its row", "its row gone", "long gone"])
def test_a_hospital_cannot_reverse_the_settlement_of_another_however_old_it_is(days):
    folded = Folded()
    folded.settled()
    folded.now_ms += days * DAY_MS
    folded.settle("S2")  # the day turns, and what is old is forgotten
    assert len(folded.person.activity.rows) == 1 + (days == 1)
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.SettlementReversed, THEIRS, setl_id="S1"))
    folded.tell(facts.SettlementReversed, MINE, setl_id="S1")
    assert folded.result == "applied"


EARLY = {
    "closed": (facts.VisitClosed, {}),
    "cancelled": (facts.VisitCancelled, {}),
    "a line": (
        facts.FeeAdded,
        {"fixmedins_code": OTHER, "feedetl_sn": "F5", "med_list_codg": "X", "cnt_x10000": 1, "amount_fen": 1},
    ),
}
OPENED = {"fixmedins_type": "1", "med_type": "11", "insutype": "310"}


@pytest.mark.parametrize("kind", EARLY)
@pytest.mark.parametrize("source", [MINE, "operator"], ids=["by its own token", "by an operator"])
def test_a_visit_that_another_told_of_before_it_was_opened_begins_anew(kind, source):
    folded, (told_by, fields) = Folded(), EARLY[kind]
    folded.tell(told_by, THEIRS, mdtrt_id="M1", **fields)
    told = folded.tell(facts.VisitOpened, source, **OPENED, **VISIT)
    assert letters_of(told) == [("SENDER_FORBIDDEN", THEIRS, told_by.event_type)]
    alone = Folded()
    alone.now_ms += 1_000
    alone.tell(facts.VisitOpened, source, event_id="e2", **OPENED, **VISIT)
    assert folded.person.activity.visits == alone.person.activity.visits


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
@pytest.mark.parametrize("then", ["a line", "billed", "asked for credit"])
def test_whoever_names_his_code_knows_nothing_of_how_another_ended_his_visit(kind, then):
    told_by, _ = EARLY[kind]
    folded = Folded()
    folded.tell(told_by, THEIRS, mdtrt_id="M1")
    if then == "a line":
        told = folded.tell(facts.FeeAdded, MINE, **EARLY["a line"][1] | VISIT)
    elif then == "billed":
        told = folded.settle(credit_fen=0, source=MINE)
    else:
        told = folded.tell(
            facts.AuthorizationRequested, authorization_id="A1", service="visit_first", med_type="11",
            amount_fen=80_000, attempt="t", reply_to="api", **VISIT,
        )  # fmt: skip
    assert letters_of(told) == [("SENDER_FORBIDDEN", THEIRS, told_by.event_type)]
    assert [(each.fixmedins_code, each.ended_ms) for each in folded.person.activity.visits] == (
        [(HOSPITAL, 0)] if then == "a line" else []
    )


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
@pytest.mark.parametrize("then", ["a line", "billed", "asked for credit"])
def test_whose_hold_stands_under_its_number_has_ended_its_own_visit(kind, then):
    folded = Folded()
    folded.settled("card_withhold")
    bare = replace(folded.person.activity, visits=())  # never registered
    folded.person = replace(folded.person, activity=bare)
    folded.tell(EARLY[kind][0], MINE, mdtrt_id="M1")
    before = folded.person
    assert before.activity.visits[0].ended_ms
    named = {"mdtrt_id": "M1", "fixmedins_code": OTHER}
    if then == "a line":
        folded.assert_refused(before, folded.tell(facts.FeeAdded, THEIRS, **EARLY["a line"][1] | named))
        return
    if then == "billed":
        told = folded.settle("S2", credit_fen=0, source=THEIRS, fixmedins_code=OTHER)
    else:
        told = folded.tell(
            facts.AuthorizationRequested, authorization_id="A2", service="visit_first", med_type="11",
            amount_fen=80_000, attempt="t", reply_to="api", **named,
        )  # fmt: skip
    assert letters_of(told) == []
    assert [(each.fixmedins_code, each.ended_ms > 0) for each in folded.person.activity.visits] == [(HOSPITAL, True)]


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
def test_a_record_that_is_refused_takes_nobodys_end_back(kind):
    folded, line = Folded(), EARLY["a line"][1] | {"mdtrt_id": "M1"}
    folded.settle(source=MINE, credit_fen=0)
    folded.tell(EARLY[kind][0], MINE, mdtrt_id="M1")
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.FeeAdded, THEIRS, **line))


def test_the_lines_that_came_first_are_those_of_the_visit_until_it_is_opened():
    folded, (kind, fields) = Folded(), EARLY["a line"]
    line = fields | {"mdtrt_id": "M1"}
    folded.tell(kind, MINE, **line | VISIT)
    before = folded.person
    folded.assert_refused(before, folded.tell(kind, THEIRS, **line | {"feedetl_sn": "F6"}))
    folded.settle(source=THEIRS, fixmedins_code=OTHER, credit_fen=0)
    folded.tell(kind, MINE, **line | VISIT)
    assert folded.result == "duplicate"


def test_an_early_end_of_ones_own_visit_stands():
    folded = Folded()
    folded.tell(facts.VisitClosed, MINE, mdtrt_id="M1")
    told = folded.tell(facts.VisitOpened, bound_source("institution", HOSPITAL, "another token"), **OPENED, **VISIT)
    (visit,) = folded.person.activity.visits
    assert (letters_of(told), bool(visit.ended_ms), visit.early) == ([], True, None)


@pytest.mark.parametrize("named", ["opened", "a line", "estimated"])
def test_a_code_of_ones_own_opens_nothing_for_the_visit_of_another(named):
    folded = Folded()
    folded.tell(facts.VisitOpened, MINE, **OPENED, **VISIT)
    shares = ("fund_pay_sumamt_fen", "psn_part_amt_fen", "acct_pay_fen", "psn_cash_pay_fen")
    amounts = dict.fromkeys(("medfee_sumamt_fen", *shares), 0)
    kind, fields = {
        "opened": (facts.VisitOpened, {**OPENED, "emergency": True, "insuplc_admdvs": "440100"}),
        "a line": EARLY["a line"],
        "estimated": (facts.SettlementEstimated, amounts),
    }[named]
    before = folded.person
    folded.assert_refused(before, folded.tell(kind, THEIRS, **fields | {"mdtrt_id": "M1", "fixmedins_code": OTHER}))
    folded.tell(kind, MINE, **fields | VISIT)
    assert folded.result == "applied"


@pytest.mark.parametrize("kind", EARLY)
def test_a_visit_that_nobody_opened_is_whose_hold_and_bill_stand_under_its_number(kind):
    told_by, fields = EARLY[kind]
    folded = Folded()
    folded.settled()
    bare = replace(folded.person.activity, visits=())  # forgotten, or never registered
    paid = folded.person.credit
    assert paid is not None
    for activity, credit in ((bare, None), (replace(bare, rows=()), paid)):
        folded.person = before = replace(folded.person, activity=activity, credit=credit)
        folded.assert_refused(before, folded.tell(told_by, THEIRS, mdtrt_id="M1", **fields))
    folded.tell(told_by, MINE, **{"mdtrt_id": "M1", **fields} | ({"fixmedins_code": HOSPITAL} if fields else {}))
    assert folded.result == "applied"


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
def test_what_was_paid_early_waits_though_another_ends_the_visit(kind):
    folded = Folded()
    folded.settled()
    folded.tell(
        facts.AuthorizationRequested, authorization_id="A2", service="visit_first", med_type="11",
        amount_fen=900_000, attempt="t2", reply_to="api", event_id=f"auth:{HOSPITAL}:A2",
        **VISIT | {"mdtrt_id": "M2"},
    )  # fmt: skip
    pay = {"mdtrt_id": "M2", "amount_fen": 30_000, "channel": "counter", "ref": "1", "fixmedins_code": HOSPITAL}
    folded.tell(facts.TopupReceived, MINE, **pay)
    folded.tell(
        facts.AuthorizationReleaseRequested, authorization_id="A2", fixmedins_code=HOSPITAL, request_id="R",
        attempt="t3", reply_to="api",
    )  # fmt: skip
    before = folded.person
    assert before.credit.authorizations == ()
    assert [want.topped_up_fen for want in before.credit.wants] == [30_000]
    folded.assert_refused(before, folded.tell(EARLY[kind][0], THEIRS, mdtrt_id="M2"))
    told = folded.tell(facts.VisitCancelled, MINE, mdtrt_id="M2")
    assert [each["surplus_fen"] for each in told.decisions] == [30_000]


def test_the_lines_of_a_forgotten_visit_are_taken_back_by_their_own_institution_only():
    folded = Folded()
    line = {"med_list_codg": "X", "cnt_x10000": 10_000, "amount_fen": 1, "feedetl_sn": "1"}
    folded.tell(facts.VisitOpened, MINE, **OPENED, **VISIT)
    folded.tell(facts.FeeAdded, MINE, **VISIT, **line)
    folded.person = before = replace(folded.person, activity=replace(folded.person.activity, visits=()))
    assert unpacked(before.activity.care).messages
    folded.assert_refused(before, folded.tell(facts.FeeReversed, THEIRS, mdtrt_id="M1", feedetl_sn="1"))
    folded.settle(source=THEIRS, fixmedins_code=OTHER, credit_fen=0)  # a bill of its own makes it nobody's
    before = folded.person
    folded.assert_refused(before, folded.tell(facts.FeeReversed, THEIRS, mdtrt_id="M1", all_unsettled=True))
    folded.tell(facts.FeeReversed, MINE, mdtrt_id="M1", feedetl_sn="1")
    assert not unpacked(folded.person.activity.care).messages


def test_nobody_opens_a_visit_under_whose_number_another_holds_money():
    folded = Folded()
    folded.settled()
    folded.person = before = replace(folded.person, activity=replace(folded.person.activity, visits=()))
    told = folded.tell(facts.VisitOpened, THEIRS, **OPENED | {"mdtrt_id": "M1", "fixmedins_code": OTHER})
    folded.assert_refused(before, told)
    folded.tell(facts.VisitOpened, MINE, **OPENED, **VISIT)
    assert folded.result == "applied"


def test_who_only_billed_a_visit_keeps_nobody_from_opening_it():
    folded = Folded()
    folded.settle(source=THEIRS, fixmedins_code=OTHER, credit_fen=0)
    folded.tell(facts.VisitOpened, MINE, **OPENED, **VISIT)
    assert folded.result == "applied"


def test_a_code_that_begins_like_another_is_another():
    assert not speaks_for("bank:ABC/token", "bank", "AB")
    assert not speaks_for("bank:AB/token", "bank", "ABC")
    assert speaks_for("institution:AB/token", "bank", "ABC")


@pytest.mark.parametrize("comes_first", [True, False], ids=["reversed", "reversed before it came"])
def test_what_is_reversed_cannot_be_captured_any_more(comes_first):
    folded = Folded()
    folded.settled(setl_id="S0")
    folded.tell(facts.SettlementReversed, setl_id="S0")  # the hold is open again
    if comes_first:
        folded.settle("S1", 10_000, credit_fen=0)
    folded.tell(facts.SettlementReversed, setl_id="S1")
    told = folded.capture("S1", 10_000)
    assert (told["status"], told["code"], told["field"]) == (409, "REVERSED", "setl_id")
    assert folded.capture("S2", 10_000)["captured_fen"] == 10_000


def test_what_conflicts_is_kept_as_canonical_json_that_can_be_retried():
    folded = Folded()
    folded.settled()
    (letter,) = folded.settle(cash_fen=81_000).on("deadletter")
    assert letter["event"] == json.loads(encode_fact(folded.fact)), "as it was told, not as the visit filled it"
    assert check_record(letter["event"], source=letter["source"], now_ms=None) == folded.fact
    pay = {"mdtrt_id": "M1", "channel": "counter", "fixmedins_code": HOSPITAL, "ref": "1"}
    folded.tell(facts.TopupReceived, amount_fen=1, **pay)
    (letter,) = folded.tell(facts.TopupReceived, amount_fen=2, **pay).on("deadletter")
    assert (folded.result, letter["reason"], letter["can_retry"]) == ("conflict", "CONFLICT", True)
    assert letter["event"] == json.loads(encode_fact(folded.fact))
    assert letter["source"] == "operator"
