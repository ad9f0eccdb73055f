"""Orders in a whole engine: paused and resumed, observed before go-live, and one debit whatever dies on the way."""

import json
import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from threading import Event

import httpx
import pytest

from connectors.codec import encode_fact
from risk.facts import InsuredStatusChanged, SettlementCompleted
from risk.local_time import HOUR_MS, day_start_ms, local_day, to_date, to_datetime
from streams.bank_lines import run_line
from streams.city.canonical import signed_up
from streams.city.quiet import Quiet
from streams.city.traffic import IntoHttp
from streams.city.world import Person
from streams.orders import run_pause, run_resume
from streams.reconcile import run_reconcile
from streams.settings import load_settings
from streams.topic_reader import bodies
from streams.up import running_engine

pytestmark = pytest.mark.slow
POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
FIRST_DAY = 20_600  # 2026-05-27
LIVE_DAY = FIRST_DAY + 20
HOSPITAL, NOT_YET_LIVE = "H43050200001", "H43059900001"


class Story:
    """A running engine under the log's clock, its bank, and what hour it is."""

    def __init__(self, up, programs) -> None:
        self.worker = next(program for program in programs if program.name == "worker")
        self.settings = load_settings({**os.environ, "XINMAI_CLOCK": "log"})
        self.engine = IntoHttp(up.api, up.token)
        self.bank = httpx.Client(base_url=up.bank, timeout=30)
        self.quiet = Quiet(self.settings)
        self.now_ms = day_start_ms(FIRST_DAY) + 9 * HOUR_MS
        self.people = 0

    def close(self) -> None:
        self.quiet.close()
        self.engine.close()
        self.bank.close()

    def post(self, *facts) -> None:
        assert self.engine.post("canonical", [encode_fact(fact) for fact in facts]) == {"accepted": len(facts)}

    def hour(self, now_ms: int, *, until_quiet: bool = True) -> None:
        """It is that late now in every shard."""
        self.now_ms = now_ms
        self.manage("clock", {"now_ms": now_ms})
        occurred_at = to_datetime(now_ms)
        for keeper in self.quiet.keepers():
            name = f"hour:{keeper}:{now_ms}"
            self.post(InsuredStatusChanged(event_id=name, occurred_at=occurred_at, psn_no=keeper, status="normal"))
        if until_quiet:
            self.quiet.wait(now_ms)

    def capture(self, mode: str, cash_fen: int, *, at: str = HOSPITAL) -> Person:
        """Somebody new signs, and pays a bill on credit."""
        self.people += 1
        number = f"4305story{self.people:04d}"
        person = Person(number, "390", "430502", 0, 0, True, "A", mode, "BCM", 1_000_000, f"AG{number}")
        self.post(*signed_up(person, self.now_ms))
        self.post(
            SettlementCompleted(
                event_id=f"2207:{number}:0",
                occurred_at=to_datetime(self.now_ms),
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
        )
        return person

    def manage(self, call: str, said: object) -> None:
        self.bank.post(f"/simulator/{call}", json=said).raise_for_status()

    def calls(self, amount_fen: int) -> list[str]:
        """What the bank was sent of this amount."""
        told = self.bank.get("/simulator/book").json()["calls"]
        return [call["call"] for call in told if call["amount_fen"] == amount_fen]

    def booked(self, amount_fen: int) -> list[str]:
        told = self.bank.get("/simulator/book").json()["bookings"]
        return [row["kind"] for row in told if row["amount_fen"] == amount_fen]

    def until(self, condition, wait_s: float = 30.0) -> float:
        """Seconds until it was so."""
        started_s = time.monotonic()
        while not condition():
            assert time.monotonic() - started_s < wait_s, self.worker.tail()
            time.sleep(0.02)
        return time.monotonic() - started_s

    def is_reconciled(self) -> bool:
        day = to_date(local_day(self.now_ms)).isoformat()
        return run_reconcile(self.settings, day=day, bank=None, statement=None, as_json=False) == 0


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    home = tmp_path_factory.mktemp("orders")
    shutil.copytree(POLICY, home / "policy")
    table = home / "policy" / "institutions.toml"
    row = f'    {{ code = "{NOT_YET_LIVE}", name = "x", services = ["visit_first"], live_from = 2024-01-01, '
    row += f"orders_live_from = {to_date(LIVE_DAY)} }},\n"
    marker = '    { code = "H4305*"'
    table.write_text(table.read_text().replace(marker, row + marker))
    told = {"XINMAI_CLOCK": "log", "XINMAI_POLICY": str(home / "policy")}
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name in [name for name in os.environ if name.startswith("XINMAI_")]:
            patch.delenv(name)
        os.environ.update(told)
        try:
            with running_engine(Event(), told) as (up, programs), closing(Story(up, programs)) as made:
                made.hour(made.now_ms)
                yield made
        finally:
            os.environ.clear()
            os.environ.update(before)


def test_a_pause_stops_orders_within_a_second_and_resume_lets_them_go_within_a_second(story):
    story.capture("credit_line", 10_001)
    story.until(lambda: story.booked(10_001))  # a draw leaves at once
    assert run_pause(story.settings, bank="BCM", institution=None, as_json=True) == 0
    time.sleep(1.0)
    story.capture("credit_line", 10_002)
    orders = story.settings.topics.withholding
    story.until(lambda: any(body["amount_fen"] == 10_002 for body in bodies(story.settings.kafka, orders)))
    time.sleep(2.0)
    assert story.calls(10_002) == []
    assert run_resume(story.settings, bank="BCM", institution=None, as_json=True) == 0
    took_s = story.until(lambda: story.booked(10_002))
    assert took_s < 1.0, f"{took_s:.2f} s"
    story.quiet.wait(story.now_ms)


def test_a_line_that_the_bank_changed_without_a_word_is_asked_for(story, capsys):
    person = story.capture("credit_line", 15_001)
    story.until(lambda: story.booked(15_001))
    story.quiet.wait(story.now_ms)
    assert run_line(story.settings, person.psn_no, as_json=True) == 1  # the bank does not know it
    story.manage("lines", {person.agreement_no: 40_000})
    story.manage("clock", {"now_ms": story.now_ms + 60_000})
    for appended in (1, 0):
        capsys.readouterr()
        assert run_line(story.settings, person.psn_no, as_json=True) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["appended"], said["lines"][0]["bank_line_fen"]) == (appended, 40_000)
        story.quiet.wait(story.now_ms)


def test_before_its_go_live_date_an_institutions_orders_are_only_observed(story):
    story.capture("card_withhold", 20_001, at=NOT_YET_LIVE)
    story.capture("card_withhold", 20_002)
    day = local_day(story.now_ms) + 1
    story.hour(day_start_ms(day) + 9 * HOUR_MS)
    assert (story.calls(20_001), story.booked(20_002)) == ([], ["debit"])
    decisions = bodies(story.settings.kafka, story.settings.topics.decisions)
    observed = [body for body in decisions if body.get("observe_only")]
    assert [(body["decision"], body["captured_fen"]) for body in observed] == [("withhold", 20_001)]
    for later in range(day + 5, LIVE_DAY, 5):
        story.hour(day_start_ms(later) + 9 * HOUR_MS)
    assert story.calls(20_001) == []
    story.hour(day_start_ms(LIVE_DAY) + 9 * HOUR_MS)
    assert story.booked(20_001) == ["debit"]
    assert story.is_reconciled()


@pytest.mark.parametrize(("behaviour", "delay_ms"), [("settle", 1_500), ("timeout_after_success", 1_500)])
def test_a_worker_killed_while_the_bank_debits_leads_to_one_debit(story, behaviour, delay_ms):
    amount_fen = 30_001 + len(behaviour)
    story.capture("card_withhold", amount_fen)
    story.manage("scripts", {"behaviour": behaviour, "times": 1, "delay_ms": delay_ms, "kind": "debit"})
    story.hour(day_start_ms(local_day(story.now_ms) + 1) + 9 * HOUR_MS, until_quiet=False)
    story.until(lambda: story.bank.get("/simulator/book").json()["in_hand"], 60)
    story.worker.kill9()  # the bank has the order in hand and says nothing yet
    story.until(lambda: story.booked(amount_fen))
    assert story.calls(amount_fen) == ["submit"]
    story.worker.start()
    story.quiet.wait(story.now_ms)
    assert (story.booked(amount_fen), story.calls(amount_fen)) == (["debit"], ["submit"])
    assert story.is_reconciled()
