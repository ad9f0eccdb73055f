"""A record whose rule raises leaves the shard as it was: the commit before it and the one after knew nothing of it."""

from collections.abc import Callable

import pytest

from connectors.codec import encode_fact
from risk import person_fold
from risk.facts import AgreementSigned, CommitmentSigned, Fact, FeeAdded, SettlementCompleted, VisitOpened
from risk.local_time import to_datetime
from streams import person_shard
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

START_MS = 1_772_323_200_000
CODE = "H43050200001"


def log() -> list[Fact]:
    """A visit with a line and its bill, and an agreement: what touches activity, care and credit."""
    common = {"psn_no": "P1", "mdtrt_id": "V1", "fixmedins_code": CODE}
    at = [to_datetime(START_MS + minute * 60_000) for minute in range(6)]
    return [
        VisitOpened(event_id="e0", occurred_at=at[0], fixmedins_type="1", med_type="11", **common),
        FeeAdded(event_id="e1", occurred_at=at[1], feedetl_sn="1", med_list_codg="XA01", cnt_x10000=10_000,
                 amount_fen=900, prd_days=7, **common),
        CommitmentSigned(event_id="e2", occurred_at=at[2], psn_no="P1", commitment_no="C", version="1", channel="web"),
        AgreementSigned(event_id="e3", occurred_at=at[3], psn_no="P1", agreement_no="A", bank_code="B",
                        funding_mode="card_withhold", services=["visit_first"]),
        SettlementCompleted(event_id="e4", occurred_at=at[4], setl_id="S1", fixmedins_type="1", med_type="11",
                            medfee_sumamt_fen=900, fund_pay_sumamt_fen=400, psn_part_amt_fen=500, acct_pay_fen=0,
                            psn_cash_pay_fen=500, **common),
    ]  # fmt: skip


def once(real: Callable[..., object], victim: str, seen: list[str]) -> Callable[..., object]:
    """The same function, but its first call about the victim is a bug."""

    def broken(*arguments: object, **named: object) -> object:
        if not seen and any(getattr(each, "event_id", "") == victim for each in arguments):
            seen.append(victim)
            raise ZeroDivisionError("a rule with a bug")
        return real(*arguments, **named)

    return broken


@pytest.mark.parametrize(
    ("module", "name", "victim"),
    [
        (person_fold, "cared", "e0"),
        (person_fold, "cared", "e1"),
        (person_shard, "apply", "e1"),
        (person_shard, "apply", "e3"),
        (person_shard, "apply", "e4"),
    ],
)
def test_it_is_as_if_the_record_had_not_been_tried(
    module: object, name: str, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = log()
    undisturbed = Engine(Parameters(), files=shaoyang_files())
    undisturbed.fold(facts)
    engine, seen = Engine(Parameters(), files=shaoyang_files()), []
    monkeypatch.setattr(module, name, once(getattr(module, name), victim, seen))
    for fact in facts:
        try:
            engine.fold([fact])
        except ZeroDivisionError:
            engine.offsets -= 1
            engine.commit()  # what was decided before it is committed
            engine.fold([fact])
    assert seen == [victim]
    assert engine.stored() == undisturbed.stored()
    assert engine.outputs == undisturbed.outputs


def test_the_log_touches_what_it_should() -> None:
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(log())
    kinds = {key.split(":")[2] for (key, _) in engine.stored()[0]}
    assert {"a", "c"} <= kinds, encode_fact(log()[0])
