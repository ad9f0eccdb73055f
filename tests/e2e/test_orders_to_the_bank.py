"""Orders in a whole engine: paused and resumed, observed before go-live, and one debit whatever dies on the way."""

import json
import shutil
import time
from pathlib import Path

import pytest

from risk.facts import SettlementCompleted
from risk.local_time import HOUR_MS, day_start_ms, local_day, to_date, to_datetime
from streams.bank_lines import run_line
from streams.city.canonical import signed_up
from streams.city.world import Person, signed_person
from streams.orders import run_pause, run_resume
from streams.reconcile import run_reconcile
from streams.topic_reader import bodies
from tests.e2e.stories.stage import Stage, a_stage

pytestmark = pytest.mark.slow
POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
FIRST_DAY = 20_600  # 2026-05-27
LIVE_DAY = FIRST_DAY + 20
HOSPITAL, NOT_YET_LIVE = "H43050200001", "H43059900001"


class Counter:
    """A stage, and somebody new at its counter each time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.people = 0

    def capture(self, mode: str, cash_fen: int, *, at: str = HOSPITAL) -> Person:
        """Somebody new signs, and pays a bill on credit."""
        self.people += 1
        number = f"4305story{self.people:04d}"
        person = signed_person(number, funding_mode=mode, bank_line_fen=1_000_000)
        self.stage.post(signed_up(person, self.stage.now_ms))
        bill = SettlementCompleted(
            event_id=f"2207:{number}:0",
            occurred_at=to_datetime(self.stage.now_ms),
            psn_no=number,
            setl_id=f"S{number}",
            mdtrt_id=f"M{number}",
            fixmedins_code=at,
            fixmedins_type="1",
            med_type="11",
            insutype="390",
            medfee_sumamt_fen=2 * cash_fen,
            fund_pay_sumamt_fen=cash_fen,
            psn_part_amt_fen=cash_fen,
            acct_pay_fen=0,
            psn_cash_pay_fen=cash_fen,
            credit_fen=cash_fen,
            insuplc_admdvs="430502",
        )
        self.stage.post([bill])
        return person

    def calls(self, amount_fen: int) -> list[str]:
        """What the bank was sent of this amount."""
        return [call["call"] for call in self.stage.book()["calls"] if call["amount_fen"] == amount_fen]

    def booked(self, amount_fen: int) -> list[str]:
        return [row["kind"] for row in self.stage.book()["bookings"] if row["amount_fen"] == amount_fen]

    def is_reconciled(self) -> bool:
        day = to_date(local_day(self.stage.now_ms)).isoformat()
        return run_reconcile(self.stage.settings, day=day, bank=None, statement=None, as_json=False) == 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    home = tmp_path_factory.mktemp("orders")
    shutil.copytree(POLICY, home / "policy")
    table = home / "policy" / "institutions.toml"
    row = f'    {{ code = "{NOT_YET_LIVE}", name = "x", services = ["visit_first"], live_from = 2024-01-01, '
    row += f"orders_live_from = {to_date(LIVE_DAY)} }},\n"
    marker = '    { code = "H4305*"'
    table.write_text(table.read_text().replace(marker, row + marker))
    with a_stage(home, day_start_ms(FIRST_DAY) + 9 * HOUR_MS, {"XINMAI_POLICY": str(home / "policy")}) as made:
        yield made


@pytest.fixture(scope="module")
def counter(stage):
    return Counter(stage)


def test_a_pause_stops_orders_within_a_second_and_resume_lets_them_go_within_a_second(stage, counter):
    counter.capture("credit_line", 10_001)
    stage.until(lambda: counter.booked(10_001))  # a draw leaves at once
    assert run_pause(stage.settings, bank="BCM", institution=None, as_json=True) == 0
    time.sleep(1.0)
    counter.capture("credit_line", 10_002)
    orders = stage.settings.topics.withholding
    stage.until(lambda: any(body["amount_fen"] == 10_002 for body in bodies(stage.settings.kafka, orders)))
    time.sleep(2.0)
    assert counter.calls(10_002) == []
    assert run_resume(stage.settings, bank="BCM", institution=None, as_json=True) == 0
    took_s = stage.until(lambda: counter.booked(10_002))
    assert took_s < 1.0, f"{took_s:.2f} s"
    stage.quiet.wait(stage.now_ms)


def test_a_line_that_the_bank_changed_without_a_word_is_asked_for(stage, counter, capsys):
    person = counter.capture("credit_line", 15_001)
    stage.until(lambda: counter.booked(15_001))
    stage.quiet.wait(stage.now_ms)
    assert run_line(stage.settings, person.psn_no, as_json=True) == 1  # the bank does not know it
    stage.manage("lines", {person.agreement_no: 40_000})
    stage.manage("clock", {"now_ms": stage.now_ms + 60_000})
    for appended in (1, 0):
        capsys.readouterr()
        assert run_line(stage.settings, person.psn_no, as_json=True) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["appended"], said["lines"][0]["bank_line_fen"]) == (appended, 40_000)
        stage.quiet.wait(stage.now_ms)


def test_before_its_go_live_date_an_institutions_orders_are_only_observed(stage, counter):
    counter.capture("card_withhold", 20_001, at=NOT_YET_LIVE)
    counter.capture("card_withhold", 20_002)
    day = local_day(stage.now_ms) + 1
    stage.hour(day_start_ms(day) + 9 * HOUR_MS)
    assert (counter.calls(20_001), counter.booked(20_002)) == ([], ["debit"])
    decisions = bodies(stage.settings.kafka, stage.settings.topics.decisions)
    observed = [body for body in decisions if body.get("observe_only")]
    assert [(body["decision"], body["captured_fen"]) for body in observed] == [("withhold", 20_001)]
    for later in range(day + 5, LIVE_DAY, 5):
        stage.hour(day_start_ms(later) + 9 * HOUR_MS)
    assert counter.calls(20_001) == []
    stage.hour(day_start_ms(LIVE_DAY) + 9 * HOUR_MS)
    assert counter.booked(20_001) == ["debit"]
    assert counter.is_reconciled()


@pytest.mark.parametrize(("behaviour", "delay_ms"), [("settle", 1_500), ("timeout_after_success", 1_500)])
def test_a_worker_killed_while_the_bank_debits_leads_to_one_debit(stage, counter, behaviour, delay_ms):
    amount_fen = 30_001 + len(behaviour)
    counter.capture("card_withhold", amount_fen)
    stage.manage("scripts", {"behaviour": behaviour, "times": 1, "delay_ms": delay_ms, "kind": "debit"})
    stage.hour(day_start_ms(local_day(stage.now_ms) + 1) + 9 * HOUR_MS, until_quiet=False)
    stage.until(lambda: stage.book()["in_hand"], 60)
    stage.worker.kill9()  # the bank has the order in hand and says nothing yet
    stage.until(lambda: counter.booked(amount_fen))
    assert counter.calls(amount_fen) == ["submit"]
    stage.worker.start()
    stage.quiet.wait(stage.now_ms)
    assert (counter.booked(amount_fen), counter.calls(amount_fen)) == (["debit"], ["submit"])
    assert counter.is_reconciled()
