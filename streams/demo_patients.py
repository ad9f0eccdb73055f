"""Three people at the counter, scripted: one pays on credit, one is not signed, one goes over the limit."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.codec import encode_fact
from risk.facts import Fact, SettlementCompleted, SettlementEstimated, VisitOpened
from risk.local_time import to_ms
from streams.city.canonical import signed_up
from streams.city.traffic import Engine
from streams.city.world import signed_person

Tell = Callable[[str, dict[str, Any]], None]


class Patient:
    """One scripted person and the calls that the counter makes for him."""

    def __init__(self, engine: Engine, tell: Tell, *, run: str, number: int, institution: str) -> None:
        self._engine = engine
        self._tell = tell
        self._institution = institution
        self._visits = 0
        self.psn_no = f"4305demo{run}{number:02d}"

    def signs(self, bank_line_fen: int) -> None:
        """Status, commitment, level A, and a credit line: the bank pays the hospital at once."""
        person = signed_person(self.psn_no, funding_mode="credit_line", bank_line_fen=bank_line_fen)
        self._post(signed_up(person, _now_ms() - 60_000))

    def visits(self, cash_fen: int) -> dict[str, Any]:
        """Registers, gets an estimate, asks for credit at the counter; the API's answer."""
        self._visits += 1
        mdtrt_id = f"{self.psn_no}v{self._visits}"
        common: dict[str, Any] = {"psn_no": self.psn_no, "mdtrt_id": mdtrt_id, "fixmedins_code": self._institution}
        at = datetime.now(UTC)
        opened = VisitOpened(
            event_id=f"2201:{mdtrt_id}:0",
            occurred_at=at - timedelta(seconds=2),
            fixmedins_type="1",
            med_type="11",
            insutype="390",
            insuplc_admdvs="430502",
            dr_code="D430502000001",
            **common,
        )
        estimated = SettlementEstimated(event_id=f"2206:{mdtrt_id}:0", occurred_at=at, **common, **_amounts(cash_fen))
        self._post([opened, estimated])
        body = {**common, "authorization_id": f"A{mdtrt_id}", "service": "visit_first", "med_type": "11"}
        answer = self._engine.authorize(body | {"amount_fen": cash_fen})
        self._tell("authorization", {"authorization_id": f"A{mdtrt_id}", "psn_no": self.psn_no, **answer})
        return answer

    def settles(self, cash_fen: int) -> str:
        """The bill of the last visit, paid on the authorization; the settlement's event id."""
        mdtrt_id = f"{self.psn_no}v{self._visits}"
        settled = SettlementCompleted(
            event_id=f"2207:{mdtrt_id}:0",
            occurred_at=datetime.now(UTC),
            psn_no=self.psn_no,
            setl_id=f"S{mdtrt_id}",
            mdtrt_id=mdtrt_id,
            fixmedins_code=self._institution,
            fixmedins_type="1",
            med_type="11",
            insutype="390",
            insuplc_admdvs="430502",
            authorization_id=f"A{mdtrt_id}",
            **_amounts(cash_fen),
        )
        self._post([settled])
        self._tell("settlement", {"event_id": settled.event_id, "psn_no": self.psn_no})
        return settled.event_id

    def _post(self, facts: list[Fact]) -> None:
        results = self._engine.post("canonical", [encode_fact(fact) for fact in facts])
        if results["accepted"] != len(facts):
            self._tell("trouble", {"psn_no": self.psn_no, "results": dict(results)})


def play(engine: Engine, tell: Tell, *, run: str, institution: str) -> None:
    """The three stories, once."""
    payer = Patient(engine, tell, run=run, number=1, institution=institution)
    payer.signs(bank_line_fen=300_000)
    if payer.visits(26_800).get("decision") == "approve":
        payer.settles(26_800)
    stranger = Patient(engine, tell, run=run, number=2, institution=institution)
    stranger.visits(15_000)
    spender = Patient(engine, tell, run=run, number=3, institution=institution)
    spender.signs(bank_line_fen=100_000)
    if spender.visits(82_000).get("decision") == "approve":
        spender.settles(82_000)
    spender.visits(50_000)


def _amounts(cash_fen: int) -> dict[str, Any]:
    return {
        "medfee_sumamt_fen": 2 * cash_fen,
        "fund_pay_sumamt_fen": cash_fen,
        "psn_part_amt_fen": cash_fen,
        "acct_pay_fen": 0,
        "psn_cash_pay_fen": cash_fen,
    }


def _now_ms() -> int:
    return to_ms(datetime.now(UTC))
